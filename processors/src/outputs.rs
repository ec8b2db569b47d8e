//! An epoch's outputs as records, with their ids: (epoch, n) within the partition, where n counts
//! in canonical order: operator, key, n-th of that key; dead letters last, by the place of what
//! they are about.
//!
//! Keys and values of an epoch lie behind each other in one piece of memory that its records share.

use crate::epoch::{Dead, Finished, OPERATORS};
use crate::hub::Hub;
use crate::known_outputs::Tails;
use crate::shards::Decided;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{NewRecord, OutputId};
use std::collections::HashMap;
use std::ops::Range;

/// What a record is likely to take, key and value.
const RECORD_BYTES: usize = 192;

/// The epoch's records that are not on the log yet.
#[must_use]
pub fn encode(codec: &Codec, finished: &Finished, tails: &Tails) -> Vec<NewRecord> {
    let mut outputs = Outputs {
        codec,
        epoch: finished.info.context.epoch,
        now: finished.info.context.now,
        tails,
        counts: HashMap::new(),
        bytes: Vec::with_capacity(crate::epoch::weight(&finished.events) * RECORD_BYTES),
        records: Vec::new(),
    };
    for operator in 0..OPERATORS {
        let parts = finished.events.iter().flat_map(|part| &part[operator]);
        let mut events: Vec<&Decided> = parts.collect();
        // Stable: one key's events stay in the order in which they were decided.
        events.sort_by_key(|decided| decided.key);
        events.into_iter().for_each(|decided| outputs.decided(decided));
    }
    let mut dead: Vec<_> = finished.dead.iter().collect();
    dead.sort_by_key(|letter| letter.cause);
    dead.into_iter().for_each(|letter| outputs.dead(letter));
    outputs.records()
}

/// An epoch's records, numbered within their partitions as they come.
struct Outputs<'a> {
    codec: &'a Codec,
    epoch: u64,
    now: Timestamp,
    tails: &'a Tails,
    counts: HashMap<TopicPartition, u32>,
    /// Each record's key, then its value.
    bytes: Vec<u8>,
    records: Vec<Encoded>,
}

struct Encoded {
    partition: TopicPartition,
    id: OutputId,
    key: Range<usize>,
    value: Range<usize>,
}

impl Outputs<'_> {
    fn decided(&mut self, decided: &Decided) {
        let event = &decided.event;
        let Some((at, id)) = self.number(event.kind().topic(), decided.group) else { return };
        let began = self.bytes.len();
        let bytes = &mut self.bytes;
        let mut push = |text: &str| bytes.extend_from_slice(text.as_bytes());
        if let Event::PaymentRequested(request) = event {
            request.payment_id.with_text(&mut push);
        } else {
            decided.key.with_text(&mut push);
        }
        let [hi, lo] = decided.correlation;
        let envelope = Envelope {
            event_id: decided.event_id(self.epoch),
            occurred_at: self.now,
            role: Role::Engine,
            subject: None,
            causation_id: decided.cause_id,
            correlation_id: EventId((u128::from(hi) << 64 | u128::from(lo)).to_be_bytes()),
        };
        self.push(at, id, began, &envelope, event);
    }

    fn dead(&mut self, Dead { cause, id: letter, event }: &Dead) {
        let partition = cause.position().map_or(0, |(at, _)| at.partition);
        let Some((at, id)) = self.number(Topic::DeadLetters, partition) else { return };
        let envelope = Envelope {
            event_id: *letter,
            occurred_at: self.now,
            role: Role::Engine,
            subject: None,
            causation_id: *letter,
            correlation_id: *letter,
        };
        self.push(at, id, self.bytes.len(), &envelope, event);
    }

    /// The place and id of the next output of this topic and group; none if it is out already.
    fn number(&mut self, topic: Topic, group: u16) -> Option<(TopicPartition, OutputId)> {
        let at = TopicPartition::of_group(topic, group);
        let n = self.counts.entry(at).or_default();
        let id = OutputId { epoch: self.epoch, n: *n };
        *n += 1;
        self.tails.get(&at).is_none_or(|tail| id > *tail).then_some((at, id))
    }

    /// Adds the record whose key was written from `began` on.
    fn push(
        &mut self,
        partition: TopicPartition,
        id: OutputId,
        began: usize,
        envelope: &Envelope,
        event: &Event,
    ) {
        let mid = self.bytes.len();
        self.codec.encode(envelope, event, &mut self.bytes);
        let (key, value) = (began..mid, mid..self.bytes.len());
        self.records.push(Encoded { partition, id, key, value });
    }

    fn records(self) -> Vec<NewRecord> {
        let bytes = Bytes::from(self.bytes);
        let record = |encoded: Encoded| NewRecord {
            partition: encoded.partition,
            key: bytes.slice(encoded.key),
            value: bytes.slice(encoded.value),
            output_id: Some(encoded.id),
        };
        self.records.into_iter().map(record).collect()
    }
}

/// Empties an epoch's vectors without the lock, and gives them back.
pub(crate) fn recycle(hub: &Hub, mut finished: Finished) {
    finished.events.iter_mut().flatten().for_each(Vec::clear);
    hub.lock().recycle(finished.events);
}
