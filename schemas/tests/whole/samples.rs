//! One value of every event, with each optional field set and each list filled.

use schemas::envelope::{Envelope, Role};
use schemas::events::customer_actions::{
    CancellationRequested, CartItemAddRequested, CartItemSetRequested, CheckoutRequested,
    IdempotencyKey, PaymentOutcome, PaymentReported,
};
use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
use schemas::events::epochs::{
    Cut, EpochDigest, EpochPlanned, GenerationClaimed, Held, PlanningDrained, RecordSkipped,
    Settings, TimeAccepted,
};
use schemas::events::inventory::{
    AllocationShorted, ProductActionRejected, ProductDelisted, ProductListed, ReservationExpired,
    ReservationRevoked, ReservationSecured, SafetyStockChanged, StockAdjusted, StockAllocated,
    StockReceived, StockRefused, StockReleased, StockReserved,
};
use schemas::events::lines::{Level, OrderLine, Split};
use schemas::events::orders::{
    CartChanged, CartCleared, CustomerActionRejected, OrderAwaitingPayment, OrderCancelled,
    OrderConfirmed, OrderRejected, OrderRequested, PaymentChanged, PaymentState, Reason,
    RejectedLine,
};
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::events::product_actions::{
    Listing, ProductDelistRequested, ProductPutRequested, SafetyStockSetRequested,
    StockAdjustmentRequested, StockReceiptRequested,
};
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::events::{Event, EventKind};
use schemas::id::{
    ActionId, CustomerId, EventId, Id, OrderId, PaymentMethod, ProductId, RegionId, SellerId,
    WarehouseId,
};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::Topic;

/// Text of the key in every sample that has one.
pub(crate) const KEY: &str = "key-0001";

const EXPIRES_AT: Timestamp = Timestamp(1_795_427_100_125);

