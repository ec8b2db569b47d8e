//! How far it is, on stderr, about once in two seconds.

use crate::clock::Clock;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Progress {
    clock: Clock,
    doing: &'static str,
    all: usize,
    next: Duration,
}

impl Progress {
    /// Of `all` things, `doing` is done to each.
    pub(crate) fn start(clock: Clock, doing: &'static str, all: usize) -> Self {
        Self { clock, doing, all, next: clock.elapsed() + EVERY }
    }

    /// `done` so far.
    pub(crate) fn at(&mut self, done: usize) {
        let now = self.clock.elapsed();
        if now >= self.next {
            self.next = now + EVERY;
            eprintln!("{}: {done} of {}", self.doing, self.all);
        }
    }
}
