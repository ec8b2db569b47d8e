//! One order's story, told from the log: what was asked, what was decided, and why.
//!
//! Lines stand in the order of the log; what one epoch decided, which no clock tells apart, in the
//! order in which a checkout goes through it.

use crate::AuditError;
use crate::intake::order_of;
use crate::timeline::snake_case;
use crate::verdicts::Place;
use schemas::events::Event;
use schemas::events::lines::Split;
use schemas::events::orders::PaymentChanged;
use schemas::events::payment_requests::PaymentVerb;
use schemas::id::{EventId, OrderId};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde::Serialize;
use sinks::event_log::{EventLog, Record};
use sinks::schema_registry::Schemas;
use std::collections::HashMap;

const READ_BYTES: usize = 8 << 20;

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoryLine {
    /// When it was appended, or `now` of the epoch that decided it; RFC 3339.
    pub at: String,
    /// The epoch that decided it; none for what was asked.
    pub epoch: Option<u64>,
    /// The event's name: `order_confirmed`.
    pub event: String,
    /// What it means.
    pub meaning: String,
    /// What it began with; none for what was asked.
    pub cause: Option<String>,
    /// Where it stands: `watermart.orders/3@17`.
    pub position: String,
}

/// Tells all that the log holds of an order; nothing, if it holds nothing.
///
/// # Errors
/// The log cannot be read.
pub fn story(
    log: &dyn EventLog,
    schemas: &Schemas,
    order: OrderId,
) -> Result<Vec<StoryLine>, AuditError> {
    let mut teller = Teller { schemas, order, causes: HashMap::new(), lines: Vec::new() };
    let mut reader = log.reader(&partitions(order))?;
    let mut records = Vec::new();
    loop {
        reader.read(READ_BYTES, &mut records)?;
        if records.is_empty() {
            return Ok(teller.finish());
        }
        for record in records.drain(..) {
            teller.take(&record);
        }
    }
}

/// The customer's own partitions, and all that products may say of the order.
fn partitions(order: OrderId) -> Vec<(TopicPartition, u64)> {
    let own = [Topic::CustomerActions, Topic::Orders, Topic::PaymentRequests];
    let own = own.map(|topic| TopicPartition::of_group(topic, order.group()));
    let products = [Topic::ProductActions, Topic::Inventory];
    let products = products.into_iter().flat_map(TopicPartition::all);
    own.into_iter().chain(products).map(|at| (at, 0)).collect()
}

struct Told {
    /// The place in the log's order of the first line of the epoch, or of the line itself.
    sequence: usize,
    rank: u8,
    line: StoryLine,
}

struct Teller<'a> {
    schemas: &'a Schemas,
    order: OrderId,
    /// What was asked, by event id.
    causes: HashMap<EventId, String>,
    lines: Vec<Told>,
}

impl Teller<'_> {
    fn take(&mut self, record: &Record) {
        // What cannot be read says nothing of any order.
        let Ok((envelope, event)) = self.schemas.decode(&record.value) else { return };
        let position = Place { partition: record.partition, offset: record.offset };
        let name = snake_case(event.kind().name());
        if record.partition.topic == Topic::ProductActions {
            if let Event::StockAdjustmentRequested(e) = &event {
                let by = format!("an adjustment of {} by {}, {position}", e.product_id, e.change);
                self.causes.insert(envelope.event_id, by);
            }
            return;
        }
        let Some((rank, meaning)) = meaning(&event, self.order) else { return };
        let asked = record.partition.topic == Topic::CustomerActions;
        if asked {
            self.causes.entry(envelope.event_id).or_insert_with(|| format!("{name}, {position}"));
        }
        let epoch = record.output_id.map(|id| id.epoch);
        let same = |told: &&Told| epoch.is_some() && told.line.epoch == epoch;
        let first = self.lines.iter().find(same).map(|told| told.sequence);
        let at = if asked { record.appended_at } else { envelope.occurred_at };
        let cause = (!asked).then(|| self.cause(&event, envelope.causation_id));
        let position = position.to_string();
        let line = StoryLine { at: at.rfc3339(), epoch, event: name, meaning, cause, position };
        self.lines.push(Told { sequence: first.unwrap_or(self.lines.len()), rank, line });
    }

    fn cause(&self, event: &Event, id: EventId) -> String {
        let known = self.causes.get(&id);
        if matches!(event, Event::ReservationExpired(_)) {
            return "a timer: the reservation's deadline".to_owned();
        }
        if known.is_none() && order_of(id) == self.order {
            return "a timer: the order's deadline".to_owned();
        }
        known.cloned().unwrap_or_else(|| format!("event {id}"))
    }

    fn finish(mut self) -> Vec<StoryLine> {
        // Stable: what is of one rank stays as the log has it.
        self.lines.sort_by_key(|told| (told.sequence, told.rank));
        self.lines.into_iter().map(|told| told.line).collect()
    }
}

