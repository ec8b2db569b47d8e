//! How long a start takes, part by part: what somebody wants to know who waits for it.
//!
//! ```text
//! process begins --before--> engine starts --checkpoint--> files read --load--> state in memory
//!                (log and views are opened)                                        |
//!                                 nothing stood on the log that is not done <--replay
//! ```

use sinks::clock::Clock;
use std::time::Duration;

/// How long each part took; 0 where it was not needed, or has not come to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// From the beginning of the process to that of its engine.
    pub before: Duration,
    /// To find the newest checkpoint that fits, and read its files.
    pub checkpoint: Duration,
    /// To make the workers' state of them.
    pub load: Duration,
    /// To do what stood on the log behind it.
    pub replay: Duration,
}

/// A start under way, or over.
#[derive(Debug, Default)]
pub struct Start {
    clock: Option<Clock>,
    /// When the last part was at its end.
    since: Duration,
    took: Took,
}

impl Start {
    /// Begins now, by the clock of the process.
    #[must_use]
    pub fn begin(clock: &Clock) -> Self {
        let since = clock.elapsed();
        let took = Took { before: since, ..Took::default() };
        Self { clock: Some(clock.clone()), since, took }
    }

    /// The checkpoint is found and read.
    pub fn restored(&mut self) {
        self.took.checkpoint = self.part();
    }

    /// All workers have their state.
    pub fn loaded(&mut self) {
        self.took.load = self.part();
    }

    /// The log is replayed.
    pub fn replayed(&mut self) {
        self.took.replay = self.part();
    }

    /// What is known so far.
    #[must_use]
    pub const fn took(&self) -> Took {
        self.took
    }

    fn part(&mut self) -> Duration {
        let Some(clock) = &self.clock else { return Duration::ZERO };
        let now = clock.elapsed();
        now.saturating_sub(std::mem::replace(&mut self.since, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::time::Timestamp;

    #[test]
    fn each_part_begins_where_the_one_before_ended() {
        let (clock, ms) = (Clock::manual(Timestamp(0)), Duration::from_millis);
        clock.advance(ms(40));
        let mut start = Start::begin(&clock);
        clock.advance(ms(3));
        start.restored();
        clock.advance(ms(20));
        start.loaded();
        assert_eq!(start.took().replay, Duration::ZERO);
        clock.advance(ms(100));
        start.replayed();
        let took = Took { before: ms(40), checkpoint: ms(3), load: ms(20), replay: ms(100) };
        assert_eq!(start.took(), took);
    }
}
