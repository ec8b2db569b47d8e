//! The input reader: one thread that reads all input partitions, decodes, and lays the records
//! out for the plans.
//!
//! A record that can never be used (not decodable, on a wrong topic or partition, out of the
//! contract's ranges) becomes a dead letter in the epoch that plans it: what a plan cuts is always
//! consumed. Append times are clamped so that they never fall within a partition.

use crate::epoch::{Action, Dead, Input};
use crate::hub::{Hub, INPUT_RECORDS_MAX};
use machines::message::{Cause, CustomerMessage, ProductMessage, ToCustomer, ToProduct};
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
use schemas::events::epochs::Cut;
use schemas::events::lines::OrderLine;
use schemas::hash::hash128;
use schemas::id::EventId;
use schemas::limits::{LINES_MAX, PRICE_MAX, QUANTITY_MAX};
use schemas::time::Timestamp;
use schemas::topic::{PARTITIONS, Topic, TopicPartition};
use sinks::event_log::{ReadError, Reader, Record};
use std::sync::Arc;
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
/// How long the reader sleeps at most when the log does not grow: a bound, so that it sees a stop.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Reads until the hub stops or fails.
///
/// # Errors
/// The log cannot be read.
pub fn run(hub: &Arc<Hub>, mut reader: Box<dyn Reader>, codec: &Codec) -> Result<(), ReadError> {
    let partitions: Vec<_> = TopicPartition::inputs().collect();
    let mut clamp = vec![Timestamp::MIN; partitions.len()];
    let mut records = Vec::new();
    loop {
        reader.read(READ_BYTES, &mut records)?;
        let idle = records.is_empty();
        let decoded: Vec<_> = records
            .drain(..)
            .map(|record| {
                let index = record.partition.input_index().expect("the reader reads inputs");
                clamp[index] = clamp[index].max(record.appended_at);
                (index, decode(codec, &record, clamp[index]))
            })
            .collect();
        let mut state = hub.lock();
        for (index, input) in decoded {
            state.inputs[index].waiting.push_back(input);
        }
        let mut moved = false;
        for (partition, at) in state.inputs.iter_mut().zip(&partitions) {
            let reached = reader.position(*at);
            moved |= reached != partition.reached;
            partition.reached = reached;
        }
        if moved {
            hub.notify();
        }
        while state.waiting() > INPUT_RECORDS_MAX && !state.reading_short {
            if state.stopping || state.failed() {
                return Ok(());
            }
            state = hub.wait(state);
        }
        if state.stopping || state.failed() {
            return Ok(());
        }
        drop(state);
        if idle {
            reader.wait(WAIT_MAX);
        }
    }
}

/// What a record does.
fn decode(codec: &Codec, record: &Record, appended_at: Timestamp) -> Input {
    let (lines, action) = match action(codec, record, appended_at) {
        Ok(accepted) => accepted,
        Err((cause, detail)) => (1, dead(record, cause, detail)),
    };
    Input { offset: record.offset, appended_at, bytes: record.value.len(), lines, action }
}

type Refusal = (DeadLetterCause, String);

fn action(
    codec: &Codec,
    record: &Record,
    appended_at: Timestamp,
) -> Result<(usize, Action), Refusal> {
    let (envelope, event) = codec
        .decode(&record.value)
        .map_err(|error| (DeadLetterCause::Undecodable, error.to_string()))?;
    let at = record.partition;
    if event.kind().topic() != at.topic {
        let detail = format!("{} belongs on {}", event.kind().name(), event.kind().topic());
        return Err((DeadLetterCause::WrongTopic, detail));
    }
    let owner = owner(&event).map_err(|detail| (DeadLetterCause::Undecodable, detail))?;
    let group = match owner {
        Owner::Customer(group) | Owner::Product(group) | Owner::Warehouse(group) => group,
    };
    if group % PARTITIONS != at.partition {
        let detail = format!("its key belongs on partition {}", group % PARTITIONS);
        return Err((DeadLetterCause::WrongPartition, detail));
    }
    let cause = Cause::record(appended_at, at, record.offset);
    let cause_id = envelope.event_id;
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
        detail: "an operator said so on the plan topic".to_owned(),
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
