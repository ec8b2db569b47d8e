//! A checkpoint store in memory that loses or tears at a crash what it has not acknowledged, each
//! file for itself, and does not answer now and then.

use super::line::{Call, Line, Moment, Tally};
use bytes::Bytes;
use schemas::hash::mix;
use sinks::checkpoint_store::{Asked, CheckpointStore};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The store of one process, whatever its lives.
pub(super) struct Files {
    store: CheckpointStore,
    /// It does not answer.
    pub(super) silent: AtomicBool,
    tally: Arc<Tally>,
}

/// What the guard of a line remembers.
#[derive(Default)]
struct Seen {
    /// A manifest was created; since then, a file of state was read.
    created: bool,
    merges: bool,
    pass: Option<super::line::Pass>,
}

impl Files {
    pub(super) fn new(tally: Arc<Tally>) -> Arc<Self> {
        let store = CheckpointStore::in_memory().unwrap();
        Arc::new(Self { store, silent: AtomicBool::new(false), tally })
    }

    /// As a process sees it.
    pub(super) fn over(self: &Arc<Self>, line: Arc<Line>) -> CheckpointStore {
        let (files, seen) = (Arc::clone(self), Mutex::new(Seen::default()));
        let guard = move |asked: Asked<'_>| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            files.guard(&line, &mut seen, asked)
        };
        self.store.guarded(Arc::new(guard)).unwrap()
    }

    fn guard(&self, line: &Line, seen: &mut Seen, asked: Asked<'_>) -> Result<(), String> {
        let dead = |_cut| "the process is dead".to_owned();
        if asked.is_done {
            return seen.pass.take().map_or(Ok(()), |pass| line.leave(&pass)).map_err(dead);
        }
        let call = seen.call(asked);
        let pass = line.enter(call).map_err(dead)?;
        if pass.dies == Some(Moment::Midway) {
            if let Some(bytes) = asked.bytes {
                self.tear(asked.name, bytes, pass.draw);
            }
            return line.leave(&pass).map_err(dead);
        }
        let silent = self.silent.load(Ordering::SeqCst);
        if silent && pass.dies.is_none() {
            *self.tally.lock().unwrap().entry("checkpoint store silent").or_default() += 1;
            return Err("no answer".to_owned());
        }
        seen.pass = Some(pass);
        Ok(())
    }

    /// The machine stops while this file is written: it is there in part, empty, or not at all.
    fn tear(&self, name: &str, bytes: &Bytes, draw: u64) {
        *self.tally.lock().unwrap().entry("checkpoint file torn").or_default() += 1;
        let kept = usize::try_from(mix(draw) % (bytes.len() as u64 + 1)).expect("a file's length");
        if !draw.is_multiple_of(3) {
            self.store.put(name, bytes.slice(..kept)).unwrap();
        }
    }

    /// Turns a bit of the newest manifest, or of the last file that it names; false: there is none.
    pub(super) fn rot(&self, draw: u64) -> bool {
        let folder = if draw.is_multiple_of(2) { "manifests" } else { "state" };
        let Some(file) = self.store.list(folder).unwrap().pop() else { return false };
        let mut bytes = self.store.get(&file.name).unwrap().to_vec();
        if bytes.is_empty() {
            return false;
        }
        let at = usize::try_from(mix(draw) % bytes.len() as u64).expect("a file's length");
        bytes[at] ^= 1 << (draw >> 8 & 7);
        self.store.put(&file.name, bytes.into()).unwrap();
        true
    }
}

impl Seen {
    /// A file of state that is written after others were read is what they are merged into.
    fn call(&mut self, asked: Asked<'_>) -> Call {
        match asked.did {
            "create" => {
                (self.created, self.merges) = (true, false);
                Call::CreateManifest
            }
            "write" if std::mem::take(&mut self.merges) => Call::PutMerged,
            "write" => Call::PutState,
            _ => {
                self.merges = self.created && asked.name.starts_with("state/");
                Call::LookAtStore
            }
        }
    }
}
