//! Every order ends with nothing held and no money kept that is not owed, whatever comes in
//! whatever order, however often, in one epoch or in many, and however late the gateway answers.
//!
//! All of it is walked: a state is the shop, the provider's books and what may still come; each
//! state is visited once.

use super::doubles::{Held, ProductsDouble, Shelf};
use super::{Shop, TIMEOUT_MS};
use crate::shards::Decided;
use schemas::events::Event;
use schemas::events::customer_actions::{
    CancellationRequested, CheckoutRequested, IdempotencyKey, PaymentOutcome, PaymentReported,
};
use schemas::events::lines::OrderLine;
use schemas::events::payment_requests::PaymentVerb;
use schemas::id::{CustomerId, KeyHash, OrderId, PaymentMethod, ProductId, RegionId, action_id};
use schemas::limits::SETTLED_KEPT_MS;
use schemas::money::Currency;
use schemas::time::Timestamp;
use sinks::view_store::rows::OrderState;
use std::collections::HashSet;

const NOW: Timestamp = Timestamp(1_000_000);
const PRICE: i64 = 500;

/// What may happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Authorized,
    Declined,
    /// Time passes the deadline, or goes on.
    Expired,
    /// All stands still for so long that what is settled is past.
    Paused,
    Cancelled,
    /// The provider takes the money without being asked.
    Captured,
    /// An adjustment takes the order's units away.
    Adjusted,
    /// Others buy all that is available.
    SoldOut,
    /// The gateway answers its oldest open request.
    Answered,
    /// The gateway repeats its last answer.
    AnsweredAgain,
}

/// The provider's side: what really became of the money.
#[derive(Clone, Debug, Default)]
struct Provider {
    held: bool,
    captured: bool,
    voided: bool,
    refunded: bool,
    open: Vec<PaymentVerb>,
    told: Option<PaymentOutcome>,
}

impl Provider {
    /// Does what is asked for, and says what became of it.
    fn answer(&mut self) -> Option<PaymentOutcome> {
        let verb = (!self.open.is_empty()).then(|| self.open.remove(0))?;
        let outcome = match verb {
            PaymentVerb::Authorize => unreachable!("the steps say what became of it"),
            PaymentVerb::Capture => {
                assert!(self.held && !self.voided, "captured what is not held");
                self.captured = true;
                PaymentOutcome::Captured
            }
            PaymentVerb::Void if self.captured => PaymentOutcome::Captured,
            PaymentVerb::Void => {
                assert!(self.held && !self.voided, "voided what is not held");
                self.voided = true;
                PaymentOutcome::Voided
            }
            PaymentVerb::Refund => {
                assert!(self.captured && !self.refunded, "refunded what was not captured");
                self.refunded = true;
                PaymentOutcome::Refunded
            }
        };
        self.told = Some(outcome);
        Some(outcome)
    }
}

#[derive(Clone)]
struct World {
    shop: Shop,
    provider: Provider,
    now: Timestamp,
    state: OrderState,
    captures: u32,
    left: Vec<(Step, u32)>,
}

fn order() -> OrderId {
    OrderId::new(CustomerId::parse("ann").expect("legal").0.group(), [7; 16])
}

fn currency() -> Currency {
    Currency::parse("USD").expect("legal")
}

fn product(line: usize) -> ProductId {
    ProductId::parse(["P1", "P2"][line]).expect("legal")
}

impl World {
    fn new(lines: usize, slow: u32, left: &[(Step, u32)]) -> Self {
        let mut products = ProductsDouble { slow, ..ProductsDouble::default() };
        for line in 0..lines {
            let shelf = Shelf { available: 2, price: PRICE, currency: currency() };
            products.shelves.insert(product(line), shelf);
        }
        let mut world = Self {
            shop: Shop::new(products, 1),
            provider: Provider::default(),
            now: NOW,
            state: OrderState::Requested,
            captures: 0,
            left: left.to_vec(),
        };
        let line = |line| OrderLine { product_id: product(line), quantity: 1, price: PRICE };
        let checkout = CheckoutRequested {
            order_id: order(),
            customer_id: CustomerId::parse("ann").expect("legal"),
            idempotency_key: IdempotencyKey::Text("k1".into()),
            lines: Some((0..lines).map(line).collect()),
            currency: currency(),
            region: RegionId::parse("eu").expect("legal"),
            payment_method: PaymentMethod::parse("tok_ok").expect("legal"),
        };
        world.decide(vec![checkout.into()]);
        world
    }

