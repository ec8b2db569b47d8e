//! The input reader: one thread that reads all input partitions, decodes, and lays the records
//! out for the plans.
//!
//! A record that can never be used (not decodable, on a wrong topic or partition, out of the
//! contract's ranges) becomes a dead letter in the epoch that plans it: what a plan cuts is always
//! consumed. Append times are clamped so that they never fall within a partition.
//!
//! Of a record whose schema is not known nothing can be said, whatever the registry's mood: it
//! *holds* its partition. That is read no further, so nothing piles up behind it, and all others
//! go on. It is read on from there as soon as the schema is learned, or an operator's word sets
//! the record aside.

use crate::epoch::{Action, Dead, Input};
use crate::hub::{Hub, INPUT_RECORDS_MAX, State};
use machines::message::{Cause, CustomerMessage, ProductMessage, ToCustomer, ToProduct};
use schemas::codec::{Codec, DecodeError};
use schemas::events::Event;
use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
use schemas::events::epochs::Cut;
use schemas::events::lines::OrderLine;
use schemas::hash::hash128;
use schemas::id::EventId;
use schemas::limits::{LINES_MAX, PRICE_MAX, QUANTITY_MAX};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{EventLog, ReadError, Reader, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
/// How long the reader sleeps at most when the log does not grow: a bound, so that it sees a stop.
const WAIT_MAX: Duration = Duration::from_millis(100);
const SKIPPED: &str = "an operator said so on the plan topic";

/// Reads until the hub stops or fails. Schema ids that are not known are named to `unknown`.
///
/// # Errors
/// The log cannot be read.
pub fn run(
    hub: &Arc<Hub>,
    log: &dyn EventLog,
    codec: &Codec,
    unknown: &Sender<u32>,
) -> Result<(), ReadError> {
    let partitions: Vec<_> = TopicPartition::inputs().collect();
    let (from, clamp): (Vec<_>, Vec<_>) = {
        let state = hub.lock();
        let all = partitions.iter().zip(&state.inputs);
        let clamp = |planned_at: Option<Timestamp>| planned_at.unwrap_or(Timestamp::MIN);
        all.map(|(at, input)| ((*at, input.planned), clamp(input.planned_at))).unzip()
    };
    let reader = log.reader(&from)?;
    Inputs { hub, log, codec, unknown, partitions, clamp, reader }.run()
}

struct Inputs<'a> {
    hub: &'a Arc<Hub>,
    log: &'a dyn EventLog,
    codec: &'a Codec,
    unknown: &'a Sender<u32>,
    partitions: Vec<TopicPartition>,
    clamp: Vec<Timestamp>,
    /// Of all partitions that are not held.
    reader: Box<dyn Reader>,
}

/// What was read at once: records by input, and where a partition is held from now on.
#[derive(Default)]
struct Batch {
    inputs: Vec<(usize, Input)>,
    /// By input: offset and schema id.
    held: BTreeMap<usize, (u64, u32)>,
}

