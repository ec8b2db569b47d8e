//! One day of a small shop: a product is listed and received, an order is sold, another lapses, a
//! third is refused, and units are lost. Each decision passes a hand that may break it.

use super::scribe::{Scribe, TIMEOUT_MS};
use schemas::events::Event;
use schemas::events::customer_actions::{
    CheckoutRequested, IdempotencyKey, PaymentOutcome, PaymentReported,
};
use schemas::events::inventory::{
    ProductListed, ReservationExpired, StockAdjusted, StockAllocated, StockReceived, StockRefused,
    StockReserved,
};
use schemas::events::lines::{Level, OrderLine, Split};
use schemas::events::orders::{
    OrderAwaitingPayment, OrderCancelled, OrderConfirmed, OrderRejected, OrderRequested,
    PaymentChanged, PaymentState, Reason, RejectedLine,
};
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::events::product_actions::{
    Listing, ProductPutRequested, StockAdjustmentRequested, StockReceiptRequested,
};
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::id::{
    ActionId, CustomerId, EventId, OrderId, PaymentMethod, ProductId, RegionId, SellerId,
    WarehouseId,
};
use schemas::money::Currency;
use schemas::time::Timestamp;

/// What one unit costs.
pub(super) const PRICE: i64 = 500;

/// What becomes of a decision on its way to the log: itself, something else, nothing, or twice.
pub(super) type Hand = fn(Event) -> Vec<Event>;

pub(super) fn product() -> ProductId {
    ProductId::parse("P1").unwrap()
}

pub(super) fn warehouse() -> WarehouseId {
    WarehouseId::parse("A").unwrap()
}

pub(super) fn customer() -> CustomerId {
    CustomerId::parse("C1").unwrap()
}

/// The n-th order of the story's customer.
pub(super) fn order(n: u8) -> OrderId {
    OrderId::new(customer().0.group(), [n; 16])
}

pub(super) fn dollars() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(super) fn action(n: u8) -> ActionId {
    ActionId::new(0, [n; 16])
}

pub(super) fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::Text(text.into())
}

fn listing() -> Box<Listing> {
    Box::new(Listing {
        seller_id: SellerId::parse("S").unwrap(),
        name: "a lamp".to_owned(),
        description: String::new(),
        category: "light".to_owned(),
        brand: "none".to_owned(),
        price: PRICE,
        currency: dollars(),
        attributes: Default::default(),
        image_urls: Vec::new(),
        order_quantity_max: None,
    })
}

/// The shop whose log is written.
pub(super) struct Day {
    pub(super) scribe: Scribe,
    pub(super) hand: Hand,
}

impl Day {
    /// A decision, as the hand leaves it.
    pub(super) fn decide(&mut self, cause: EventId, event: impl Into<Event>) {
        for event in (self.hand)(event.into()) {
            let group = match event.kind().topic() {
                schemas::topic::Topic::Inventory => product().0.group(),
                _ => customer().0.group(),
            };
            self.scribe.decide(group, cause, event);
        }
    }

    pub(super) fn receive(&mut self, n: u8, quantity: u32, key: IdempotencyKey) -> EventId {
        let receipt = StockReceiptRequested {
            action_id: action(n),
            product_id: product(),
            idempotency_key: key,
            warehouse_id: warehouse(),
            quantity,
            reference: "truck".to_owned(),
        };
        self.scribe.ask(product().0.group(), receipt)
    }

    pub(super) fn received(&mut self, cause: EventId, quantity: u32, version: u64) {
        let (product_id, warehouse_id) = (product(), warehouse());
        let reference = "truck".to_owned();
        let event = StockReceived { product_id, warehouse_id, quantity, reference, version };
        self.decide(cause, event);
    }

    fn open_shop(&mut self) {
        let put = WarehousePutRequested {
            action_id: action(1),
            warehouse_id: warehouse(),
            name: "A".to_owned(),
            region: RegionId::parse("eu").unwrap(),
            priority: 1,
        };
        self.scribe.ask(warehouse().0.group(), put);
        let put = ProductPutRequested {
            action_id: action(2),
            product_id: product(),
            if_match: None,
            listing: listing(),
        };
        let listed = self.scribe.ask(product().0.group(), put);
        let received = self.receive(3, 10, key("truck-1"));
        self.scribe.next_epoch(10);
        let event = ProductListed { product_id: product(), version: 1, listing: listing() };
        self.decide(listed, event);
        self.received(received, 10, 1);
    }

    pub(super) fn checkout(&mut self, n: u8, quantity: u32) -> EventId {
        let checkout = CheckoutRequested {
            order_id: order(n),
            customer_id: customer(),
            idempotency_key: key(&format!("order-{n}")),
            lines: Some(vec![OrderLine { product_id: product(), quantity, price: PRICE }]),
            currency: dollars(),
            region: RegionId::parse("eu").unwrap(),
            payment_method: PaymentMethod::parse("tok_ok").unwrap(),
        };
        self.scribe.ask(customer().0.group(), checkout)
    }

    /// The order is opened; gives its deadline.
    pub(super) fn opened(&mut self, cause: EventId, n: u8, quantity: u32) -> Timestamp {
        let expires_at = self.scribe.now.plus_ms(TIMEOUT_MS);
        let event = OrderRequested {
            order_id: order(n),
            customer_id: customer(),
            lines: vec![OrderLine { product_id: product(), quantity, price: PRICE }],
            currency: dollars(),
            region: RegionId::parse("eu").unwrap(),
            payment_method: PaymentMethod::parse("tok_ok").unwrap(),
            expires_at,
        };
        self.decide(cause, event);
        expires_at
    }

