//! A seeded history: what customers, sellers and the payment provider did, step by step; each step
//! is an epoch. It has refusals, expiries, contended stock, repeated and reused keys, late,
//! repeated and wrong payment results, adjustments that take reservations, and open timers at
//! every cut. Written to a log with its plans, it is the same however it is dealt out.

use bytes::Bytes;
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::Event;
use schemas::events::customer_actions::{
    CancellationRequested, CartItemAddRequested, CheckoutRequested, IdempotencyKey, PaymentOutcome,
    PaymentReported,
};
use schemas::events::lines::OrderLine;
use schemas::events::product_actions::{
    Listing, ProductPutRequested, StockAdjustmentRequested, StockReceiptRequested,
};
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::hash::{hash128, mix};
use schemas::id::{
    ActionId, CustomerId, EventId, Id, OrderId, PaymentMethod, ProductId, RegionId, SellerId,
    WarehouseId, action_id,
};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use sinks::event_log::NewRecord;
use std::collections::BTreeMap;

const PRODUCTS: u64 = 12;
const CUSTOMERS: u64 = 40;
/// Orders that each wait for the one before.
const CHAIN: u64 = 17;
pub(super) const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

/// What happened in one step.
pub(super) type Step = Vec<NewRecord>;

/// Makes the steps of this seed.
pub(super) fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut writer = Writer::new(seed);
    let mut orders: Vec<(OrderId, i64)> = Vec::new();
    let mut checkouts: Vec<CheckoutRequested> = Vec::new();
    let mut steps = vec![writer.set_up()];
    for step in 1..count {
        for _ in 0..6 {
            let checkout = writer.checkout();
            orders.push((checkout.order_id, total(&checkout)));
            checkouts.push(checkout.clone());
            writer.say(checkout.customer_id.0, checkout.into());
        }
        if step.is_multiple_of(3) {
            let index = writer.draw(checkouts.len() as u64) as usize;
            let again = checkouts[index].clone();
            writer.say(again.customer_id.0, again.clone().into());
            let mut other = again;
            other.order_id = OrderId::new(other.order_id.group(), [step as u8; 16]);
            writer.say(other.customer_id.0, other.into());
        }
        // About two orders in three hear of their payment, some late, some twice, some wrongly.
        for _ in 0..5 {
            let index = writer.draw(orders.len() as u64) as usize;
            let (order, total) = orders[index];
            writer.payment(order, total);
        }
        if step.is_multiple_of(2) {
            let index = writer.draw(orders.len() as u64) as usize;
            writer.cancel(orders[index].0, step);
        }
        writer.cart(step);
        writer.stock(step);
        match step % 12 {
            6 => writer.last_units(),
            7 => writer.chain(),
            _ => {}
        }
        steps.push(writer.step());
    }
    steps.extend((0..14).map(|_| Vec::new())); // Timers run out.
    steps
}

fn total(checkout: &CheckoutRequested) -> i64 {
    let lines = checkout.lines.as_deref().unwrap_or_default();
    lines.iter().map(|line| line.price * i64::from(line.quantity)).sum()
}

/// Writes records.
pub(super) struct Writer {
    draws: u64,
    records: Vec<NewRecord>,
    codec: Codec,
    said: u64,
}

impl Writer {
    pub(super) fn new(seed: u64) -> Self {
        Self { draws: seed, records: Vec::new(), codec: Codec::compiled(), said: 0 }
    }

    /// Takes what was written.
    pub(super) fn step(&mut self) -> Step {
        std::mem::take(&mut self.records)
    }

    /// A customer asks for a unit.
    pub(super) fn one(&mut self) -> OrderId {
        let mut checkout = self.checkout();
        let lines = checkout.lines.as_mut().unwrap();
        lines.truncate(1);
        lines[0].quantity = 1;
        let order = checkout.order_id;
        self.say(checkout.customer_id.0, checkout.into());
        order
    }

    /// The provider has authorized a unit's price.
    pub(super) fn authorized(&mut self, order: OrderId) {
        self.report(order, PaymentOutcome::Authorized, 500);
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        mix(self.draws) % below
    }