    fn total(&self) -> i64 {
        PRICE * i64::try_from(self.shop.products.shelves.len()).expect("one or two")
    }

    fn decide(&mut self, records: Vec<Event>) {
        let events = self.shop.decide(self.now, records);
        events.iter().for_each(|decided| self.watch(decided));
    }

    /// I8 and "at most one capture", and hands requests to the gateway.
    fn watch(&mut self, decided: &Decided) {
        let next = match &decided.event {
            Event::OrderRejected(_) => OrderState::Rejected,
            Event::OrderAwaitingPayment(_) => OrderState::AwaitingPayment,
            Event::OrderConfirmed(_) => OrderState::Confirmed,
            Event::OrderCancelled(_) => OrderState::Cancelled,
            Event::PaymentRequested(request) => {
                assert_eq!(request.amount, self.total());
                match request.verb {
                    PaymentVerb::Authorize => return,
                    PaymentVerb::Capture => self.captures += 1,
                    PaymentVerb::Void | PaymentVerb::Refund => {}
                }
                assert!(self.captures <= 1, "I9: captured twice");
                self.provider.open.push(request.verb);
                return;
            }
            other => {
                assert!(!format!("{other:?}").starts_with("CustomerAction") || self.has_ended());
                return;
            }
        };
        let legal = match self.state {
            OrderState::Requested => next != OrderState::Confirmed,
            OrderState::AwaitingPayment => {
                matches!(next, OrderState::Confirmed | OrderState::Cancelled)
            }
            OrderState::Confirmed => next == OrderState::Cancelled,
            OrderState::Cancelled => next == OrderState::Confirmed,
            OrderState::Rejected => false,
        };
        assert!(legal, "I8: {:?} to {next:?}", self.state);
        self.state = next;
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, OrderState::Rejected | OrderState::Cancelled)
    }

    /// The record a step brings; some steps change the world instead.
    fn record(&mut self, step: Step) -> Option<Event> {
        let outcome = match step {
            Step::Authorized => {
                self.provider.held = true;
                PaymentOutcome::Authorized
            }
            Step::Declined => PaymentOutcome::Declined,
            Step::Captured => {
                if self.provider.voided {
                    return None;
                }
                (self.provider.held, self.provider.captured) = (true, true);
                PaymentOutcome::Captured
            }
            Step::Answered => self.provider.answer()?,
            Step::AnsweredAgain => self.provider.told?,
            Step::Expired => {
                self.now = self.now.plus_ms(TIMEOUT_MS);
                return None;
            }
            Step::Paused => {
                self.now = self.now.plus_ms(SETTLED_KEPT_MS);
                return None;
            }
            Step::Adjusted => {
                self.shop.products.adjustments.push((product(0), 2));
                return None;
            }
            Step::SoldOut => {
                self.shop.products.shelves.values_mut().for_each(|shelf| shelf.available = 0);
                return None;
            }
            Step::Cancelled => {
                let left = self.left.iter().find(|(left, _)| *left == Step::Cancelled);
                let key = left.map_or(0, |(_, left)| *left).to_string();
                let action_id = action_id(order().group(), &[key.as_bytes()]);
                let idempotency_key = IdempotencyKey::Hash(KeyHash::of(&key));
                let (order_id, reason) = (order(), String::new());
                return Some(
                    CancellationRequested { action_id, order_id, idempotency_key, reason }.into(),
                );
            }
        };
        let report = PaymentReported {
            provider_event_id: "evt".to_owned(),
            payment_id: order().payment(),
            order_id: order(),
            outcome,
            amount: self.total(),
            currency: currency(),
            decline_code: None,
        };
        Some(report.into())
    }

    fn take(&mut self, step: Step) -> bool {
        match self.left.iter_mut().find(|(left, count)| *left == step && *count > 0) {
            Some((_, count)) => {
                *count -= 1;
                true
            }
            None => step == Step::Answered && !self.provider.open.is_empty(),
        }
    }

    /// What the steps do in one epoch; none if they are not to be had.
    fn after(&self, steps: &[Step]) -> Option<Self> {
        let mut world = self.clone();
        let mut records = Vec::new();
        for step in steps {
            if !world.take(*step) {
                return None;
            }
            records.extend(world.record(*step));
        }
        world.decide(records);
        Some(world)
    }

    fn key(&self) -> String {
        let orders = &self.shop.shards[0].orders;
        let order = orders.find(order()).map(|at| format!("{:?}", orders.get(at).order));
        let past: Vec<_> = self.shop.shards[0].past.iter().collect();
        let World { provider, now, state, left, .. } = self;
        let products = &self.shop.products;
        let letters = &self.shop.left;
        format!(
            "{order:?} {products:?} {letters:?} {provider:?} {now:?} {state:?} {left:?} {past:?}"
        )
    }

    /// Lets time pass until nothing moves, then looks at what is held and kept.
    fn check_end(&self, path: &[Vec<Step>]) {
        let mut world = self.clone();
        for _ in 0..8 {
            world.now = world.now.plus_ms(TIMEOUT_MS);
            let records = world.record(Step::Answered).into_iter().collect();
            world.decide(records);
        }
        let sold = world.state == OrderState::Confirmed;
        let units = |wanted: fn(&Held) -> bool| {
            world.shop.products.held.values().filter(|(_, held)| wanted(held)).count()
        };
        let lines = world.shop.products.shelves.len();
        let provider = &world.provider;
        let kept = provider.captured && !provider.refunded;
        let held = provider.held && !provider.captured && !provider.voided;
        let found = (
            units(|held| matches!(held, Held::Reserved(_))),
            units(|held| matches!(held, Held::Allocated(_))),
            kept,
            held,
            provider.open.len(),
            matches!(world.state, OrderState::Requested | OrderState::AwaitingPayment),
        );
        let expected = (0, if sold { lines } else { 0 }, sold, false, 0, false);
        assert_eq!(found, expected, "{:?} after {path:?}", world.state);
    }
}

