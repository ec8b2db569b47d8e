//! What the epoch's digest takes in of customers: each message, event, settled order and timer.
//! Sums of such hashes do not depend on which worker adds them, nor when.

use machines::message::{CustomerMessage, ToCustomer};
use machines::order::State;
use schemas::events::Event;
use schemas::events::lines::OrderLine;
use schemas::hash::Hasher;
use schemas::id::{EventId, OrderId};
use schemas::time::Timestamp;

const MESSAGE: u64 = 10;
const DEDUPLICATED: u64 = 11;
const EVENT: u64 = 12;
const ORDER: u64 = 13;
const TIMER_SET: u64 = 14;
const TIMER_FIRED: u64 = 15;
const PAST: u64 = 16;

/// A message that was applied.
pub(super) fn of_message(message: &ToCustomer) -> Hasher {
    let hash = id(Hasher::new(MESSAGE), message.cause_id);
    let [hi, lo] = message.cause.words();
    let hash = hash.word(hi).word(lo);
    match &message.body {
        CustomerMessage::Record(event) => hash.word(event.kind() as u64),
        CustomerMessage::Reserved { order: id, line, levels, place: _ } => {
            let hash = order(hash.word(0x100), *id).word(u64::from(*line));
            levels.levels().iter().fold(hash, |hash, level| {
                let [hi, lo] = level.warehouse_id.0.words();
                hash.word(hi).word(lo).word(u64::from(level.quantity))
            })
        }
        CustomerMessage::Refused { order: id, line, reason, available } => {
            let hash = order(hash.word(0x101), *id).word(u64::from(*line));
            hash.word(*reason as u64).word(u64::from(*available))
        }
        CustomerMessage::Revoked { order: id, line } => {
            order(hash.word(0x102), *id).word(u64::from(*line))
        }
        CustomerMessage::Price { product, price, .. } => {
            let [hi, lo] = product.0.words();
            let hash = hash.word(0x103).word(hi).word(lo);
            match price {
                Ok((price, currency)) => hash.word(price.cast_unsigned()).word(currency.word()),
                Err(reason) => hash.word(*reason as u64),
            }
        }
    }
}

/// A message that said nothing new, or nothing to us.
pub(super) fn of_duplicate(cause_id: EventId) -> Hasher {
    id(Hasher::new(DEDUPLICATED), cause_id)
}

/// An event that was decided.
pub(super) fn of_event(serial: u32, event: &Event) -> Hasher {
    let hash = Hasher::new(EVENT).word(u64::from(serial) << 32 | event.kind() as u64);
    if let Event::OrderRequested(event) = event {
        let hash = order(hash, event.order_id).word(event.currency.word());
        lines(hash.word(event.expires_at.0.cast_unsigned()), &event.lines)
    } else if let Event::OrderRejected(event) = event {
        let hash = order(hash, event.order_id).word(event.reason as u64);
        event.lines.iter().fold(hash, |hash, line| {
            let [hi, lo] = line.product_id.0.words();
            let hash = hash.word(hi).word(lo).word(line.reason as u64);
            hash.word(u64::from(line.asked) << 32 | u64::from(line.available))
        })
    } else if let Event::OrderAwaitingPayment(event) = event {
        order(hash, event.order_id)
    } else if let Event::OrderConfirmed(event) = event {
        order(hash, event.order_id)
    } else if let Event::OrderCancelled(event) = event {
        order(hash, event.order_id).word(event.reason as u64)
    } else if let Event::PaymentChanged(event) = event {
        let hash = order(hash, event.order_id).word(event.state as u64);
        let sums = [event.authorized, event.captured, event.refunded, event.voided];
        sums.iter().fold(hash, |hash, sum| hash.word(sum.cast_unsigned()))
    } else if let Event::PaymentRequested(event) = event {
        let hash = order(hash, event.order_id).word(event.verb as u64);
        hash.word(event.amount.cast_unsigned()).word(event.currency.word())
    } else if let Event::CartChanged(event) = event {
        let (product_id, quantity, price) = (event.product_id, event.quantity, event.price);
        let [hi, lo] = event.customer_id.0.words();
        let hash = hash.word(hi).word(lo).word(event.version).word(event.currency.word());
        lines(hash, &[OrderLine { product_id, quantity, price }])
    } else if let Event::CartCleared(event) = event {
        let [hi, lo] = event.customer_id.0.words();
        hash.word(hi).word(lo).word(event.version)
    } else if let Event::CustomerActionRejected(event) = event {
        let [hi, lo] = event.action_id.words();
        hash.word(hi).word(lo).word(event.reason as u64)
    } else {
        unreachable!("customers do not decide {:?}", event.kind())
    }
}

/// Where an order stands when all that is known was settled.
pub(super) fn of_order(id: OrderId, state: State, payment: u64, version: u32) -> Hasher {
    let hash = order(Hasher::new(ORDER), id).word(payment).word(u64::from(version));
    match state {
        State::Requested => hash.word(1),
        State::AwaitingPayment => hash.word(2),
        State::Confirmed => hash.word(3),
        State::Rejected(reason) => hash.word(4).word(reason as u64),
        State::Cancelled(reason) => hash.word(5).word(reason as u64),
        State::Lapsed => hash.word(6),
        State::ReservingAgain => hash.word(7),
    }
}

/// What is known of a past order's money.
pub(super) fn of_past(id: OrderId, payment: u64) -> Hasher {
    order(Hasher::new(PAST), id).word(payment)
}

/// A timer that was set.
pub(super) fn of_timer_set(id: OrderId, deadline: Timestamp) -> Hasher {
    order(Hasher::new(TIMER_SET), id).word(deadline.0.cast_unsigned())
}

/// A timer that fired.
pub(super) fn of_timer_fired(id: OrderId, deadline: Timestamp) -> Hasher {
    order(Hasher::new(TIMER_FIRED), id).word(deadline.0.cast_unsigned())
}

fn id(hash: Hasher, EventId(bytes): EventId) -> Hasher {
    let word = |half: usize| {
        let bytes = bytes[8 * half..8 * half + 8].try_into();
        u64::from_be_bytes(bytes.expect("half of 16 bytes is 8"))
    };
    hash.word(word(0)).word(word(1))
}

fn order(hash: Hasher, order: OrderId) -> Hasher {
    let [hi, lo] = order.words();
    hash.word(hi).word(lo)
}

fn lines(hash: Hasher, lines: &[OrderLine]) -> Hasher {
    lines.iter().fold(hash, |hash, line| {
        let [hi, lo] = line.product_id.0.words();
        let hash = hash.word(hi).word(lo).word(line.price.cast_unsigned());
        hash.word(u64::from(line.quantity))
    })
}