    #[expect(clippy::needless_pass_by_value, reason = "said once, then it is on the log")]
    fn say(&mut self, key: Id, event: Event) {
        self.said += 1;
        let group = match &event {
            Event::CancellationRequested(e) => e.order_id.group(),
            Event::PaymentReported(e) => e.order_id.group(),
            _ => key.group(),
        };
        let id = EventId(hash128(9, &self.said.to_be_bytes()));
        let envelope = Envelope {
            event_id: id,
            occurred_at: BEGIN,
            role: Role::Operator,
            subject: None,
            causation_id: id,
            correlation_id: id,
        };
        let mut value = Vec::new();
        self.codec.encode(&envelope, &event, &mut value);
        self.records.push(NewRecord {
            partition: TopicPartition::of_group(event.kind().topic(), group),
            key: key.with_text(|text| Bytes::copy_from_slice(text.as_bytes())),
            value: value.into(),
            output_id: None,
        });
    }

    fn action(&mut self, group: u16) -> (ActionId, IdempotencyKey) {
        let number = self.said.to_string();
        (action_id(group, &[number.as_bytes()]), IdempotencyKey::Text(number.into()))
    }

    pub(super) fn set_up(&mut self) -> Step {
        for warehouse in 0..3 {
            let put = WarehousePutRequested {
                action_id: ActionId::default(),
                warehouse_id: warehouse_id(warehouse),
                name: format!("warehouse {warehouse}"),
                region: RegionId(id("r", warehouse % 2)),
                priority: 10,
            };
            self.say(put.warehouse_id.0, put.into());
        }
        for product in 0..PRODUCTS {
            self.list(product, 500);
            for warehouse in 0..3 {
                self.receive(product, warehouse, 4);
            }
        }
        self.step()
    }

    fn list(&mut self, product: u64, price: i64) {
        let listing = Listing {
            seller_id: SellerId(id("s", 1)),
            name: format!("product {product}"),
            description: String::new(),
            category: "things".to_owned(),
            brand: "brand".to_owned(),
            price,
            currency: usd(),
            attributes: BTreeMap::new(),
            image_urls: Vec::new(),
            order_quantity_max: Some(4),
        };
        let product_id = product_id(product);
        let (action_id, _) = self.action(product_id.0.group());
        let listing = Box::new(listing);
        let put = ProductPutRequested { action_id, product_id, if_match: None, listing };
        self.say(product_id.0, put.into());
    }

    fn receive(&mut self, product: u64, warehouse: u64, quantity: u32) {
        let product_id = product_id(product);
        let (action_id, idempotency_key) = self.action(product_id.0.group());
        let receipt = StockReceiptRequested {
            action_id,
            product_id,
            idempotency_key,
            warehouse_id: warehouse_id(warehouse),
            quantity,
            reference: "delivery".to_owned(),
        };
        self.say(product_id.0, receipt.into());
    }

    fn checkout(&mut self) -> CheckoutRequested {
        let customer_id = CustomerId(id("c", self.draw(CUSTOMERS)));
        let (action, idempotency_key) = self.action(customer_id.0.group());
        let lines = (0..=self.draw(3))
            .map(|_| OrderLine {
                product_id: product_id(self.draw(PRODUCTS)),
                quantity: 1 + self.draw(3) as u32,
                price: 500,
            })
            .collect();
        CheckoutRequested {
            order_id: action.order(),
            customer_id,
            idempotency_key,
            lines: Some(lines),
            currency: usd(),
            region: RegionId(id("r", self.draw(2))),
            payment_method: PaymentMethod(id("tok_", 1)),
        }
    }

    /// One unit of each of the products that [`Writer::chain`] asks for.
    fn last_units(&mut self) {
        for link in 0..=CHAIN {
            self.list(PRODUCTS + link, 500);
            self.receive(PRODUCTS + link, 0, 1);
        }
    }

