//! What a reader has fetched and not handed out.
//!
//! Brokers send partitions as they like: one may be a million records ahead of another. Who works
//! on several needs them in step, so what was there when the reader was opened is handed out in
//! the order of append times: while a partition is behind its end of that moment and has nothing
//! here, all wait for it, and those that are far ahead of it are paused. What comes later is handed
//! out as it comes.

use crate::event_log::Record;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Records of one partition that wait here before it is paused.
const AHEAD_MAX: usize = 4_096;
/// And how few before it goes on.
const AHEAD_LOW: usize = AHEAD_MAX / 8;

/// The partitions of a reader.
pub(super) struct Fetched {
    partitions: BTreeMap<TopicPartition, Place>,
    /// The first record of each partition that has any, by append time.
    heads: BinaryHeap<Reverse<(Timestamp, TopicPartition)>>,
    /// Partitions that have nothing here and are not at their first ends.
    behind: usize,
}

/// One of them.
struct Place {
    /// The offset that is fetched next.
    next: u64,
    /// Its end when the reader was opened.
    first_end: u64,
    waiting: VecDeque<Record>,
    paused: bool,
    /// Where it was short of its end and idle when it was last looked at.
    stuck_at: Option<u64>,
}

impl Place {
    fn is_behind(&self) -> bool {
        self.waiting.is_empty() && self.next < self.first_end
    }
}

/// What the client is to do.
#[derive(Clone, Copy)]
pub(super) enum Flow {
    /// Fetch no more of this partition.
    Pause(TopicPartition),
    /// Go on with it.
    Resume(TopicPartition),
}

impl Fetched {
    /// Nothing yet: of each partition its first offset and its end, in the same order.
    pub(super) fn from(from: &[(TopicPartition, u64)], ends: &[u64]) -> Self {
        let place = |((at, next), first_end): (&(TopicPartition, u64), &u64)| {
            let (next, first_end) = (*next, *first_end);
            let waiting = VecDeque::new();
            (*at, Place { next, first_end, waiting, paused: false, stuck_at: None })
        };
        let partitions: BTreeMap<_, _> = from.iter().zip(ends).map(place).collect();
        let behind = partitions.values().filter(|place| place.is_behind()).count();
        Self { partitions, heads: BinaryHeap::new(), behind }
    }