    /// An order that is reserved, and waits for its payment.
    pub(super) fn reserved(&mut self, n: u8, quantity: u32) {
        let cause = self.checkout(n, quantity);
        self.scribe.next_epoch(10);
        let expires_at = self.opened(cause, n, quantity);
        let (order_id, customer_id) = (order(n), customer());
        self.decide(cause, OrderAwaitingPayment { order_id, customer_id });
        self.paid(cause, n, PaymentState::Requested, [0; 4]);
        let level = Level { warehouse_id: warehouse(), quantity };
        let reserved = StockReserved {
            product_id: product(),
            order_id,
            levels: Split::One(level),
            expires_at,
            firm: true,
        };
        self.decide(cause, reserved);
        self.request(cause, n, quantity, PaymentVerb::Authorize);
    }

    pub(super) fn paid(&mut self, cause: EventId, n: u8, state: PaymentState, sums: [i64; 4]) {
        let (order_id, customer_id) = (order(n), customer());
        let [authorized, captured, refunded, voided] = sums;
        let event =
            PaymentChanged { order_id, customer_id, state, authorized, captured, refunded, voided };
        self.decide(cause, event);
    }

    pub(super) fn request(&mut self, cause: EventId, n: u8, quantity: u32, verb: PaymentVerb) {
        let event = PaymentRequested {
            payment_id: order(n).payment(),
            order_id: order(n),
            customer_id: customer(),
            verb,
            amount: PRICE * i64::from(quantity),
            currency: dollars(),
            payment_method: PaymentMethod::parse("tok_ok").unwrap(),
            expires_at: self.scribe.now.plus_ms(TIMEOUT_MS),
        };
        self.decide(cause, event);
    }

    pub(super) fn report(&mut self, n: u8, quantity: u32, outcome: PaymentOutcome) -> EventId {
        let report = PaymentReported {
            provider_event_id: format!("evt_{n}_{outcome:?}"),
            payment_id: order(n).payment(),
            order_id: order(n),
            outcome,
            amount: PRICE * i64::from(quantity),
            currency: dollars(),
            decline_code: None,
        };
        self.scribe.ask(customer().0.group(), report)
    }

    fn sell(&mut self) {
        self.reserved(1, 2);
        let (order_id, customer_id) = (order(1), customer());
        let cause = self.report(1, 2, PaymentOutcome::Authorized);
        self.scribe.next_epoch(1_000);
        self.decide(cause, OrderConfirmed { order_id, customer_id });
        self.paid(cause, 1, PaymentState::Capturing, [2 * PRICE, 0, 0, 0]);
        let allocated = StockAllocated { product_id: product(), order_id, quantity: 2 };
        self.decide(cause, allocated);
        self.request(cause, 1, 2, PaymentVerb::Capture);
        let cause = self.report(1, 2, PaymentOutcome::Captured);
        self.scribe.next_epoch(1_000);
        self.paid(cause, 1, PaymentState::Captured, [2 * PRICE, 2 * PRICE, 0, 0]);
    }

    /// The second order's deadline passes; `ms` is how long nothing happens.
    pub(super) fn lapse(&mut self, n: u8, quantity: u32, ms: u64) {
        self.scribe.next_epoch(ms);
        let timer = EventId(order(n).to_bytes());
        let (order_id, customer_id) = (order(n), customer());
        let reason = Reason::ReservationExpired;
        self.decide(timer, OrderCancelled { order_id, customer_id, reason });
        let lapsed = ReservationExpired { product_id: product(), order_id, quantity };
        self.decide(timer, lapsed);
    }

    fn refuse(&mut self) {
        let cause = self.checkout(3, 9);
        self.scribe.next_epoch(10);
        self.opened(cause, 3, 9);
        let (order_id, customer_id, reason) = (order(3), customer(), Reason::OutOfStock);
        let line = RejectedLine { product_id: product(), reason, asked: 9, available: 8 };
        self.decide(cause, OrderRejected { order_id, customer_id, reason, lines: vec![line] });
        let (product_id, asked, available) = (product(), 9, 8);
        self.decide(cause, StockRefused { product_id, order_id, reason, asked, available });
    }

    fn lose(&mut self) {
        let request = StockAdjustmentRequested {
            action_id: action(4),
            product_id: product(),
            idempotency_key: key("count-1"),
            warehouse_id: warehouse(),
            change: -3,
            reason: "damaged".to_owned(),
            expected_version: None,
        };
        let cause = self.scribe.ask(product().0.group(), request);
        self.scribe.next_epoch(10);
        let (product_id, warehouse_id) = (product(), warehouse());
        let (asked, change, version) = (-3, -3, 2);
        let reason = "damaged".to_owned();
        let event = StockAdjusted { product_id, warehouse_id, asked, change, reason, version };
        self.decide(cause, event);
    }
}

/// The whole day.
pub(super) fn day(hand: Hand) -> Scribe {
    let mut day = Day { scribe: Scribe::new(), hand };
    day.open_shop();
    day.sell();
    day.reserved(2, 4);
    day.lapse(2, 4, TIMEOUT_MS.unsigned_abs());
    day.refuse();
    day.lose();
    day.scribe.next_epoch(1_000);
    day.scribe
}

/// A day on which the shop was opened, and no more.
pub(super) fn opened() -> Day {
    let mut day = Day { scribe: Scribe::new(), hand: |event| vec![event] };
    day.open_shop();
    day
}