/// What an event says of the order, and where it stands within its epoch; none if it is about
/// another.
fn meaning(event: &Event, order: OrderId) -> Option<(u8, String)> {
    asked(event, order).or_else(|| decided(event, order)).or_else(|| stocked(event, order))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most events are about something else")]
fn asked(event: &Event, order: OrderId) -> Option<(u8, String)> {
    let (of, meaning) = match event {
        Event::CheckoutRequested(e) => {
            let what = e.lines.as_ref().map_or_else(
                || "the cart".to_owned(),
                |lines| {
                    let line = |line: &schemas::events::lines::OrderLine| {
                        format!("{} of {} at {}", line.quantity, line.product_id, line.price)
                    };
                    lines.iter().map(line).collect::<Vec<_>>().join(", ")
                },
            );
            let (customer, currency, method) = (e.customer_id, e.currency, e.payment_method);
            (e.order_id, format!("{customer} asks for {what} {currency}, paid by {method}"))
        }
        Event::CancellationRequested(e) => {
            (e.order_id, format!("the order is called off: {}", e.reason))
        }
        Event::PaymentReported(e) => {
            let (id, amount, currency) = (&e.provider_event_id, e.amount, e.currency);
            let outcome = snake_case(&format!("{:?}", e.outcome));
            (e.order_id, format!("the provider says {outcome}, {amount} {currency} ({id})"))
        }
        _ => return None,
    };
    (of == order).then_some((0, meaning))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most events are about something else")]
fn decided(event: &Event, order: OrderId) -> Option<(u8, String)> {
    let (of, rank, meaning) = match event {
        Event::OrderRequested(e) => {
            let (lines, until) = (e.lines.len(), e.expires_at.rfc3339());
            (
                e.order_id,
                0,
                format!("the order is opened with {lines} lines, to be paid by {until}"),
            )
        }
        Event::OrderRejected(e) => {
            let line = |line: &schemas::events::orders::RejectedLine| {
                let (reason, asked, left) = (line.reason.as_str(), line.asked, line.available);
                format!("; {}: {reason}, {asked} asked, {left} left", line.product_id)
            };
            let lines: String = e.lines.iter().map(line).collect();
            (e.order_id, 5, format!("refused, {}{lines}", e.reason.as_str()))
        }
        Event::OrderAwaitingPayment(e) => {
            (e.order_id, 3, "every line is reserved; the payment is asked for".to_owned())
        }
        Event::OrderConfirmed(e) => (e.order_id, 7, "sold: paid, every line allocated".to_owned()),
        Event::OrderCancelled(e) => (e.order_id, 5, format!("cancelled, {}", e.reason.as_str())),
        Event::PaymentChanged(e) => (e.order_id, 9, payment(e)),
        Event::PaymentRequested(e) => {
            let verb = match e.verb {
                PaymentVerb::Authorize => "hold",
                PaymentVerb::Capture => "take",
                PaymentVerb::Void => "give up the hold of",
                PaymentVerb::Refund => "give back",
            };
            let (amount, currency) = (e.amount, e.currency);
            (e.order_id, 10, format!("the provider is asked to {verb} {amount} {currency}"))
        }
        Event::CustomerActionRejected(e) => {
            (e.order_id?, 10, format!("an action comes to nothing: {}", e.reason.as_str()))
        }
        _ => return None,
    };
    (of == order).then_some((rank, meaning))
}

fn payment(e: &PaymentChanged) -> String {
    let state = snake_case(&format!("{:?}", e.state));
    let (held, taken, back, voided) = (e.authorized, e.captured, e.refunded, e.voided);
    format!("the payment is {state}: {held} held, {taken} taken, {back} back, {voided} given up")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most events are about something else")]
fn stocked(event: &Event, order: OrderId) -> Option<(u8, String)> {
    let (of, rank, meaning) = match event {
        Event::StockReserved(e) => {
            let (product, from) = (e.product_id, places(&e.levels));
            let until = match e.expires_at {
                Timestamp::MAX => "for good: it is paid".to_owned(),
                at => format!("until {}", at.rfc3339()),
            };
            (e.order_id, 1, format!("{product} is reserved, {from}, {until}"))
        }
        Event::ReservationSecured(e) => {
            (e.order_id, 4, format!("the reservation of {} is firm", e.product_id))
        }
        Event::StockRefused(e) => {
            let (product, reason, asked) = (e.product_id, e.reason.as_str(), e.asked);
            let left = e.available;
            (e.order_id, 2, format!("{product} is refused, {reason}: {asked} asked, {left} left"))
        }
        Event::StockAllocated(e) => {
            (e.order_id, 8, format!("{} units of {} are sold", e.quantity, e.product_id))
        }
        Event::StockReleased(e) => {
            let what = if e.allocated { "sold" } else { "reserved" };
            let (quantity, product) = (e.quantity, e.product_id);
            (e.order_id, 10, format!("{quantity} {what} units of {product} go back"))
        }
        Event::ReservationExpired(e) => {
            let (quantity, product) = (e.quantity, e.product_id);
            (e.order_id, 8, format!("the reservation of {quantity} units of {product} lapses"))
        }
        Event::ReservationRevoked(e) => {
            let (quantity, product) = (e.quantity, e.product_id);
            (e.order_id, 4, format!("an adjustment takes the {quantity} units of {product}"))
        }
        Event::AllocationShorted(e) => {
            let (quantity, product, warehouse) = (e.quantity, e.product_id, e.warehouse_id);
            let meaning = format!("{product} is short by {quantity} units at {warehouse}");
            (e.order_id, 10, meaning)
        }
        _ => return None,
    };
    (of == order).then_some((rank, meaning))
}

fn places(split: &Split) -> String {
    let level = |level: &schemas::events::lines::Level| {
        format!("{} at {}", level.quantity, level.warehouse_id)
    };
    split.levels().iter().map(level).collect::<Vec<_>>().join(" and ")
}
