//! The spool: what is finished and not yet out. It is bounded: while it is full, nothing is opened.

use crate::epoch::OPERATORS;
use crate::hub::{EPOCHS_OPEN_MAX, State};
use crate::shards::Decided;

/// Events and rows finished and not yet out.
const SPOOL_MAX: usize = 400_000;
/// While more timers are due than a sweep takes, each epoch fires as many as it takes. What else it
/// decides is then seen soon only if little is ahead of it: so many epochs, events and rows.
const SWEEPING_MAX: (u64, usize) = (2, 8_000);
/// Vectors kept to be filled again: those of the open epochs of two workers.
const SPARE_MAX: usize = 16;

impl State {
    /// Whether another epoch may be opened.
    #[must_use]
    pub fn may_open(&self) -> bool {
        let (open_max, spool_max) =
            if self.sweeps { SWEEPING_MAX } else { (EPOCHS_OPEN_MAX, SPOOL_MAX) };
        self.open_epochs() < open_max
            && self.spooled < spool_max
            && !self.checkpoints.hold_up(self.passive)
    }

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

#[cfg(test)]
mod tests {
    use crate::hub::Hub;

    #[test]
    fn little_may_be_ahead_of_an_epoch_only_while_more_timers_are_due_than_a_sweep_takes() {
        let hub = Hub::new(1);
        let may_open = |sweeps, spooled| {
            let mut state = hub.lock();
            (state.sweeps, state.spooled) = (sweeps, spooled);
            state.may_open()
        };
        assert!(may_open(true, 7_999) && !may_open(true, 8_000));
        assert!(may_open(false, 399_999) && !may_open(false, 400_000));
    }
}