fn id(text: &str) -> Id {
    Id::parse(text).expect("legal")
}
fn product_id() -> ProductId {
    ProductId(id("a-product-of-a-long-name"))
}
fn customer_id() -> CustomerId {
    CustomerId(id("c-4711"))
}
fn warehouse_id() -> WarehouseId {
    WarehouseId(id("berlin"))
}
fn order_id() -> OrderId {
    OrderId::new(513, [0x5a; 16])
}
fn action_id() -> ActionId {
    ActionId::new(77, [0xc3; 16])
}
fn currency() -> Currency {
    Currency::parse("EUR").expect("legal")
}
fn region() -> RegionId {
    RegionId(id("eu"))
}
fn payment_method() -> PaymentMethod {
    PaymentMethod(id("tok_ok"))
}
fn key() -> IdempotencyKey {
    IdempotencyKey::Text(KEY.into())
}
fn lines() -> Vec<OrderLine> {
    vec![
        OrderLine { product_id: product_id(), quantity: 1_000_000, price: 10_000_000_000 },
        OrderLine { product_id: ProductId(id("p")), quantity: 1, price: 0 },
    ]
}
fn listing() -> Box<Listing> {
    Box::new(Listing {
        seller_id: SellerId(id("s-1")),
        name: "Kettle".to_owned(),
        description: "Boils w\u{e4}ter.".to_owned(),
        category: "home/kitchen".to_owned(),
        brand: "Acme".to_owned(),
        price: 2999,
        currency: currency(),
        attributes: [("colour", "red"), ("volume", "1.7 l")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        image_urls: vec!["https://example.org/kettle.jpg".to_owned()],
        order_quantity_max: Some(5),
    })
}

/// The envelope of every sample.
pub(crate) fn envelope() -> Envelope {
    Envelope {
        event_id: EventId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        occurred_at: Timestamp(1_795_426_200_125),
        role: Role::Shopper,
        subject: Some(id("c-4711")),
        causation_id: EventId([0xff; 16]),
        correlation_id: EventId(order_id().to_bytes()),
    }
}

/// Whether an event of this kind has an envelope.
pub(crate) fn is_enveloped(kind: EventKind) -> bool {
    kind.topic() != Topic::Epochs
}

/// One of every kind, by number.
pub(crate) fn all() -> Vec<Event> {
    let all = [
        customer_actions(),
        product_and_warehouse_actions(),
        carts_and_open_orders(),
        ended_orders_and_payments(),
        listings_and_receipts(),
        reservations(),
        payment_requests(),
        plans(),
        dead_letters(),
    ]
    .concat();
    assert!(all.iter().map(Event::kind).eq(EventKind::ALL.iter().copied()), "one of each");
    all
}

fn customer_actions() -> Vec<Event> {
    vec![
        CheckoutRequested {
            order_id: order_id(),
            customer_id: customer_id(),
            idempotency_key: key(),
            lines: Some(lines()),
            currency: currency(),
            region: region(),
            payment_method: payment_method(),
        }
        .into(),
        CartItemAddRequested {
            action_id: action_id(),
            customer_id: customer_id(),
            idempotency_key: key(),
            product_id: product_id(),
            quantity: 12,
        }
        .into(),
        CartItemSetRequested {
            action_id: action_id(),
            customer_id: customer_id(),
            product_id: product_id(),
            quantity: 12,
        }
        .into(),
        CancellationRequested {
            action_id: action_id(),
            order_id: order_id(),
            idempotency_key: key(),
            reason: "broken".to_owned(),
        }
        .into(),
        PaymentReported {
            provider_event_id: "evt_1".to_owned(),
            payment_id: order_id().payment(),
            order_id: order_id(),
            outcome: PaymentOutcome::Refunded,
            amount: 5998,
            currency: currency(),
            decline_code: Some("insufficient_funds".to_owned()),
        }
        .into(),
    ]
}

fn product_and_warehouse_actions() -> Vec<Event> {
    vec![
        ProductPutRequested {
            action_id: action_id(),
            product_id: product_id(),
            if_match: Some(3),
            listing: listing(),
        }
        .into(),
        ProductDelistRequested {
            action_id: action_id(),
            product_id: product_id(),
            if_match: Some(3),
        }
        .into(),
        StockReceiptRequested {
            action_id: action_id(),
            product_id: product_id(),
            idempotency_key: key(),
            warehouse_id: warehouse_id(),
            quantity: 12,
            reference: "delivery 7".to_owned(),
        }
        .into(),
        StockAdjustmentRequested {
            action_id: action_id(),
            product_id: product_id(),
            idempotency_key: key(),
            warehouse_id: warehouse_id(),
            change: -1_000_000,
            reason: "broken".to_owned(),
            expected_version: Some(3),
        }
        .into(),
        SafetyStockSetRequested {
            action_id: action_id(),
            product_id: product_id(),
            warehouse_id: warehouse_id(),
            safety_stock: 5,
        }
        .into(),
        WarehousePutRequested {
            action_id: action_id(),
            warehouse_id: warehouse_id(),
            name: "Berlin".to_owned(),
            region: region(),
            priority: 10,
        }
        .into(),
    ]
}

fn carts_and_open_orders() -> Vec<Event> {
    vec![
        CartChanged {
            customer_id: customer_id(),
            product_id: product_id(),
            quantity: 12,
            price: 2999,
            currency: currency(),
            version: 300,
        }
        .into(),
        CartCleared { customer_id: customer_id(), version: 300 }.into(),
        CustomerActionRejected {
            customer_id: customer_id(),
            action_id: action_id(),
            reason: Reason::CurrencyMismatch,
            order_id: Some(order_id()),
        }
        .into(),
        OrderRequested {
            order_id: order_id(),
            customer_id: customer_id(),
            lines: lines(),
            currency: currency(),
            region: region(),
            payment_method: payment_method(),
            expires_at: EXPIRES_AT,
        }
        .into(),
        OrderRejected {
            order_id: order_id(),
            customer_id: customer_id(),
            reason: Reason::CurrencyMismatch,
            lines: vec![RejectedLine {
                product_id: product_id(),
                reason: Reason::OutOfStock,
                asked: 9,
                available: u32::MAX,
            }],
        }
        .into(),
    ]
}

fn ended_orders_and_payments() -> Vec<Event> {
    vec![
        OrderAwaitingPayment { order_id: order_id(), customer_id: customer_id() }.into(),
        OrderConfirmed { order_id: order_id(), customer_id: customer_id() }.into(),
        OrderCancelled {
            order_id: order_id(),
            customer_id: customer_id(),
            reason: Reason::CurrencyMismatch,
        }
        .into(),
        PaymentChanged {
            order_id: order_id(),
            customer_id: customer_id(),
            state: PaymentState::Refunded,
            authorized: 5998,
            captured: 5998,
            refunded: 1000,
            voided: 0,
        }
        .into(),
    ]
}

fn listings_and_receipts() -> Vec<Event> {
    vec![
        ProductListed { product_id: product_id(), version: 300, listing: listing() }.into(),
        ProductDelisted { product_id: product_id(), version: 300 }.into(),
        ProductActionRejected {
            product_id: product_id(),
            action_id: action_id(),
            reason: Reason::CurrencyMismatch,
        }
        .into(),
        StockReceived {
            product_id: product_id(),
            warehouse_id: warehouse_id(),
            quantity: 12,
            reference: "delivery 7".to_owned(),
            version: 300,
        }
        .into(),
        StockAdjusted {
            product_id: product_id(),
            warehouse_id: warehouse_id(),
            asked: -4,
            change: -3,
            reason: "broken".to_owned(),
            version: 300,
        }
        .into(),
        SafetyStockChanged {
            product_id: product_id(),
            warehouse_id: warehouse_id(),
            safety_stock: 5,
            version: 300,
        }
        .into(),
    ]
}

fn reservations() -> Vec<Event> {
    vec![
        StockReserved {
            product_id: product_id(),
            order_id: order_id(),
            levels: Split::of(&[
                Level { warehouse_id: warehouse_id(), quantity: 2 },
                Level { warehouse_id: WarehouseId(id("ulm")), quantity: 1 },
            ]),
            expires_at: EXPIRES_AT,
            firm: true,
        }
        .into(),
        ReservationSecured { product_id: product_id(), order_id: order_id() }.into(),
        StockRefused {
            product_id: product_id(),
            order_id: order_id(),
            reason: Reason::CurrencyMismatch,
            asked: 9,
            available: 0,
        }
        .into(),
        StockAllocated { product_id: product_id(), order_id: order_id(), quantity: 12 }.into(),
        StockReleased {
            product_id: product_id(),
            order_id: order_id(),
            quantity: 12,
            allocated: true,
        }
        .into(),
        ReservationExpired { product_id: product_id(), order_id: order_id(), quantity: 12 }.into(),
        ReservationRevoked { product_id: product_id(), order_id: order_id(), quantity: 12 }.into(),
        AllocationShorted {
            product_id: product_id(),
            order_id: order_id(),
            warehouse_id: warehouse_id(),
            quantity: 12,
        }
        .into(),
    ]
}

fn payment_requests() -> Vec<Event> {
    vec![
        PaymentRequested {
            payment_id: order_id().payment(),
            order_id: order_id(),
            customer_id: customer_id(),
            verb: PaymentVerb::Refund,
            amount: 5998,
            currency: currency(),
            payment_method: payment_method(),
            expires_at: EXPIRES_AT,
        }
        .into(),
    ]
}

fn plans() -> Vec<Event> {
    vec![
        GenerationClaimed {
            claim_id: EventId([0xab; 16]),
            follows: -1,
            era: 1,
            rules_version: 2,
            groups: 1024,
            partitions: 16,
            settings: Settings { reservation_timeout_ms: 900_000 },
        }
        .into(),
        EpochPlanned {
            generation: 41,
            epoch: 9,
            previous: EventId([0xcd; 16]),
            planner_ms: Timestamp(1_795_426_200_000),
            bound_ms: Timestamp(1_795_426_200_000),
            cut: vec![Cut { topic: 2, partition: 15, end: 4_000 }],
            digests: vec![EpochDigest { epoch: 8, operator: 1, digest: i64::MIN }],
            held: vec![Held { topic: 3, partition: 2 }],
        }
        .into(),
        RecordSkipped { topic: 2, partition: 15, offset: 70_000 }.into(),
        PlanningDrained { generation: 41 }.into(),
        TimeAccepted { wall_ms: Timestamp(1_795_426_200_000) }.into(),
    ]
}

fn dead_letters() -> Vec<Event> {
    vec![
        DeadLetter {
            topic: 2,
            partition: 15,
            offset: 70_000,
            appended_at: Timestamp(1_795_426_200_000),
            cause: DeadLetterCause::Skipped,
            detail: "too short".to_owned(),
        }
        .into(),
    ]
}