impl Inputs<'_> {
    fn run(&mut self) -> Result<(), ReadError> {
        let mut records = Vec::new();
        loop {
            self.reader.read(READ_BYTES, &mut records)?;
            let idle = records.is_empty();
            let batch = self.decode(&mut records);
            let mut state = self.hub.lock();
            let mut regroup = !batch.held.is_empty();
            self.hand_over(&mut state, batch);
            regroup |= self.release(&mut state);
            while state.waiting() > INPUT_RECORDS_MAX && !state.reading_short {
                if state.stopping || state.failed() {
                    return Ok(());
                }
                state = self.hub.wait(state);
                regroup |= self.release(&mut state);
                if regroup {
                    break;
                }
            }
            if state.stopping || state.failed() {
                return Ok(());
            }
            if regroup {
                self.reader = self.log.reader(&self.not_held(&state))?;
            }
            drop(state);
            if idle && !regroup {
                self.reader.wait(WAIT_MAX);
            }
        }
    }

    /// Decodes up to where a partition is held; what is behind that is read again later.
    fn decode(&mut self, records: &mut Vec<Record>) -> Batch {
        let mut batch = Batch::default();
        for record in records.drain(..) {
            let index = record.partition.input_index().expect("the reader reads inputs");
            if batch.held.contains_key(&index) {
                continue;
            }
            let appended_at = self.clamp[index].max(record.appended_at);
            match self.what_it_does(index, &record, appended_at) {
                Ok(action) => {
                    self.clamp[index] = appended_at;
                    batch.inputs.push((index, action));
                }
                Err(schema) => {
                    batch.held.insert(index, (record.offset, schema));
                }
            }
        }
        batch
    }

    /// What a record does; an error is the id of a schema that is not known: nothing can be said
    /// then, unless an operator did.
    fn what_it_does(
        &self,
        index: usize,
        record: &Record,
        appended_at: Timestamp,
    ) -> Result<Input, u32> {
        let decoded = match self.codec.decode(&record.value) {
            Err(DecodeError::UnknownSchema(schema)) => {
                if !self.hub.lock().skips.contains(&(index, record.offset)) {
                    return Err(schema);
                }
                Err((DeadLetterCause::Skipped, SKIPPED.to_owned()))
            }
            decoded => decoded.map_err(|e| (DeadLetterCause::Undecodable, e.to_string())),
        };
        let done = decoded
            .and_then(|(envelope, event)| action(record, appended_at, envelope.event_id, event));
        let (lines, action) =
            done.unwrap_or_else(|(cause, detail)| (1, dead(record, cause, detail)));
        let bytes = record.value.len();
        Ok(Input { offset: record.offset, appended_at, bytes, lines, action })
    }

    fn hand_over(&self, state: &mut State, batch: Batch) {
        for (index, input) in batch.inputs {
            state.inputs[index].waiting.push_back(input);
        }
        let mut moved = !batch.held.is_empty();
        for (index, partition) in state.inputs.iter_mut().enumerate() {
            if partition.held.is_some() {
                continue;
            }
            let reached = match batch.held.get(&index) {
                Some((offset, schema)) => {
                    partition.held = Some(*schema);
                    // Nobody listens any more only while the engine ends.
                    let _ = self.unknown.send(*schema);
                    *offset
                }
                None => self.reader.position(self.partitions[index]),
            };
            moved |= reached != partition.reached;
            partition.reached = reached;
            partition.read_at = Some(self.clamp[index]).filter(|read_at| *read_at > Timestamp::MIN);
        }
        if moved {
            self.hub.notify();
        }
    }

    /// Lets go of partitions whose record's schema is known by now, or that is to be skipped.
    fn release(&self, state: &mut State) -> bool {
        let State { inputs, skips, .. } = state;
        let mut released = false;
        for (index, partition) in inputs.iter_mut().enumerate() {
            let skipped = || skips.contains(&(index, partition.reached));
            if partition.held.is_some_and(|schema| self.codec.knows(schema) || skipped()) {
                partition.held = None;
                released = true;
            }
        }
        released
    }

    /// What is read on, and from where.
    fn not_held(&self, state: &State) -> Vec<(TopicPartition, u64)> {
        let all = self.partitions.iter().zip(&state.inputs);
        let free = all.filter(|(_, partition)| partition.held.is_none());
        free.map(|(at, partition)| (*at, partition.reached)).collect()
    }
}

type Refusal = (DeadLetterCause, String);

fn action(
    record: &Record,
    appended_at: Timestamp,
    cause_id: EventId,
    event: Event,
) -> Result<(usize, Action), Refusal> {
    let at = record.partition;
    if event.kind().topic() != at.topic {
        let detail = format!("{} belongs on {}", event.kind().name(), event.kind().topic());
        return Err((DeadLetterCause::WrongTopic, detail));
    }
    let owner = owner(&event).map_err(|detail| (DeadLetterCause::Undecodable, detail))?;
    let TopicPartition { partition, .. } = owner.place(at.topic);
    if partition != at.partition {
        let detail = format!("its key belongs on partition {partition}");
        return Err((DeadLetterCause::WrongPartition, detail));
    }
    let cause = Cause::record(appended_at, at, record.offset);
    let lines = if let Event::CheckoutRequested(checkout) = &event {
        checkout.lines.as_ref().map_or(LINES_MAX, Vec::len)
    } else {
        1
    };
    let event = Box::new(event);
    let action = match owner {
        Owner::Customer(group) => {
            let body = CustomerMessage::Record(event);
            Action::Customer(group, ToCustomer { cause, cause_id, body })
        }
        Owner::Product(group) => {
            let body = ProductMessage::Record(event);
            Action::Product(group, ToProduct { cause, cause_id, body })
        }
        Owner::Warehouse(_) => Action::Warehouse(cause, cause_id, event),
    };
    Ok((lines, action))
}

enum Owner {
    Customer(u16),
    Product(u16),
    Warehouse(u16),
}

impl Owner {
    /// The partition of this topic on which its actions stand.
    const fn place(&self, topic: Topic) -> TopicPartition {
        let (Self::Customer(group) | Self::Product(group) | Self::Warehouse(group)) = *self;
        TopicPartition::of_group(topic, group)
    }
}