/// Walks all that can happen, up to `at_once` steps an epoch. Returns the states seen.
fn walk(world: &World, at_once: usize) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![(world.clone(), Vec::new())];
    while let Some((world, path)) = open.pop() {
        if !seen.insert(world.key()) {
            continue;
        }
        world.check_end(&path);
        let mut kinds: Vec<Step> = world.left.iter().map(|(step, _)| *step).collect();
        kinds.push(Step::Answered);
        let mut batches: Vec<Vec<Step>> = vec![Vec::new()];
        for _ in 0..at_once {
            let longer = batches.iter().flat_map(|batch| {
                kinds.iter().map(|kind| batch.iter().copied().chain([*kind]).collect())
            });
            batches = longer.collect();
            for batch in &batches {
                if let Some(next) = world.after(batch) {
                    let path = path.iter().cloned().chain([batch.clone()]).collect();
                    open.push((next, path));
                }
            }
        }
    }
    seen.len()
}

const TWICE: [(Step, u32); 4] =
    [(Step::Authorized, 2), (Step::Declined, 2), (Step::Expired, 2), (Step::Cancelled, 2)];

#[test]
fn authorized_declined_expired_cancelled_once_or_twice_in_any_order_end_well() {
    for lines in [1, 2] {
        for slow in [0, 6] {
            let states = walk(&World::new(lines, slow, &TWICE), 1);
            println!("{lines} lines, slow {slow}: {states} states");
            assert!(states > 200, "{states}");
        }
    }
}

#[test]
fn two_steps_of_one_epoch_end_well() {
    for (lines, slow) in [(1, 0), (2, 0), (2, 6)] {
        let states = walk(&World::new(lines, slow, &TWICE), 2);
        println!("{lines} lines, slow {slow}: {states} states");
        assert!(states > 200, "{states}");
    }
}

#[test]
fn captures_before_authorizations_adjustments_and_rivals_end_well() {
    let left = [
        (Step::Authorized, 1),
        (Step::Captured, 2),
        (Step::Expired, 1),
        (Step::Cancelled, 1),
        (Step::Adjusted, 1),
        (Step::SoldOut, 1),
        (Step::AnsweredAgain, 1),
    ];
    for (lines, slow) in [(1, 0), (2, 0), (2, 6)] {
        let states = walk(&World::new(lines, slow, &left), 2);
        println!("{lines} lines, slow {slow}: {states} states");
        assert!(states > 200, "{states}");
    }
}

#[test]
fn whatever_comes_of_an_order_that_is_past_ends_well() {
    let left = [
        (Step::Authorized, 2),
        (Step::Captured, 1),
        (Step::Declined, 1),
        (Step::Cancelled, 1),
        (Step::Paused, 2),
        (Step::AnsweredAgain, 1),
    ];
    for (lines, slow) in [(1, 0), (2, 0), (2, 6)] {
        let states = walk(&World::new(lines, slow, &left), 2);
        println!("{lines} lines, slow {slow}: {states} states");
        assert!(states > 200, "{states}");
    }
}
