//! The spool: what is finished and not yet out. It is bounded: while it is full, nothing is opened.

use crate::epoch::OPERATORS;
use crate::hub::State;
use crate::shards::Decided;

/// Events and rows finished and not yet out.
pub(crate) const SPOOL_MAX: usize = 400_000;
/// Vectors kept to be filled again: those of the open epochs of two workers.
const SPARE_MAX: usize = 16;

impl State {
    /// Takes vectors back to be filled again. They come empty: dropping an epoch's events takes
    /// longer than anybody should wait for this lock.
    pub fn recycle(&mut self, emptied: Vec<[Vec<Decided>; OPERATORS]>) {
        let usable = emptied.into_iter().flatten().filter(|events| events.capacity() > 0);
        self.spare.extend(usable.take(SPARE_MAX.saturating_sub(self.spare.len())));
    }

    /// The publisher is through with an epoch of this many events.
    pub fn set_published(&mut self, epoch: u64, events: usize) {
        self.published = self.published.max(epoch);
        self.checkpoints.on_log = epoch;
        self.spooled -= events;
    }

    /// The publisher has an epoch ready that somebody else is to publish: it counts as out, but
    /// its events stay in the spool until they are seen on the log.
    pub fn set_held(&mut self, epoch: u64) {
        self.published = self.published.max(epoch);
    }

    /// The view writer is through with an epoch of this many rows.
    pub fn set_viewed(&mut self, epoch: u64, rows: usize) {
        self.viewed = epoch;
        self.spooled -= rows;
    }
}