/// Where an action belongs.
///
/// # Errors
/// In words: it is no action, or not one that the contract allows, and a dead letter wherever it
/// stands.
pub fn place_of(event: &Event) -> Result<TopicPartition, String> {
    owner(event).map(|owner| owner.place(event.kind().topic()))
}

/// Whose key group the event belongs to; refuses what the contract does not allow.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not an action in range is refused")]
fn owner(event: &Event) -> Result<Owner, String> {
    match event {
        Event::CheckoutRequested(e) => {
            let group = e.customer_id.0.group();
            if e.order_id.group() != group {
                return Err("the order id is not of its customer's key group".to_owned());
            }
            e.lines.as_deref().map_or(Ok(()), check_lines)?;
            Ok(Owner::Customer(group))
        }
        Event::CartItemAddRequested(e) => {
            check_quantity(e.quantity)?;
            Ok(Owner::Customer(e.customer_id.0.group()))
        }
        Event::CartItemSetRequested(e) if e.quantity <= QUANTITY_MAX => {
            Ok(Owner::Customer(e.customer_id.0.group()))
        }
        Event::CancellationRequested(e) => Ok(Owner::Customer(e.order_id.group())),
        Event::PaymentReported(e) if e.payment_id.order() == e.order_id && e.amount >= 0 => {
            Ok(Owner::Customer(e.order_id.group()))
        }
        Event::ProductPutRequested(e) if (0..=PRICE_MAX).contains(&e.listing.price) => {
            Ok(Owner::Product(e.product_id.0.group()))
        }
        Event::ProductDelistRequested(e) => Ok(Owner::Product(e.product_id.0.group())),
        Event::StockReceiptRequested(e) => {
            check_quantity(e.quantity)?;
            Ok(Owner::Product(e.product_id.0.group()))
        }
        Event::StockAdjustmentRequested(e) if e.change.unsigned_abs() <= QUANTITY_MAX.into() => {
            Ok(Owner::Product(e.product_id.0.group()))
        }
        Event::SafetyStockSetRequested(e) if e.safety_stock <= QUANTITY_MAX => {
            Ok(Owner::Product(e.product_id.0.group()))
        }
        Event::WarehousePutRequested(e) => Ok(Owner::Warehouse(e.warehouse_id.0.group())),
        other => Err(format!("a {} like this is not allowed here", other.kind().name())),
    }
}

fn check_lines(lines: &[OrderLine]) -> Result<(), String> {
    if lines.is_empty() {
        return Err("an order has at least one line".to_owned());
    }
    for line in lines {
        check_quantity(line.quantity)?;
        if !(0..=PRICE_MAX).contains(&line.price) {
            return Err(format!("a price is 0 to {PRICE_MAX}, not {}", line.price));
        }
        let same = lines.iter().filter(|other| other.product_id == line.product_id);
        check_quantity(same.map(|other| other.quantity).fold(0, u32::saturating_add))?;
    }
    Ok(())
}

fn check_quantity(quantity: u32) -> Result<(), String> {
    if (1..=QUANTITY_MAX).contains(&quantity) {
        return Ok(());
    }
    Err(format!("a quantity is 1 to {QUANTITY_MAX}, not {quantity}"))
}

fn dead(record: &Record, cause: DeadLetterCause, detail: String) -> Action {
    let TopicPartition { topic, partition } = record.partition;
    letter(DeadLetter {
        topic: topic as u8,
        partition,
        offset: record.offset,
        appended_at: record.appended_at,
        cause,
        detail,
    })
}

/// What is done in the place of a record of this cut that an operator sets aside.
pub(crate) fn skipped(cut: &Cut, input: &Input) -> Action {
    letter(DeadLetter {
        topic: cut.topic,
        partition: cut.partition,
        offset: input.offset,
        appended_at: input.appended_at,
        cause: DeadLetterCause::Skipped,
        detail: SKIPPED.to_owned(),
    })
}

fn letter(letter: DeadLetter) -> Action {
    let DeadLetter { topic, partition, offset, appended_at, .. } = letter;
    let mut place = vec![topic];
    place.extend_from_slice(&partition.to_be_bytes());
    place.extend_from_slice(&offset.to_be_bytes());
    let id = EventId(hash128(4, &place));
    let topic = Topic::from_number(topic).expect("an input's topic");
    let cause = Cause::record(appended_at, TopicPartition { topic, partition }, offset);
    Action::Dead(Box::new(Dead { cause, id, event: letter.into() }))
}
