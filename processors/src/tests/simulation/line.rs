//! A process's line to its ports. When it is cut, the process is dead: what it still sends reaches
//! nothing, what it asks is answered as unavailable or unknown. That is what `kill -9` is at the
//! ports. A line may also be stalled and let go again: whatever was under way then arrives late.

use schemas::hash::mix;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Calls of a process to its ports, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Claim,
    Plan,
    Outputs,
    /// A valid or void record of the plan topic is given to the process.
    ReadPlans,
    ReadInputs,
    Ends,
    /// Rows and their mark.
    Apply,
    Flush,
    PutState,
    PutMerged,
    CreateManifest,
    /// Whatever else is asked of the checkpoint store.
    LookAtStore,
}

/// Where in a call a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Nothing of it is done.
    Before,
    /// Some of it: some partitions, half a file.
    Midway,
    /// All of it, and no answer comes.
    After,
    /// It does not die: it is stalled before the call, which is made when it goes on.
    Pause,
}

/// A process dies at this call, counted from when this was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) call: Call,
    pub(super) moment: Moment,
    pub(super) nth: u32,
}

/// How often each fault was done, by its name.
pub(super) type Tally = Mutex<BTreeMap<&'static str, u64>>;

/// The line is cut.
#[derive(Debug)]
pub(super) struct Cut;

/// A call that may be made.
pub(super) struct Pass {
    /// Drawn from the seed, the process, the kind of call and its number: not from thread order.
    pub(super) draw: u64,
    /// The process dies in it.
    pub(super) dies: Option<Moment>,
}

#[derive(Default)]
struct State {
    cut: bool,
    stalled: bool,
    calls: BTreeMap<Call, u32>,
    crash: Option<Crash>,
    died_at: Option<Crash>,
}

/// The line of one life of a process.
pub(super) struct Line {
    draws: u64,
    state: Mutex<State>,
    changed: Condvar,
}

impl Line {
    /// A line of the `life`-th start of this world.
    pub(super) fn new(seed: u64, life: u64) -> Self {
        let draws = mix(mix(seed) ^ life);
        Self { draws, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins; blocks while the process is stalled.
    pub(super) fn enter(&self, call: Call) -> Result<Pass, Cut> {
        let mut state = self.lock();
        while state.stalled {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.cut {
            return Err(Cut);
        }
        let number = state.calls.entry(call).or_default();
        *number += 1;
        let draw = mix(self.draws ^ mix(u64::from(*number) << 8 | call as u64));
        let mut dies = None;
        if let Some(crash) = &mut state.crash
            && crash.call == call
        {
            if crash.nth == 0 {
                dies = Some(crash.moment);
                (state.died_at, state.crash) = (state.crash, None);
            } else {
                crash.nth -= 1;
            }
        }
        if dies == Some(Moment::Pause) {
            (state.stalled, dies) = (true, None);
            while state.stalled {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.cut |= dies == Some(Moment::Before);
        if state.cut {
            return Err(Cut);
        }
        Ok(Pass { draw, dies })
    }

    /// The call is made, as far as it is made.
    pub(super) fn leave(&self, pass: &Pass) -> Result<(), Cut> {
        let mut state = self.lock();
        state.cut |= pass.dies.is_some();
        if state.cut { Err(Cut) } else { Ok(()) }
    }

    /// The process will die so, unless it dies before.
    pub(super) fn will_crash(&self, crash: Crash) {
        self.lock().crash = Some(crash);
    }

    /// No such crash any more.
    pub(super) fn is_spared(&self) {
        self.lock().crash = None;
    }

    /// At which of its calls the process died by itself.
    pub(super) fn died_at(&self) -> Option<Crash> {
        self.lock().died_at
    }

    pub(super) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.lock().stalled
    }

    pub(super) fn cut(&self) {
        let mut state = self.lock();
        (state.cut, state.stalled) = (true, false);
        self.changed.notify_all();
    }

    /// Stalls the process, or lets it go on.
    pub(super) fn stall(&self, stalled: bool) {
        self.lock().stalled = stalled;
        self.changed.notify_all();
    }
}
