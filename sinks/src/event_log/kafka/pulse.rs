//! Which partitions answer: whether anything was heard of one since records wait for it.
//!
//! A partition is silent when records are under way to it and its broker has answered none for
//! [`SILENCE`], or none since one was given up: so in an outage one is tried at a time. What is
//! under way tells of the broker's return by being delivered.

use crate::clock::Clock;
use schemas::topic::TopicPartition;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
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

    /// A record is on its way.
    pub(super) fn asked(&self, at: TopicPartition) {
        self.with(at, |waiting, now| {
            if waiting.records == 0 {
                waiting.heard = now;
            }
            waiting.records += 1;
        });
    }

    /// A record is no more under way; whether its broker was heard of it.
    pub(super) fn answered(&self, at: TopicPartition, heard: bool) {
        self.with(at, |waiting, now| {
            waiting.records = waiting.records.saturating_sub(1);
            waiting.failed = !heard;
            if heard {
                waiting.heard = now;
            }
        });
    }

    /// Whether nothing more should be sent there for now.
    pub(super) fn is_silent(&self, at: TopicPartition) -> bool {
        self.with(at, |waiting, now| {
            let silent = now.saturating_sub(waiting.heard) >= SILENCE;
            waiting.records > 0 && (silent || waiting.failed)
        })
    }

    fn with<T>(&self, at: TopicPartition, act: impl FnOnce(&mut Waiting, Duration) -> T) -> T {
        let now = self.clock.elapsed();
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        act(partitions.entry(at).or_default(), now)
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

    #[test]
    fn a_partition_is_silent_when_nothing_that_waits_was_heard_of_for_two_seconds() {
        let (pulse, pass) = pulse();
        pass(60_000);
        assert!(!pulse.is_silent(AT), "nothing waits");
        pulse.asked(AT);
        pass(1_999);
        assert!(!pulse.is_silent(AT));
        pulse.asked(AT);
        pass(1);
        assert!(pulse.is_silent(AT) && !pulse.is_silent(OTHER));
        pulse.answered(AT, true);
        assert!(!pulse.is_silent(AT), "the other one is on its way, and something was heard");
    }

    #[test]
    fn after_one_was_given_up_one_is_tried_at_a_time() {
        let (pulse, pass) = pulse();
        pulse.asked(AT);
        pulse.asked(AT);
        pass(10_000);
        pulse.answered(AT, false);
        assert!(pulse.is_silent(AT), "one is still on its way");
        pulse.answered(AT, false);
        assert!(!pulse.is_silent(AT), "somebody must try");
        pulse.asked(AT);
        assert!(pulse.is_silent(AT));
        pulse.answered(AT, true);
        pulse.asked(AT);
        assert!(!pulse.is_silent(AT));
    }
}
