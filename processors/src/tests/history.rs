//! A seeded history: what customers, sellers and the payment provider did, step by step; each step
//! is an epoch. It has refusals, expiries, contended stock, repeated and reused keys, late,
//! repeated and wrong payment results, adjustments that take reservations, and open timers at
//! every cut. Written to a log with its plans, it is the same however it is dealt out.

use crate::plan::PlanTopic;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::Event;
use schemas::events::customer_actions::{
    CancellationRequested, CartItemAddRequested, CheckoutRequested, IdempotencyKey, PaymentOutcome,
    PaymentReported,
};
use schemas::events::epochs::{Cut, EpochPlanned, GenerationClaimed, Settings};
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
use schemas::topic::{GROUPS, PARTITIONS, Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const PRODUCTS: u64 = 12;
const CUSTOMERS: u64 = 40;
/// Orders that each wait for the one before.
const CHAIN: u64 = 17;
const STEP: Duration = Duration::from_millis(500);
const TIMEOUT_MS: i64 = 5_000;
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

/// What happened in one step.
pub(super) type Step = Vec<NewRecord>;

/// How a history is laid on the log: all of it leaves partitions and append times as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dealt {
    /// Records an append holds.
    pub batch: usize,
    /// Turns the order of the partitions within a step.
    pub arrival: usize,
}

/// Makes the steps of this seed.
pub(super) fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut writer = Writer { draws: seed, records: Vec::new(), codec: Codec::compiled(), said: 0 };
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
        steps.push(std::mem::take(&mut writer.records));
    }
    steps.extend((0..14).map(|_| Vec::new())); // Timers run out.
    steps
}

fn total(checkout: &CheckoutRequested) -> i64 {
    let lines = checkout.lines.as_deref().unwrap_or_default();
    lines.iter().map(|line| line.price * i64::from(line.quantity)).sum()
}

struct Writer {
    draws: u64,
    records: Vec<NewRecord>,
    codec: Codec,
    said: u64,
}

impl Writer {
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

    fn set_up(&mut self) -> Step {
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
        std::mem::take(&mut self.records)
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

/// Writes steps to a log, each with its plan; can be carried on.
pub(super) struct Scribe {
    clock: Clock,
    codec: Codec,
    plans: PlanTopic,
    plan_offset: u64,
    ends: BTreeMap<TopicPartition, u64>,
}

impl Scribe {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::manual(BEGIN),
            codec: Codec::compiled(),
            plans: PlanTopic::default(),
            plan_offset: 0,
            ends: BTreeMap::new(),
        }
    }

    /// Appends these steps to the log in `dir`.
    pub(super) fn write(&mut self, dir: &Path, steps: &[Step], dealt: Dealt) {
        let log = FileLog::open(dir, self.clock.clone(), Durability::NotDurable).unwrap();
        if self.plans.in_force().is_none() {
            self.claim(&log);
        }
        for step in steps {
            self.clock.advance(STEP);
            let mut records = step.clone();
            // Stable: the order within a partition stays.
            records.sort_by_key(|record| {
                let partition = usize::from(record.partition.partition);
                (partition + dealt.arrival * 7) % usize::from(PARTITIONS)
            });
            for batch in records.chunks(dealt.batch) {
                for (record, answer) in batch.iter().zip(log.append(batch.to_vec()).wait()) {
                    self.ends.insert(record.partition, answer.unwrap().offset + 1);
                }
            }
            self.clock.advance(Duration::from_millis(1));
            self.plan(&log);
        }
        log.close();
    }

    fn claim(&mut self, log: &FileLog) {
        let claim = GenerationClaimed {
            claim_id: EventId([7; 16]),
            follows: -1,
            era: 0,
            rules_version: 1,
            groups: GROUPS.into(),
            partitions: PARTITIONS.into(),
            settings: Settings { reservation_timeout_ms: TIMEOUT_MS },
        };
        self.append_plan(log, claim.into());
    }

    fn plan(&mut self, log: &FileLog) {
        let cut = self
            .ends
            .iter()
            .map(|(at, end)| Cut { topic: at.topic as u8, partition: at.partition, end: *end })
            .collect();
        let plan = EpochPlanned {
            generation: self.plans.generation().unsigned_abs(),
            epoch: self.plans.epoch() + 1,
            previous: self.plans.previous(),
            planner_ms: self.clock.now(),
            bound_ms: self.clock.now(),
            cut,
            digests: Vec::new(),
            held: Vec::new(),
        };
        self.append_plan(log, plan.into());
    }

    fn append_plan(&mut self, log: &FileLog, event: Event) {
        let mut value = Vec::new();
        self.codec.encode_bare(&event, &mut value);
        let record = NewRecord {
            partition: TopicPartition { topic: Topic::Epochs, partition: 0 },
            key: Bytes::new(),
            value: value.clone().into(),
            output_id: None,
        };
        log.append(vec![record]).wait().remove(0).unwrap();
        self.plans.read(self.plan_offset, self.clock.now(), &value, event);
        self.plan_offset += 1;
    }
}
