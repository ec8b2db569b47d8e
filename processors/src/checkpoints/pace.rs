//! When checkpoints are made, and where the one that is being made stands.

use super::manifest::{InputPosition, OutputPosition};
use super::snapshot::Snapshot;
use crate::epoch::EpochInfo;
use crate::plan::PlanTopic;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use std::sync::Arc;
use std::time::Duration;

/// Records after which one is made before it is time: so what one saves, and decisions wait for,
/// stays small.
const RECORDS_MAX: u64 = 50_000;
/// Epochs without anything new after which one is made: so a replay stays short.
const IDLE_EPOCHS_MAX: u64 = 1_000;

/// Where a plan stands that a checkpoint is made behind.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The plan topic up to it.
    pub plans: PlanTopic,
    /// How far inputs are planned.
    pub inputs: Vec<InputPosition>,
    /// Records set aside and not planned.
    pub skips: Vec<(TopicPartition, u64)>,
    /// Planning was ended under this generation.
    pub drained: Option<u64>,
}

/// What all workers have saved at the end of an epoch.
#[derive(Debug)]
pub struct Taken {
    /// The epoch's plan.
    pub begun: Begun,
    /// What all who read a finished epoch need to know.
    pub info: EpochInfo,
    /// By worker.
    pub snapshots: Vec<Snapshot>,
}

/// The newest checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its epoch.
    pub epoch: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Bytes of its files of state.
    pub bytes: u64,
}

/// The making of checkpoints.
#[derive(Debug, Default)]
pub struct Checkpoints {
    every: Option<Duration>,
    running: bool,
    begun_at: Duration,
    begun_epoch: u64,
    records: u64,
    /// Workers keep in mind what changes, for another process that makes them.
    pub keep_changes: bool,
    /// Saved by all workers, and not taken by the keeper.
    pub taken: Option<Taken>,
    /// What workers saved when they ended; none: one could not.
    last: Vec<Option<Snapshot>>,
    /// Workers that have loaded what was restored.
    pub loaded: usize,
    /// The newest that is whole.
    pub kept: Option<Kept>,
    /// Epochs up to here are published: not just held for who leads.
    pub on_log: u64,
    /// Nothing more is published here, nor seen on the log.
    over: bool,
    /// How far output partitions are known, as of some moment.
    pub outputs: Arc<Vec<OutputPosition>>,
}

impl Checkpoints {
    /// From now on they are made this often; with 0, behind each epoch, and the next waits for it.
    pub const fn make(&mut self, every: Duration, now: Duration, epoch: u64) {
        (self.every, self.begun_at, self.begun_epoch) = (Some(every), now, epoch);
    }

    /// Whether they are made at all.
    #[must_use]
    pub const fn are_made(&self) -> bool {
        self.every.is_some()
    }

    /// Whether one is to be made behind this epoch, which takes so many records.
    pub fn begin(&mut self, epoch: u64, records: u64, now: Duration) -> bool {
        let Some(every) = self.every else { return false };
        self.records += records;
        if every.is_zero() {
            return !std::mem::replace(&mut self.running, true);
        }
        let time = now.saturating_sub(self.begun_at) >= every;
        let idle = self.records == 0 && epoch - self.begun_epoch < IDLE_EPOCHS_MAX;
        if self.running || idle || !(time || self.records >= RECORDS_MAX) {
            return false;
        }
        (self.running, self.begun_at, self.begun_epoch, self.records) = (true, now, epoch, 0);
        true
    }

    /// A worker has ended, and saved this.
    pub fn leave(&mut self, snapshot: Option<Snapshot>) {
        self.last.push(snapshot);
    }

    /// Workers that have ended.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.last.len()
    }

    /// What all workers saved when they ended, if they all did; to be asked for when they have.
    pub fn take_last(&mut self) -> Option<Vec<Snapshot>> {
        let last: Option<Vec<_>> = self.last.iter_mut().map(Option::take).collect();
        last.filter(|last| !last.is_empty())
    }

    /// The publisher has ended. What it still held, as one that follows may, is never out.
    pub const fn all_published(&mut self) {
        self.over = true;
    }

    /// Whether this epoch's outputs are on the log; none: they will not be, as far as this process
    /// can see.
    #[must_use]
    pub const fn is_on_log(&self, epoch: u64) -> Option<bool> {
        match self.on_log >= epoch {
            false if self.over => None,
            on_log => Some(on_log),
        }
    }

    /// Whether the next epoch waits for one to be whole. Not of a process that follows: its own is
    /// whole when somebody leads and publishes, and that may have to be this process, which leads
    /// only when all that is planned is done here.
    #[must_use]
    pub const fn hold_up(&self, follows: bool) -> bool {
        self.running && !follows && matches!(self.every, Some(Duration::ZERO))
    }

    /// The one that was begun is whole.
    pub const fn end(&mut self, kept: Kept) {
        (self.running, self.kept) = (false, Some(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_after_its_time_or_many_records_and_none_for_nothing() {
        let (second, mut checkpoints) = (Duration::from_secs(1), Checkpoints::default());
        assert!(!checkpoints.begin(1, RECORDS_MAX, 9 * second), "none are made");
        checkpoints.make(5 * second, 10 * second, 1);
        assert!(!checkpoints.begin(2, 1, 14 * second));
        assert!(checkpoints.begin(3, 1, 15 * second));
        assert!(!checkpoints.begin(4, RECORDS_MAX, 30 * second), "one is being made");
        let kept = Kept { epoch: 3, at: Timestamp(0), bytes: 0 };
        checkpoints.end(kept);
        assert!(checkpoints.begin(5, 0, 30 * second), "time is up, and there is something");
        checkpoints.end(kept);
        assert!(!checkpoints.begin(6, 0, 60 * second), "there is nothing to save");
        assert!(checkpoints.begin(5 + IDLE_EPOCHS_MAX, 0, 61 * second));
        checkpoints.end(kept);
        assert!(checkpoints.begin(7 + IDLE_EPOCHS_MAX, RECORDS_MAX, 62 * second));
    }
}
