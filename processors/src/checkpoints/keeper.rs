//! The keeper: one thread that writes what workers have saved, and the manifest when all that its
//! epoch gave is durable elsewhere: outputs published, rows on disk. So a start from it misses
//! nothing. Then it merges files and removes those that no start reads any more.
//!
//! A store that does not take files stops nothing but checkpoints: it is tried again.

use super::file::{self, Written};
use super::manifest::{FOLDER, FORMAT, Manifest, Run, STATE, StateFile, path};
use super::pace::{Kept, Taken};
use super::runs::{RunError, merged, worth_merging};
use crate::failure::{End, Failure, outcome};
use crate::hub::Hub;
use bytes::Bytes;
use schemas::time::Timestamp;
use sinks::checkpoint_store::{CheckpointStore, Listed, StoreError};
use sinks::clock::Clock;
use sinks::view_store::ViewStore;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Before the store is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// What no newer checkpoint needs is kept for so long: a start may be reading it.
const GRACE_MS: i64 = 10 * 60 * 1000;
/// Old manifests that are removed together: each time all that are kept must be read.
const COLLECTED_MIN: usize = 12;
/// Checkpoints that are kept whatever their age: the newest may turn out damaged.
const MANIFESTS_MIN: usize = 3;

/// Writes checkpoints.
pub struct Keeper {
    hub: Arc<Hub>,
    store: Arc<CheckpointStore>,
    views: Option<Arc<dyn ViewStore>>,
    clock: Clock,
    /// Whether outputs are published here, or seen on the log.
    publishes: bool,
    /// What the newest checkpoint is made of.
    runs: Vec<Run>,
}

impl Keeper {
    /// A keeper that goes on from the checkpoint of which these are the files.
    #[must_use]
    pub const fn new(
        hub: Arc<Hub>,
        store: Arc<CheckpointStore>,
        views: Option<Arc<dyn ViewStore>>,
        clock: Clock,
        publishes: bool,
        runs: Vec<Run>,
    ) -> Self {
        Self { hub, store, views, clock, publishes, runs }
    }

    /// Keeps until the hub fails, or stops and nothing is left to write.
    ///
    /// # Errors
    /// The views do not become durable.
    pub fn run(mut self) -> Result<(), Failure> {
        outcome(self.keep_on())
    }

    fn keep_on(&mut self) -> Result<(), End> {
        while let Some(taken) = self.next() {
            let now = taken.info.context.now;
            self.keep(taken)?;
            if let Err(error) = self.merge(now) {
                tracing::warn!(%error, "files of state are not merged");
            }
            if let Err(error) = self.collect() {
                tracing::warn!(%error, "old checkpoints are not removed");
            }
        }
        Ok(())
    }

    /// Waits for what was saved, at last by workers that end; none: there will be no more.
    fn next(&self) -> Option<Taken> {
        let mut state = self.hub.lock();
        loop {
            if state.failed() {
                return None;
            }
            if let Some(taken) = state.checkpoints.taken.take() {
                return Some(taken);
            }
            if state.workers_left() {
                return state.take_last();
            }
            state = self.hub.wait(state);
        }
    }

    /// Makes a checkpoint of it.
    fn keep(&mut self, taken: Taken) -> Result<(), End> {
        let Taken { begun, info, snapshots } = taken;
        let epoch = info.context.epoch;
        let mut run = Run::default();
        for snapshot in snapshots {
            run.files.push(self.write(file::of_snapshot(snapshot))?);
        }
        self.runs.push(run);
        self.wait_out(epoch)?;
        if let Some(views) = &self.views {
            views.flush().map_err(Failure::from)?;
        }
        let outputs = Arc::clone(&self.hub.lock().checkpoints.outputs);
        let manifest = Manifest {
            format: FORMAT,
            era: info.era,
            epoch,
            written_at: self.clock.now(),
            plans: begun.plans,
            inputs: begun.inputs,
            published: self.publishes,
            outputs: outputs.to_vec(),
            skips: begun.skips,
            drained: begun.drained,
            runs: self.runs.clone(),
        };
        let (path, bytes) = (manifest.path(), Bytes::from(manifest.to_bytes()));
        if !self.insist(|store| store.create(&path, bytes.clone()))? {
            // One of this epoch is there, of a start that could not use it, or of another process.
            tracing::info!(epoch, "there is a checkpoint of this epoch already");
        }
        let kept = Kept { epoch, at: manifest.written_at, bytes: manifest.state_bytes() };
        self.hub.lock().checkpoints.end(kept);
        self.hub.notify();
        Ok(())
    }

