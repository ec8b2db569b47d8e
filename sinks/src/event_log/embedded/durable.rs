//! What of the journal is durable: each partition's end, each segment's, and where to begin reading.
//!
//! Grows only, block by block, and only behind a sync. The index holds about one entry per
//! partition and [`INDEX_STEP`] of journal, so that its size follows the journal's, not its records'.

use super::block::Span;
use schemas::topic::{PARTITIONS, Topic, TopicPartition};

/// Places for all partitions of all topics, by number.
pub(super) const SLOTS: usize = (Topic::ALL.len() + 1) * PARTITIONS as usize;
/// Bytes of journal between two index entries of a partition: what a late reader reads in vain.
const INDEX_STEP: u64 = 1 << 20;

/// A partition's place in lists of [`SLOTS`].
pub(super) fn slot(partition: TopicPartition) -> usize {
    let TopicPartition { topic, partition } = partition;
    assert!(partition < topic.partitions(), "{topic} has no partition {partition}");
    topic as usize * usize::from(PARTITIONS) + usize::from(partition)
}

/// A place in the journal where a block begins or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which segment, from 0.
    pub(super) segment: usize,
    /// Byte in it.
    pub(super) byte: u64,
}

/// Where a block lies that has records of a partition from this offset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landmark {
    /// The first of them.
    pub(super) offset: u64,
    /// The block's.
    pub(super) place: Place,
    /// Bytes of all blocks before it.
    pub(super) journal_bytes: u64,
}

/// What is durable.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct Durable {
    ends: [u64; SLOTS],
    segments: Vec<u64>,
    journal_bytes: u64,
    landmarks: Vec<Vec<Landmark>>,
}

impl Durable {
    /// A journal of one segment with nothing in it.
    pub(super) fn empty() -> Self {
        Self {
            ends: [0; SLOTS],
            segments: vec![0],
            journal_bytes: 0,
            landmarks: std::iter::repeat_with(Vec::new).take(SLOTS).collect(),
        }
    }

    /// Every partition's end, by [`slot`].
    pub(super) const fn ends(&self) -> &[u64; SLOTS] {
        &self.ends
    }

    /// Bytes of all blocks.
    pub(super) const fn journal_bytes(&self) -> u64 {
        self.journal_bytes
    }

    /// Where the next block goes unless a new segment begins.
    pub(super) fn end(&self) -> Place {
        let segment = self.segments.len() - 1;
        Place { segment, byte: self.segments[segment] }
    }

    /// From here on blocks go to a new segment.
    pub(super) fn begin_segment(&mut self) {
        self.segments.push(0);
    }

    /// A block of `bytes` bytes with these records is durable at the end.
    pub(super) fn extend(&mut self, spans: &[Span], bytes: u64) {
        let place = self.end();
        for span in spans {
            let slot = slot(span.partition);
            let landmarks = &mut self.landmarks[slot];
            if landmarks.last().is_none_or(|l| self.journal_bytes - l.journal_bytes >= INDEX_STEP) {
                landmarks.push(Landmark {
                    offset: span.first_offset,
                    place,
                    journal_bytes: self.journal_bytes,
                });
            }
            self.ends[slot] = span.first_offset + u64::from(span.records);
        }
        self.journal_bytes += bytes;
        self.segments[place.segment] += bytes;
    }

    /// The landmarks in a segment, each with its partition's slot.
    pub(super) fn landmarks_of(&self, segment: usize) -> Vec<(usize, Landmark)> {
        let mut found = Vec::new();
        for (slot, landmarks) in self.landmarks.iter().enumerate() {
            let first = landmarks.partition_point(|landmark| landmark.place.segment < segment);
            found.extend(landmarks[first..].iter().map(|landmark| (slot, *landmark)));
        }
        found
    }

    /// All blocks of the segment at the end are durable: so many bytes, with these landmarks, and
    /// partitions end here behind them.
    pub(super) fn take_segment(
        &mut self,
        bytes: u64,
        ends: &[u64; SLOTS],
        landmarks: Vec<(usize, Landmark)>,
    ) {
        let Place { segment, .. } = self.end();
        for (slot, landmark) in landmarks {
            self.landmarks[slot].push(landmark);
        }
        self.ends = *ends;
        self.journal_bytes += bytes;
        self.segments[segment] += bytes;
    }

    /// The block at `place`, or at the start of the next segment if that one is read to its end;
    /// `None` at the journal's end.
    pub(super) fn block_at(&self, mut place: Place) -> Option<Place> {
        while place.byte >= *self.segments.get(place.segment)? {
            place = Place { segment: place.segment + 1, byte: 0 };
        }
        Some(place)
    }

    /// A place before which this partition has nothing from `offset` on.
    pub(super) fn place_of(&self, partition: TopicPartition, offset: u64) -> Place {
        let slot = slot(partition);
        if offset >= self.ends[slot] {
            return self.end();
        }
        let landmarks = &self.landmarks[slot];
        let behind = landmarks.partition_point(|l| l.offset <= offset);
        landmarks[behind - 1].place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that starts late reads at most one step of the journal in vain, and the index does
    /// not grow with the blocks.
    #[test]
    fn late_readers_begin_near_their_start() {
        const BLOCK: u64 = 1000;
        let busy = TopicPartition { topic: Topic::Orders, partition: 7 };
        let rare = TopicPartition { topic: Topic::Epochs, partition: 0 };
        let mut durable = Durable::empty();
        let mut places = Vec::new();
        for n in 0..10_000 {
            if durable.end().byte >= 4 << 20 {
                durable.begin_segment();
            }
            places.push((n * BLOCK, durable.end()));
            let mut spans = vec![Span { partition: busy, first_offset: 2 * n, records: 2 }];
            if n == 6000 {
                spans.push(Span { partition: rare, first_offset: 0, records: 1 });
            }
            durable.extend(&spans, BLOCK);
        }
        for n in 0..10_000 {
            for offset in [2 * n, 2 * n + 1] {
                let found = durable.place_of(busy, offset);
                let (from, _) = places[places.partition_point(|(_, place)| *place < found)];
                assert!((n * BLOCK).checked_sub(from).unwrap() <= INDEX_STEP);
            }
        }
        assert_eq!(durable.place_of(rare, 0), places[6000].1);
        for at_end in [(busy, 20_000), (rare, 1), (rare, 9)] {
            assert_eq!(durable.place_of(at_end.0, at_end.1), durable.end());
        }
        let landmarks: usize = durable.landmarks.iter().map(Vec::len).sum();
        assert!(landmarks <= 11, "{landmarks}");
    }
}
