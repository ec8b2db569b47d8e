//! Which partitions answer: whether anything was heard of one since records wait for it.
//!
//! A partition is silent when records are under way to it and its broker has answered none for
//! [`SILENCE`], or none since one was given up: so in an outage one is tried at a time. What is
//! under way tells of the broker's return by being delivered.

use crate::clock::Clock;
use schemas::topic::TopicPartition;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longer than a healthy broker takes on a busy machine, and shorter than callers like to wait.
const SILENCE: Duration = Duration::from_secs(2);

/// The partitions that were appended to.
pub(super) struct Pulse {
    clock: Clock,
    partitions: Mutex<HashMap<TopicPartition, Waiting>>,
}

/// What is under way to a partition.
#[derive(Default)]
struct Waiting {
    records: usize,
    /// When its broker answered last, or the first of them began to wait.
    heard: Duration,
    /// The last one was given up.
    failed: bool,
}

impl Pulse {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, partitions: Mutex::default() }
    }

    /// Records are on their way, each to one of these partitions.
    pub(super) fn asked(&self, of: impl Iterator<Item = TopicPartition>) {
        let (now, mut partitions) = self.lock();
        of.for_each(|at| partitions.entry(at).or_default().ask(now));
    }

    /// The same, but for partitions to which nothing more should be sent for now: gives those. Of
    /// callers who come together one is the first.
    pub(super) fn asked_but_silent(
        &self,
        of: impl Iterator<Item = TopicPartition> + Clone,
    ) -> HashSet<TopicPartition> {
        let (now, mut partitions) = self.lock();
        let is_silent = |at: &_| partitions.get(at).is_some_and(|waiting| waiting.is_silent(now));
        let silent: HashSet<_> = of.clone().filter(is_silent).collect();
        for at in of.filter(|at| !silent.contains(at)) {
            partitions.entry(at).or_default().ask(now);
        }
        silent
    }

    /// A record is no more under way; whether its broker was heard of it.
    pub(super) fn answered(&self, at: TopicPartition, heard: bool) {
        let (now, mut partitions) = self.lock();
        let waiting = partitions.entry(at).or_default();
        waiting.records = waiting.records.saturating_sub(1);
        waiting.failed = !heard;
        if heard {
            waiting.heard = now;
        }
    }

    fn lock(&self) -> (Duration, MutexGuard<'_, HashMap<TopicPartition, Waiting>>) {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        (self.clock.elapsed(), partitions)
    }
}

impl Waiting {
    fn ask(&mut self, now: Duration) {
        if self.records == 0 {
            self.heard = now;
        }
        self.records += 1;
    }

    /// Whether nothing more should be sent there for now.
    fn is_silent(&self, now: Duration) -> bool {
        let silent = now.saturating_sub(self.heard) >= SILENCE;
        self.records > 0 && (silent || self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::topic::Topic;

    const AT: TopicPartition = TopicPartition { topic: Topic::CustomerActions, partition: 3 };
    const OTHER: TopicPartition = TopicPartition { topic: Topic::CustomerActions, partition: 4 };

    fn pulse() -> (Pulse, impl Fn(u64)) {
        let clock = Clock::manual(schemas::time::Timestamp(0));
        let hand = clock.clone();
        (Pulse::new(clock), move |ms| hand.advance(Duration::from_millis(ms)))
    }

    fn asked(pulse: &Pulse, at: TopicPartition) -> bool {
        pulse.asked_but_silent([at].into_iter()).is_empty()
    }

    #[test]
    fn a_partition_is_silent_when_nothing_that_waits_was_heard_of_for_two_seconds() {
        let (pulse, pass) = pulse();
        pass(60_000);
        assert!(asked(&pulse, AT), "nothing waits");
        pass(1_999);
        assert!(asked(&pulse, AT));
        pass(1);
        assert!(!asked(&pulse, AT) && asked(&pulse, OTHER));
        let silent = pulse.asked_but_silent([OTHER, AT, OTHER].into_iter());
        assert_eq!(silent, HashSet::from([AT]));
        pulse.answered(AT, true);
        assert!(asked(&pulse, AT), "the other one is on its way, and something was heard");
        for at in [AT, AT, OTHER, OTHER, OTHER] {
            pulse.answered(at, true);
        }
        pass(2_000);
        assert!(asked(&pulse, AT) && asked(&pulse, OTHER), "what was refused is not on its way");
    }

    #[test]
    fn after_one_was_given_up_one_is_tried_at_a_time() {
        let (pulse, pass) = pulse();
        pulse.asked([AT, AT].into_iter());
        pass(10_000);
        pulse.answered(AT, false);
        assert!(!asked(&pulse, AT), "one is still on its way");
        pulse.answered(AT, false);
        assert!(asked(&pulse, AT), "somebody must try");
        assert!(!asked(&pulse, AT));
        pulse.answered(AT, true);
        assert!(asked(&pulse, AT) && asked(&pulse, AT));
    }
}