    fn write(&self, written: Written) -> Result<StateFile, End> {
        let Written { name, entries, bytes } = written;
        let (path, content) = (path(&name), Bytes::from(bytes));
        self.insist(|store| store.put(&path, content.clone()))?;
        Ok(StateFile { name, bytes: content.len() as u64, entries })
    }

    /// Tries until the store does it, or the engine is at its end.
    fn insist<T>(&self, act: impl Fn(&CheckpointStore) -> Result<T, StoreError>) -> Result<T, End> {
        let mut told = false;
        loop {
            let error = match act(&self.store) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%error, "no checkpoint is made: it is tried again");
            }
            let state = self.hub.lock();
            state.go_on()?;
            drop(self.hub.wait_for(state, RETRY));
        }
    }

    /// Waits until all that this epoch gave is published and with the views. A stop finishes what
    /// is open, so it is waited for then too; but not for what somebody else is to publish.
    fn wait_out(&self, epoch: u64) -> Result<(), End> {
        let mut state = self.hub.lock();
        loop {
            let on_log = state.checkpoints.is_on_log(epoch).ok_or(End::Stopped)?;
            if state.failed() {
                return Err(End::Stopped);
            }
            if on_log && state.viewed >= epoch {
                return Ok(());
            }
            state = self.hub.wait(state);
        }
    }

    /// Merges what is worth merging; the next checkpoint is made of that.
    fn merge(&mut self, now: Timestamp) -> Result<(), RunError> {
        let Some((first, count)) = worth_merging(&self.runs) else { return Ok(()) };
        let Written { name, entries, bytes } =
            merged(&self.store, &self.runs[first..first + count], first == 0, now)?;
        let file = StateFile { name, bytes: bytes.len() as u64, entries };
        self.store.put(&file.path(), bytes.into())?;
        self.runs.splice(first..first + count, [Run { files: vec![file] }]);
        Ok(())
    }

    /// Removes what no start reads any more: old manifests, then files that none of the others
    /// names. Ages are by the store's clock.
    fn collect(&self) -> Result<(), RunError> {
        let manifests = self.store.list(FOLDER)?;
        let Some(now) = manifests.iter().map(|listed| listed.written_at).max() else {
            return Ok(());
        };
        let is_old = |listed: &Listed| listed.written_at.plus_ms(GRACE_MS) < now;
        let spare = manifests.len().saturating_sub(MANIFESTS_MIN);
        let (old, kept): (Vec<_>, Vec<_>) = manifests
            .iter()
            .enumerate()
            .partition(|(place, listed)| *place < spare && is_old(listed));
        if old.len() < COLLECTED_MIN {
            return Ok(());
        }
        let mut needed: BTreeSet<String> =
            self.runs.iter().flat_map(|run| &run.files).map(StateFile::path).collect();
        for (_, listed) in kept {
            match Manifest::from_bytes(&self.store.get(&listed.name)?) {
                Ok(manifest) => {
                    let files = manifest.runs.iter().flat_map(|run| &run.files);
                    needed.extend(files.map(StateFile::path));
                }
                Err(error) => tracing::warn!(manifest = listed.name, %error, "damaged"),
            }
        }
        for (_, listed) in old {
            self.store.remove(&listed.name)?;
        }
        for listed in self.store.list(STATE)? {
            if is_old(&listed) && !needed.contains(&listed.name) {
                self.store.remove(&listed.name)?;
            }
        }
        Ok(())
    }
}
