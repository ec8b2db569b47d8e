//! Where an engine stands at the end of an epoch, as a checkpoint keeps it: taken from the hub, and
//! set there at a start.

use super::manifest::InputPosition;
use super::pace::{Begun, Kept, Taken};
use super::restored::Restored;
use crate::epoch::EpochInfo;
use crate::hub::State;
use machines::message::Context;
use machines::rules::Rules;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use std::sync::Arc;

impl State {
    /// Where it stands when the last valid plan's records were taken from the inputs.
    #[must_use]
    pub fn behind_last_plan(&self) -> Begun {
        let all: Vec<_> = TopicPartition::inputs().collect();
        let inputs = all.iter().zip(&self.inputs).map(|(partition, input)| InputPosition {
            partition: *partition,
            next: input.planned,
            appended_at: input.planned_at,
        });
        Begun {
            plans: self.plans.clone(),
            inputs: inputs.collect(),
            skips: self.skips.iter().map(|(index, offset)| (all[*index], *offset)).collect(),
            drained: self.drained,
        }
    }

    /// What the workers saved when they ended, if a checkpoint can be made of it: all plans that
    /// were read are done, and nothing enters a next epoch.
    pub(super) fn take_last(&mut self) -> Option<Taken> {
        let snapshots = self.checkpoints.take_last()?;
        let now = self.plans.now()?;
        let rules = Rules::of(self.plans.in_force()?.claim.rules_version)?;
        let epoch = self.plans.epoch();
        if epoch != self.finished || self.left > 0 {
            return None;
        }
        let info = EpochInfo {
            context: Context { epoch, now, before: now, deadline: now, rules },
            era: self.finished_era,
            hash: self.plans.hash()?,
            applied: Arc::clone(&self.applied),
        };
        Some(Taken { begun: self.behind_last_plan(), info, snapshots })
    }

    /// A worker has loaded its state, whose earliest timer is this. When all have, the files are
    /// let go of.
    pub fn loaded(&mut self, deadline: Option<Timestamp>) {
        self.checkpoints.loaded += 1;
        if self.checkpoints.loaded == self.workers() {
            self.restored = None;
            self.start.loaded();
        }
        self.next_deadline = self.next_deadline.into_iter().chain(deadline).min();
    }

    /// Whether all workers have ended, and saved what they could.
    pub(super) fn workers_left(&self) -> bool {
        self.checkpoints.left() == self.workers()
    }

    /// Sets all that would stand here had the log been replayed up to the checkpoint.
    pub fn go_on_behind(&mut self, restored: &Restored) {
        let manifest = &restored.manifest;
        self.plans = manifest.plans.clone();
        self.plans_read_to = manifest.plans.last_offset() + 1;
        let epoch = manifest.epoch;
        (self.finished, self.published, self.viewed) = (epoch, epoch, epoch);
        self.finished_era = manifest.era;
        self.checkpoints.on_log = epoch;
        self.checkpoints.outputs = Arc::new(manifest.outputs.clone());
        self.digests.from = epoch;
        self.left = restored.left.len();
        let mut applied = vec![0; self.inputs.len()];
        for position in &manifest.inputs {
            let Some(index) = position.partition.input_index() else { continue };
            let input = &mut self.inputs[index];
            (input.reached, input.planned) = (position.next, position.next);
            (input.read_at, input.planned_at) = (position.appended_at, position.appended_at);
            applied[index] = position.next;
        }
        self.applied = Arc::new(applied);
        for (partition, offset) in &manifest.skips {
            self.skips.extend(partition.input_index().map(|index| (index, *offset)));
        }
        self.drained = manifest.drained;
        let (at, bytes) = (manifest.written_at, manifest.state_bytes());
        self.checkpoints.kept = Some(Kept { epoch, at, bytes });
    }
}
