//! The watch: one thread that looks each second whether epochs advance while there is input. In a
//! mesh of several processes it looks more often, and an open epoch that is not finished in time ends
//! the engine: one of the others may hang, and nothing else would show it.
//!
//! It has a clock of its own to wait by and not the hub's condition: it must see a stall in which
//! nothing changes, and not wake for each change while all is well.

use super::Invariant;
use crate::failure::Failure;
use crate::hub::{Hub, State};
use sinks::clock::Clock;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Epochs come many times a second; the longest ones take a fraction of this.
pub const STALL_MAX: Duration = Duration::from_secs(5);
/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// In a mesh.
const EVERY_IN_MESH: Duration = Duration::from_millis(250);

/// Looks until the other end of `stop` is gone.
pub fn run(hub: &Arc<Hub>, clock: &Clock, stop: &Receiver<()>) {
    let (mut progress, mut open) = (Progress::default(), Progress::default());
    let in_mesh = hub.lock().share.has_others();
    let every = if in_mesh { EVERY_IN_MESH } else { EVERY };
    while stop.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let hangs = in_mesh.then(|| hang(&hub.lock(), &mut open, clock.elapsed())).flatten();
        if let Some(hangs) = hangs {
            hub.fail(hangs);
        }
        let mut state = hub.lock();
        let (waits, finished) = (state.input_waits(), state.finished);
        if let Some(advances) = progress.look(clock.elapsed(), waits, finished) {
            let waiting = state.waiting();
            state.invariants.judge(Invariant::I17, advances, || {
                format!("{waiting} records wait, and epoch {finished} was finished long ago")
            });
        }
    }
}

/// An epoch is open, whose records were read, and all have their state: yet it is not finished.
fn hang(state: &State, open: &mut Progress, at: Duration) -> Option<Failure> {
    let works = state.waits_for.is_empty() && state.restored.is_none() && !state.failed();
    let waits = works && state.open_epochs() > 0;
    (open.look(at, waits, state.finished) == Some(false)).then(|| {
        Failure::Unavailable(format!(
            "epoch {} was opened {} s ago and is not finished: a process of the mesh hangs",
            state.finished + 1,
            STALL_MAX.as_secs()
        ))
    })
}

/// Whether epochs advance.
#[derive(Debug, Default)]
pub struct Progress {
    finished: u64,
    since: Duration,
    told: bool,
}

impl Progress {
    /// Judges at this time of a monotonic clock: the last finished epoch, and whether input waits
    /// for the next. `None`: there is nothing to judge, or this stall is told already.
    pub fn look(&mut self, at: Duration, waits: bool, finished: u64) -> Option<bool> {
        if !waits || finished != self.finished {
            *self = Self { finished, since: at, told: false };
            return waits.then_some(true);
        }
        let holds = at.saturating_sub(self.since) < STALL_MAX;
        let told = std::mem::replace(&mut self.told, !holds);
        (holds || !told).then_some(holds)
    }
}