    /// All partitions, in the order that [`Self::stuck`] and [`Self::are_at`] take ends in.
    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.partitions.keys().copied().collect()
    }

    /// Takes in a record.
    pub(super) fn put(&mut self, record: Record) -> Option<Flow> {
        let at = record.partition;
        let place = self.partitions.get_mut(&at)?;
        if place.waiting.is_empty() {
            self.behind -= usize::from(place.is_behind());
            self.heads.push(Reverse((record.appended_at, at)));
        }
        place.next = record.offset + 1;
        place.waiting.push_back(record);
        let pause = !place.paused && place.waiting.len() >= AHEAD_MAX;
        place.paused |= pause;
        pause.then_some(Flow::Pause(at))
    }

    /// Whether a record can be handed out.
    pub(super) fn has_next(&self) -> bool {
        self.behind == 0 && !self.heads.is_empty()
    }

    /// Whether something that was there at the opening is still to come.
    pub(super) const fn is_behind(&self) -> bool {
        self.behind > 0
    }

    /// The next record to hand out, unless one that may be older is still to come.
    pub(super) fn take(&mut self) -> Option<(Record, Option<Flow>)> {
        if self.behind > 0 {
            return None;
        }
        let Reverse((_, at)) = self.heads.pop()?;
        let place = self.partitions.get_mut(&at)?;
        let record = place.waiting.pop_front()?;
        match place.waiting.front() {
            Some(next) => self.heads.push(Reverse((next.appended_at, at))),
            None => self.behind += usize::from(place.is_behind()),
        }
        let resume = place.paused && place.waiting.len() <= AHEAD_LOW;
        place.paused &= !resume;
        Some((record, resume.then_some(Flow::Resume(at))))
    }

    /// Everything of this partition below this offset was handed out or does not exist.
    pub(super) fn position(&self, at: TopicPartition) -> u64 {
        let first = |place: &Place| place.waiting.front().map_or(place.next, |r| r.offset);
        self.partitions.get(&at).map_or(0, first)
    }

    /// The offset that is fetched next.
    pub(super) fn next(&self, at: TopicPartition) -> u64 {
        self.partitions.get(&at).map_or(0, |place| place.next)
    }

    /// Partitions that are short of these ends and were so, at the same place, at the last look:
    /// with the place and the end.
    pub(super) fn stuck(&mut self, ends: &[u64]) -> Vec<(TopicPartition, u64, u64)> {
        let mut stuck = Vec::new();
        for ((at, place), end) in self.partitions.iter_mut().zip(ends) {
            let short = place.next < *end && !place.paused;
            if short && place.stuck_at == Some(place.next) {
                stuck.push((*at, place.next, *end));
            }
            place.stuck_at = short.then_some(place.next);
        }
        stuck
    }

    /// Nothing is between what was fetched of this partition and this end.
    pub(super) fn pass(&mut self, at: TopicPartition, end: u64) {
        if let Some(place) = self.partitions.get_mut(&at) {
            self.behind -= usize::from(place.is_behind());
            place.next = end;
            self.behind += usize::from(place.is_behind());
        }
    }

    /// Whether all have been fetched up to these ends.
    pub(super) fn are_at(&self, ends: &[u64]) -> bool {
        self.partitions.values().zip(ends).all(|(place, end)| place.next >= *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schemas::topic::Topic;

    const A: TopicPartition = TopicPartition { topic: Topic::Orders, partition: 0 };
    const B: TopicPartition = TopicPartition { topic: Topic::Orders, partition: 1 };

    fn record(partition: TopicPartition, offset: u64, ms: i64) -> Record {
        let (key, value) = (Bytes::new(), Bytes::new());
        let appended_at = Timestamp(ms);
        Record { partition, offset, appended_at, key, value, output_id: None }
    }

    fn taken(fetched: &mut Fetched) -> Vec<(TopicPartition, u64)> {
        std::iter::from_fn(|| fetched.take())
            .map(|(record, _)| (record.partition, record.offset))
            .collect()
    }

    #[test]
    fn what_was_there_is_handed_out_by_append_time_and_the_rest_as_it_comes() {
        let mut fetched = Fetched::from(&[(A, 0), (B, 5)], &[3, 7]);
        for (offset, ms) in [(0, 10), (1, 30), (2, 50), (3, 70)] {
            fetched.put(record(A, offset, ms));
        }
        assert!(fetched.is_behind() && !fetched.has_next());
        assert_eq!(taken(&mut fetched), [], "B may have something older");
        fetched.put(record(B, 5, 20));
        assert_eq!(taken(&mut fetched), [(A, 0), (B, 5)]);
        assert_eq!((fetched.position(A), fetched.position(B)), (1, 6));
        fetched.put(record(B, 6, 60));
        assert_eq!(taken(&mut fetched), [(A, 1), (A, 2), (B, 6), (A, 3)]);
        assert!(!fetched.is_behind());
        fetched.put(record(B, 7, 80));
        assert_eq!(taken(&mut fetched), [(B, 7)], "nobody waits for A any more");
    }

    #[test]
    fn a_gap_at_an_end_is_passed_once_it_is_known_to_be_one() {
        let mut fetched = Fetched::from(&[(A, 0), (B, 0)], &[1, 4]);
        fetched.put(record(A, 0, 10));
        assert_eq!(fetched.stuck(&[1, 4]), []);
        assert_eq!(fetched.stuck(&[1, 4]), [(B, 0, 4)]);
        fetched.pass(B, 4);
        assert_eq!(taken(&mut fetched), [(A, 0)]);
        assert_eq!((fetched.position(A), fetched.position(B)), (1, 4));
        assert!(fetched.are_at(&[1, 4]) && !fetched.are_at(&[1, 5]));
    }

    #[test]
    fn a_partition_far_ahead_is_paused_until_the_others_have_come() {
        let mut fetched = Fetched::from(&[(A, 0), (B, 0)], &[100_000, 100_000]);
        let pauses = (0..)
            .find(|offset| matches!(fetched.put(record(A, *offset, 10)), Some(Flow::Pause(A))));
        assert_eq!(pauses, Some(AHEAD_MAX as u64 - 1));
        fetched.put(record(B, 0, 20));
        let mut resumed_at = None;
        while let Some((record, flow)) = fetched.take() {
            if matches!(flow, Some(Flow::Resume(A))) {
                resumed_at = Some(record.offset + 1);
            }
        }
        assert_eq!(resumed_at, Some((AHEAD_MAX - AHEAD_LOW) as u64));
        assert!(fetched.is_behind());
    }
}
