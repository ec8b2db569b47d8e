//! x
use super::Out;
use machines::message::{Context, ToCustomer, ToProduct};
use sinks::view_store::rows::Row;

/// All products and stock of one worker.
pub struct Products {}

impl Products {
    /// An empty shard. `hash_seed` changes nothing that shows: tests vary it.
    #[must_use]
    pub fn new(hash_seed: u64, index: usize, peers: usize) -> Self {
        unimplemented!("{hash_seed} {index} {peers}")
    }

    /// Applies one message; messages come in canonical order.
    pub fn apply(&mut self, context: &Context, message: ToProduct, out: &mut Out<ToCustomer>) {
        unimplemented!("{context:?} {message:?} {out:?}")
    }

    /// Fires the timers that are due and not yet fired by a touch, at most `cap` a key group,
    /// in order of (deadline, id). Called once at the start of round 0 of every epoch.
    pub fn sweep(&mut self, context: &Context, cap: usize, out: &mut Out<ToCustomer>) {
        unimplemented!("{context:?} {cap} {out:?}")
    }

    /// The deadline of the earliest timer, if any: a plan is due when its `now` reaches it.
    pub fn next_deadline(&self) -> Option<schemas::time::Timestamp> {
        unimplemented!()
    }

    /// Takes the rows that changed since the last call, each key once. Not called when views are
    /// off; then [`Products::forget_rows`] is.
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
