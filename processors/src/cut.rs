//! Which records the next plan takes: the cut, and the time below which nothing is unplanned.
//!
//! The cut is causal. What customers' partitions have reached is fixed first; then the ends of the
//! products' and warehouses' partitions are asked for and reached. So an action on a product that
//! was acknowledged before a checkout was sent is planned no later than the checkout. Where the
//! budget is short, records enter by append time, warehouses' and products' first at a tie.

use crate::epoch::{Input, Partition};
use schemas::events::epochs::{Cut, Held};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What one epoch may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Records.
    pub records: usize,
    /// Order lines.
    pub lines: usize,
    /// Bytes of values.
    pub bytes: usize,
    /// Append time from its first record to its last, in milliseconds.
    pub span_ms: i64,
}

/// Bounds what one epoch makes the engine hold at once, and how long it takes.
pub const BUDGET: Budget =
    Budget { records: 10_000, lines: 50_000, bytes: 16 << 20, span_ms: 1_000 };

/// A cut and its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The partitions that move.
    pub cut: Vec<Cut>,
    /// The least append time of a record in no earlier plan; for a partition that is read to its
    /// end, the clock when that end was asked for.
    pub bound_ms: Timestamp,
    /// Partitions left out of the bound: all that they have before a record that cannot be read
    /// yet is planned. Nothing else waits for them.
    pub held: Vec<Held>,
}

/// What the log was asked before a cut is made.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The offset below which each partition may be cut: its reader has reached it.
    pub limits: &'a [u64],
    /// Each partition's end.
    pub ends: &'a [u64],
    /// The clock when the ends were asked for.
    pub at: Timestamp,
    /// `now` of the last plan: time does not go on beyond a partition of which nothing is read.
    pub now: Option<Timestamp>,
}

/// Selects from `inputs`, which are by [`TopicPartition::inputs`].
///
/// A partition all of whose records are taken is cut at its limit: offsets may have gaps, also
/// before an end.
#[must_use]
pub fn select(inputs: &[Partition], asked: Asked<'_>, budget: Budget) -> Selection {
    let partitions: Vec<_> = TopicPartition::inputs().collect();
    let ends = ends(inputs, asked.limits, &partitions, budget);
    let bounds = inputs.iter().zip(asked.ends).filter_map(|(input, end)| bound(input, *end, asked));
    let moved =
        |at: &TopicPartition, end| Cut { topic: at.topic as u8, partition: at.partition, end };
    let by_partition = || partitions.iter().zip(inputs);
    Selection {
        cut: by_partition()
            .zip(ends)
            .filter(|((_, input), end)| *end > input.planned)
            .map(|((at, _), end)| moved(at, end))
            .collect(),
        bound_ms: bounds.min().unwrap_or(asked.at),
        held: by_partition()
            .filter(|(_, input)| input.held.is_some() && input.waiting.is_empty())
            .map(|(at, _)| Held { topic: at.topic as u8, partition: at.partition })
            .collect(),
    }
}

/// Nothing of this partition that is in no earlier plan is older; none: it does not count.
fn bound(input: &Partition, end: u64, asked: Asked<'_>) -> Option<Timestamp> {
    if let Some(first) = input.waiting.front() {
        Some(first.appended_at)
    } else if input.held.is_some() {
        None
    } else if input.reached >= end {
        Some(asked.at)
    } else {
        input.read_at.or(asked.now)
    }
}

