//! x
use super::Out;
use machines::message::{Context, ToCustomer, ToProduct};
use sinks::view_store::rows::Row;

/// All customers, carts and orders of one worker.
pub struct Customers {}

impl Customers {
    /// An empty shard. `hash_seed` changes nothing that shows: tests vary it.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        unimplemented!("{hash_seed}")
    }

    /// Applies one message; messages come in canonical order.
    pub fn apply(&mut self, context: &Context, message: ToCustomer, out: &mut Out<ToProduct>) {
        unimplemented!("{context:?} {message:?} {out:?}")
    }

    /// Fires the timers that are due and not yet fired by a touch, at most `cap` a key group,
    /// in order of (deadline, id). Called once at the start of round 0 of every epoch.
    pub fn sweep(&mut self, context: &Context, cap: usize, out: &mut Out<ToProduct>) {
        unimplemented!("{context:?} {cap} {out:?}")
    }

    pub fn end_round(&mut self, context: &Context, out: &mut Out<ToProduct>) {
        unimplemented!("{context:?} {out:?}")
    }

    /// The deadline of the earliest timer, if any: a plan is due when its `now` reaches it.
    pub fn next_deadline(&self) -> Option<schemas::time::Timestamp> {
        unimplemented!()
    }

    /// Takes the rows that changed since the last call, each key once. Not called when views are
    /// off; then [`Customers::forget_rows`] is.
    pub fn take_rows(&mut self, context: &Context, rows: &mut Vec<Row>) {
        unimplemented!("{context:?} {rows:?}")
    }

    /// Drops the record of what changed.
    pub fn forget_rows(&mut self) {}

    /// Every byte of state in a canonical order, for tests that compare runs.
    pub fn dump(&self) -> Vec<u8> {
        unimplemented!()
    }
}
