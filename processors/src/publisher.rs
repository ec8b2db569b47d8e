//! The publisher: one thread that gives outputs their ids and appends them, epoch by epoch.
//!
//! An output's id is (epoch, n) within its partition; n counts in canonical order: operator, key,
//! n-th of that key. While a replay is at or behind a partition's tail, nothing is written there
//! again. An append that fails ends the engine, which starts anew from the log.

use crate::epoch::{Finished, weight};
use crate::hub::Hub;
use crate::shards::Decided;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::Event;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{AppendError, Appending, EventLog, NewRecord, OutputId, ReadError};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

const READ_BYTES: usize = 4 << 20;
/// Epochs whose appends may be in flight together.
const IN_FLIGHT_MAX: usize = 8;

/// The last output id of each output partition.
pub type Tails = HashMap<TopicPartition, OutputId>;

/// Reads the output partitions for their last ids.
///
/// # Errors
/// The log cannot be read.
pub fn tails(log: &dyn EventLog) -> Result<Tails, ReadError> {
    let from: Vec<_> =
        Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0)).collect();
    let mut reader = log.reader(&from)?;
    let (mut tails, mut records) = (Tails::new(), Vec::new());
    loop {
        reader.read(READ_BYTES, &mut records)?;
        if records.is_empty() {
            return Ok(tails);
        }
        for record in records.drain(..) {
            if let Some(id) = record.output_id {
                let tail = tails.entry(record.partition).or_insert(id);
                *tail = id.max(*tail);
            }
        }
    }
}

/// Publishes until the hub fails, or stops and nothing is left.
///
/// # Errors
/// An append failed.
pub fn run(
    hub: &Arc<Hub>,
    log: &Arc<dyn EventLog>,
    codec: &Codec,
    tails: &Tails,
) -> Result<(), AppendError> {
    let mut in_flight: VecDeque<(u64, usize, Appending)> = VecDeque::new();
    loop {
        let finished = {
            let mut state = hub.lock();
            loop {
                if state.failed() {
                    return Ok(());
                }
                let room = in_flight.len() < IN_FLIGHT_MAX;
                let next = if room { state.to_publish.pop_front() } else { None };
                if next.is_some() || !in_flight.is_empty() {
                    break next;
                }
                if state.stopping && state.worker_done() {
                    return Ok(());
                }
                state = hub.wait(state);
            }
        };
        if let Some(finished) = finished {
            let (epoch, events) = (finished.info.context.epoch, weight(&finished.events));
            let records = encode(codec, finished, tails);
            let appending =
                if records.is_empty() { Appending::ready(Vec::new()) } else { log.append(records) };
            in_flight.push_back((epoch, events, appending));
            continue;
        }
        if let Some((epoch, events, appending)) = in_flight.pop_front() {
            for answer in appending.wait() {
                answer?;
            }
            hub.lock().set_published(epoch, events);
            hub.notify();
        }
    }
}

/// The epoch's records that are not on the log yet, with their ids.
pub fn encode(codec: &Codec, finished: Finished, tails: &Tails) -> Vec<NewRecord> {
    let context = finished.info.context;
    let [customers, products]: [Vec<_>; 2] = {
        let mut by_operator = [Vec::new(), Vec::new()];
        for part in finished.events {
            for (all, part) in by_operator.iter_mut().zip(part) {
                all.extend(part);
            }
        }
        by_operator
    };
    let mut records = Vec::with_capacity(customers.len() + products.len());
    let mut counts: HashMap<TopicPartition, u32> = HashMap::new();
    let mut dead = finished.dead;
    dead.sort_by_key(|letter| letter.cause);
    for mut events in [customers, products, dead] {
        // Stable: one key's events stay in the order in which they were decided.
        events.sort_by_key(|decided| decided.key);
        for decided in events {
            let at = TopicPartition::of_group(decided.event.kind().topic(), decided.group);
            let n = counts.entry(at).or_default();
            let id = OutputId { epoch: context.epoch, n: *n };
            *n += 1;
            if tails.get(&at).is_none_or(|tail| id > *tail) {
                records.push(record(codec, context.now, at, id, &decided));
            }
        }
    }
    records
}

fn record(
    codec: &Codec,
    now: Timestamp,
    partition: TopicPartition,
    id: OutputId,
    decided: &Decided,
) -> NewRecord {
    let envelope = Envelope {
        event_id: decided.event_id,
        occurred_at: now,
        role: Role::Engine,
        subject: None,
        causation_id: decided.cause_id,
        correlation_id: decided.correlation_id,
    };
    let mut value = Vec::with_capacity(192);
    codec.encode(&envelope, &decided.event, &mut value);
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let key = if let Event::PaymentRequested(request) = &decided.event {
        request.payment_id.with_text(text)
    } else {
        decided.key.with_text(text)
    };
    NewRecord { partition, key, value: value.into(), output_id: Some(id) }
}