/// Up to where each partition is cut.
fn ends(
    inputs: &[Partition],
    limits: &[u64],
    partitions: &[TopicPartition],
    budget: Budget,
) -> Vec<u64> {
    let mut ends: Vec<u64> = inputs.iter().map(|partition| partition.planned).collect();
    let mut taken = vec![0usize; inputs.len()];
    let head =
        |index: usize, taken: &[usize]| -> Option<Reverse<(Timestamp, Reverse<Topic>, usize)>> {
            let input = inputs[index].waiting.get(taken[index])?;
            let place = (input.appended_at, Reverse(partitions[index].topic), index);
            (input.offset < limits[index]).then_some(Reverse(place))
        };
    let mut heads: BinaryHeap<_> =
        (0..inputs.len()).filter_map(|index| head(index, &taken)).collect();
    let first = heads.peek().map(|Reverse((at, _, _))| *at);
    let mut left = budget;
    while let Some(Reverse((at, _, index))) = heads.pop() {
        let input: &Input = &inputs[index].waiting[taken[index]];
        let late = first.is_some_and(|first| at.0 - first.0 > budget.span_ms);
        let fits = left.records > 0 && left.lines >= input.lines && left.bytes >= input.bytes;
        let none_yet = left.records == budget.records;
        if !none_yet && (late || !fits) {
            break;
        }
        left.records -= 1;
        left.lines = left.lines.saturating_sub(input.lines);
        left.bytes = left.bytes.saturating_sub(input.bytes);
        ends[index] = input.offset + 1;
        taken[index] += 1;
        heads.extend(head(index, &taken));
    }
    for (index, input) in inputs.iter().enumerate() {
        let next = input.waiting.get(taken[index]);
        if next.is_none_or(|next| next.offset >= limits[index]) {
            ends[index] = ends[index].max(limits[index]);
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::{Action, Dead};
    use machines::message::Cause;
    use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
    use schemas::id::EventId;

    const NOW: Timestamp = Timestamp(1_000);
    const CUSTOMERS_0: usize = 0;
    const PRODUCTS_0: usize = 16;

    fn record(offset: u64, at: i64) -> Input {
        let partition = TopicPartition { topic: Topic::CustomerActions, partition: 0 };
        let (appended_at, id) = (Timestamp(at), EventId([0; 16]));
        let letter = DeadLetter {
            topic: partition.topic as u8,
            partition: partition.partition,
            offset,
            appended_at,
            cause: DeadLetterCause::Skipped,
            detail: String::new(),
        };
        let cause = Cause::record(appended_at, partition, offset);
        let action = Action::Dead(Box::new(Dead { cause, id, event: letter.into() }));
        Input { offset, appended_at, bytes: 1, lines: 1, action }
    }

    /// All partitions empty and read to their end at 0, but for these.
    fn inputs(of: impl IntoIterator<Item = (usize, Partition)>) -> Vec<Partition> {
        let mut inputs: Vec<_> = TopicPartition::inputs().map(|_| Partition::default()).collect();
        for (index, partition) in of {
            inputs[index] = partition;
        }
        inputs
    }

    fn read(records: Vec<Input>, reached: u64) -> Partition {
        let read_at = records.last().map(|last| last.appended_at);
        Partition { waiting: records.into(), reached, read_at, ..Partition::default() }
    }

    /// Selects when the limits are what is reached; `ends` beyond that are those of partitions that
    /// are behind.
    fn selected(inputs: &[Partition], behind: &[(usize, u64)], budget: Budget) -> Selection {
        let limits: Vec<_> = inputs.iter().map(|input| input.reached).collect();
        let mut ends = limits.clone();
        for (index, end) in behind {
            ends[*index] = *end;
        }
        let asked = Asked { limits: &limits, ends: &ends, at: NOW, now: Some(Timestamp(1)) };
        select(inputs, asked, budget)
    }

    fn cut(index: usize, end: u64) -> Cut {
        let at = TopicPartition::inputs().nth(index).unwrap();
        Cut { topic: at.topic as u8, partition: at.partition, end }
    }

    #[test]
    fn a_cut_reaches_an_end_before_which_no_record_stands() {
        let gap_behind = read(vec![record(4, 10)], 7);
        let gap_alone = read(Vec::new(), 3);
        let inputs = inputs([(CUSTOMERS_0, gap_behind), (PRODUCTS_0, gap_alone)]);
        let all = selected(&inputs, &[], BUDGET);
        assert_eq!(all.cut, [cut(CUSTOMERS_0, 7), cut(PRODUCTS_0, 3)]);
        // A record that must wait is not cut over.
        let one = Budget { records: 1, ..BUDGET };
        let two = read(vec![record(4, 10), record(6, 10)], 9);
        let inputs = self::inputs([(CUSTOMERS_0, two)]);
        assert_eq!(selected(&inputs, &[], one).cut, [cut(CUSTOMERS_0, 5)]);
    }

    #[test]
    fn nothing_is_cut_at_or_above_its_limit() {
        let partition = read(vec![record(0, 10), record(5, 10)], 6);
        let inputs = inputs([(CUSTOMERS_0, partition)]);
        let mut limits: Vec<_> = inputs.iter().map(|input| input.reached).collect();
        limits[CUSTOMERS_0] = 3;
        let asked = Asked { limits: &limits, ends: &limits, at: NOW, now: None };
        assert_eq!(select(&inputs, asked, BUDGET).cut, [cut(CUSTOMERS_0, 3)]);
    }

    #[test]
    fn time_stops_at_what_is_not_planned_but_for_what_is_held() {
        let bound = |partition: Partition, behind: &[(usize, u64)]| {
            let all = selected(&inputs([(PRODUCTS_0, partition)]), behind, BUDGET);
            (all.bound_ms, all.held.len())
        };
        assert_eq!(bound(read(Vec::new(), 3), &[]), (NOW, 0));
        assert_eq!(bound(read(vec![record(0, 10)], 1), &[]), (Timestamp(10), 0));
        // What is behind the last record read is not older than it; of the unread nothing is known.
        let unread = Partition { read_at: Some(Timestamp(20)), ..read(Vec::new(), 3) };
        assert_eq!(bound(unread, &[(PRODUCTS_0, 9)]), (Timestamp(20), 0));
        assert_eq!(bound(read(Vec::new(), 0), &[(PRODUCTS_0, 9)]), (Timestamp(1), 0));
        let held = |records| Partition { held: Some(7), ..read(records, 3) };
        assert_eq!(bound(held(Vec::new()), &[(PRODUCTS_0, 9)]), (NOW, 1));
        let before = vec![record(2, 10)];
        assert_eq!(bound(held(before), &[(PRODUCTS_0, 9)]), (Timestamp(10), 0));
    }
}