    /// Orders that want the last unit of two products each, one of them that of the order before:
    /// every second one gets them, and each waits for the decision of the one before it, for more
    /// rounds than an epoch has.
    fn chain(&mut self) {
        for link in 0..CHAIN {
            let mut checkout = self.checkout();
            let customer_id = CustomerId(id("chained", 0));
            checkout.customer_id = customer_id;
            checkout.order_id = OrderId::new(customer_id.0.group(), checkout.order_id.to_bytes());
            let line =
                |product| OrderLine { product_id: product_id(product), quantity: 1, price: 500 };
            let products = [PRODUCTS + link, PRODUCTS + link + 1];
            checkout.lines = Some(products.map(line).into());
            self.say(customer_id.0, checkout.into());
        }
    }

    fn payment(&mut self, order: OrderId, total: i64) {
        let (outcome, amount, times) = match self.draw(10) {
            0 => (PaymentOutcome::Declined, total, 1),
            1 => (PaymentOutcome::Authorized, total, 3),
            2 => (PaymentOutcome::Captured, total, 1),
            3 => (PaymentOutcome::Voided, total, 1),
            4 => (PaymentOutcome::Refunded, total, 1),
            5 => (PaymentOutcome::Authorized, total + 1, 1),
            _ => (PaymentOutcome::Authorized, total, 1),
        };
        for _ in 0..times {
            self.report(order, outcome, amount);
        }
    }

    fn report(&mut self, order: OrderId, outcome: PaymentOutcome, amount: i64) {
        let report = PaymentReported {
            provider_event_id: format!("evt_{}", self.said),
            payment_id: order.payment(),
            order_id: order,
            outcome,
            amount,
            currency: usd(),
            decline_code: None,
        };
        self.say(id("order", 0), report.into());
    }

    fn cancel(&mut self, order_id: OrderId, step: usize) {
        let (action_id, idempotency_key) = self.action(order_id.group());
        let reason = format!("step {step}");
        let cancel = CancellationRequested { action_id, order_id, idempotency_key, reason };
        self.say(id("order", 0), cancel.into());
    }

    fn cart(&mut self, step: usize) {
        let customer_id = CustomerId(id("c", self.draw(CUSTOMERS)));
        let (action_id, idempotency_key) = self.action(customer_id.0.group());
        let product_id = product_id(self.draw(PRODUCTS));
        let add = CartItemAddRequested {
            action_id,
            customer_id,
            idempotency_key,
            product_id,
            quantity: 1,
        };
        self.say(customer_id.0, add.into());
        if step.is_multiple_of(4) {
            let mut checkout = self.checkout();
            checkout.lines = None;
            checkout.customer_id = customer_id;
            checkout.order_id = OrderId::new(customer_id.0.group(), checkout.order_id.to_bytes());
            self.say(customer_id.0, checkout.into());
        }
    }

    fn stock(&mut self, step: usize) {
        let product = self.draw(PRODUCTS);
        self.receive(product, step as u64 % 3, 3);
        // A fire now and then: orders lose several lines at once.
        let burnt =
            if step.is_multiple_of(10) { 2 * PRODUCTS } else { u64::from(step.is_multiple_of(5)) };
        for _ in 0..burnt {
            let product_id = product_id(self.draw(PRODUCTS));
            let (action_id, idempotency_key) = self.action(product_id.0.group());
            let adjust = StockAdjustmentRequested {
                action_id,
                product_id,
                idempotency_key,
                warehouse_id: warehouse_id(self.draw(3)),
                change: -5,
                reason: "damaged".to_owned(),
                expected_version: None,
            };
            self.say(product_id.0, adjust.into());
        }
        if step.is_multiple_of(7) {
            let product = self.draw(PRODUCTS);
            self.list(product, 500 + i64::from(step.is_multiple_of(2)));
        }
    }
}

fn id(prefix: &str, number: u64) -> Id {
    Id::parse(&format!("{prefix}{number}")).unwrap()
}
fn product_id(product: u64) -> ProductId {
    ProductId(id("p", product))
}
fn warehouse_id(warehouse: u64) -> WarehouseId {
    WarehouseId(id("w", warehouse))
}
fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}
