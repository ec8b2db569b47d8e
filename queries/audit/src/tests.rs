//! The audit is shown one broken thing at a time, and must name it.

use crate::audit;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::Event;
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::inventory::{
    ReservationExpired, ReservationSecured, StockAllocated, StockReceived, StockRefused,
    StockReleased, StockReserved,
};
use schemas::events::lines::{Level, OrderLine, Split};
use schemas::events::orders::{
    OrderAwaitingPayment, OrderConfirmed, OrderRequested, PaymentChanged, PaymentState, Reason,
};
use schemas::id::{CustomerId, EventId, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, OutputId};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const CAUSE: EventId = EventId([7; 16]);

fn product() -> ProductId {
    ProductId::parse("P1").unwrap()
}
fn warehouse() -> WarehouseId {
    WarehouseId::parse("A").unwrap()
}
fn customer() -> CustomerId {
    CustomerId::parse("C1").unwrap()
}
fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}
fn order() -> OrderId {
    OrderId::new(customer().0.group(), [9; 16])
}
fn lines() -> Vec<OrderLine> {
    vec![OrderLine { product_id: product(), quantity: 2, price: 500 }]
}

fn checkout() -> Event {
    CheckoutRequested {
        order_id: order(),
        customer_id: customer(),
        idempotency_key: IdempotencyKey::Text("k".into()),
        lines: Some(lines()),
        currency: usd(),
        region: RegionId::parse("eu").unwrap(),
        payment_method: PaymentMethod::parse("tok_ok").unwrap(),
    }
    .into()
}

fn received(quantity: u32) -> Event {
    let reference = String::new();
    let (product_id, warehouse_id) = (product(), warehouse());
    StockReceived { product_id, warehouse_id, quantity, reference, version: 1 }.into()
}

fn reserved(quantity: u32) -> Event {
    let levels = Split::One(Level { warehouse_id: warehouse(), quantity });
    let (product_id, order_id) = (product(), order());
    StockReserved { product_id, order_id, levels, expires_at: NOW.plus_ms(1_000), firm: false }
        .into()
}

fn requested() -> Event {
    OrderRequested {
        order_id: order(),
        customer_id: customer(),
        lines: lines(),
        currency: usd(),
        region: RegionId::parse("eu").unwrap(),
        payment_method: PaymentMethod::parse("tok_ok").unwrap(),
        expires_at: NOW.plus_ms(1_000),
    }
    .into()
}

fn awaiting() -> Event {
    OrderAwaitingPayment { order_id: order(), customer_id: customer() }.into()
}
fn confirmed() -> Event {
    OrderConfirmed { order_id: order(), customer_id: customer() }.into()
}
fn secured() -> Event {
    ReservationSecured { product_id: product(), order_id: order() }.into()
}
fn allocated() -> Event {
    StockAllocated { product_id: product(), order_id: order(), quantity: 2 }.into()
}
fn released() -> Event {
    let (product_id, order_id) = (product(), order());
    StockReleased { product_id, order_id, quantity: 2, allocated: false }.into()
}
fn paid(captured: i64) -> Event {
    PaymentChanged {
        order_id: order(),
        customer_id: customer(),
        state: PaymentState::Captured,
        authorized: 1_000,
        captured,
        refunded: 0,
        voided: 0,
    }
    .into()
}

/// The invariants that the audit finds broken in a log of one checkout and these outputs.
fn broken(outputs: &[Event], cause: EventId) -> Vec<&'static str> {
    let dir = tempfile::TempDir::new().unwrap();
    let log = FileLog::open(dir.path(), Clock::manual(NOW), Durability::NotDurable).unwrap();
    let codec = Codec::compiled();
    let record = |event: &Event, id: Option<OutputId>, causation_id: EventId| {
        let envelope = Envelope {
            event_id: if id.is_some() { EventId([1; 16]) } else { CAUSE },
            occurred_at: NOW,
            role: Role::Engine,
            subject: None,
            causation_id,
            correlation_id: CAUSE,
        };
        let mut value = Vec::new();
        codec.encode(&envelope, event, &mut value);
        let partition = TopicPartition::of_group(event.kind().topic(), customer().0.group());
        NewRecord { partition, key: Bytes::new(), value: value.into(), output_id: id }
    };
    let mut records = vec![record(&checkout(), None, CAUSE)];
    records.extend(
        (0..).zip(outputs).map(|(n, event)| record(event, Some(OutputId { epoch: 1, n }), cause)),
    );
    for answer in log.append(records).wait() {
        answer.unwrap();
    }
    let report = audit(&log, None).unwrap();
    let found: Vec<_> = report.invariants.iter().filter(|i| i.breaches > 0).map(|i| i.id).collect();
    assert_eq!(report.ok, found.is_empty());
    found
}

fn sold() -> Vec<Event> {
    vec![
        requested(),
        received(3),
        reserved(2),
        awaiting(),
        secured(),
        confirmed(),
        allocated(),
        paid(1_000),
    ]
}

#[test]
fn a_clean_story_passes() {
    assert_eq!(broken(&sold(), CAUSE), Vec::<&str>::new());
}

#[test]
fn each_broken_thing_is_named() {
    let refused = StockRefused {
        product_id: product(),
        order_id: order(),
        reason: Reason::OutOfStock,
        asked: 1,
        available: 0,
    };
    let expired = ReservationExpired { product_id: product(), order_id: order(), quantity: 2 };
    for (outputs, names) in [
        (vec![received(1), reserved(2)], vec!["I2"]),
        (vec![received(3), reserved(2), released(), released()], vec!["I4"]),
        (vec![received(3), reserved(2), expired.into()], vec!["I5"]),
        (vec![requested(), awaiting(), confirmed()], vec!["I6"]),
        (vec![received(3), refused.into()], vec!["I7"]),
        (vec![requested(), confirmed()], vec!["I6", "I8"]),
        ([sold(), vec![paid(900)]].concat(), vec!["I9"]),
        ([sold(), vec![requested()]].concat(), vec!["I10"]),
    ] {
        let shown = format!("{outputs:?}");
        assert_eq!(broken(&outputs, CAUSE), names, "{shown}");
    }
}

#[test]
fn an_effect_without_a_cause_is_named() {
    assert_eq!(broken(&[received(3)], EventId([8; 16])), ["I11"]);
}
