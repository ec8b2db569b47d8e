//! Random histories of a few customers who compete for a few products.
//!
//! Nothing shows of hash seeds and of the number of shards: events, rows, digests and state are
//! the same. Units are neither lost nor made, each order's events are counted in its row, and in
//! the end nothing is held that is not sold.

use super::doubles::{Held, ProductsDouble, Shelf};
use super::{Shop, TIMEOUT_MS};
use crate::shards::Decided;
use crate::shards::customers::Customers;
use proptest::prelude::*;
use schemas::events::Event;
use schemas::events::customer_actions::{
    CancellationRequested, CartItemAddRequested, CartItemSetRequested, CheckoutRequested,
    IdempotencyKey, PaymentOutcome, PaymentReported,
};
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, KeyHash, OrderId, PaymentMethod, ProductId, RegionId, action_id};
use schemas::money::Currency;
use schemas::time::Timestamp;
use sinks::view_store::rows::Row;
use std::collections::BTreeSet;

const CUSTOMERS: [&str; 3] = ["ann", "bob", "cy"];
const PRODUCTS: [&str; 3] = ["phone", "case", "book"];
const UNITS: u32 = 20;
const PRICE: i64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Checkout {
        customer: usize,
        key: u8,
        lines: Option<Vec<(usize, u32)>>,
    },
    Add {
        customer: usize,
        key: u8,
        product: usize,
        quantity: u32,
    },
    Set {
        customer: usize,
        product: usize,
        quantity: u32,
    },
    Cancel {
        nth: usize,
        key: u8,
    },
    Told {
        nth: usize,
        outcome: PaymentOutcome,
        right: bool,
    },
    /// The epoch ends; so many minutes pass.
    Later(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (customer, key, product) = (0..3_usize, 0..12_u8, 0..3_usize);
    let line = (product.clone(), 1..6_u32);
    let outcome = prop_oneof![
        5 => Just(PaymentOutcome::Authorized),
        1 => Just(PaymentOutcome::Declined),
        2 => Just(PaymentOutcome::Captured),
        1 => Just(PaymentOutcome::Voided),
        1 => Just(PaymentOutcome::Refunded),
    ];
    prop_oneof![
        6 => (customer.clone(), key.clone(), prop::collection::vec(line, 1..4))
            .prop_map(|(customer, key, lines)| Step::Checkout { customer, key, lines: Some(lines) }),
        2 => (customer.clone(), key.clone())
            .prop_map(|(customer, key)| Step::Checkout { customer, key, lines: None }),
        3 => (customer.clone(), key.clone(), product.clone(), 1..4_u32).prop_map(
            |(customer, key, product, quantity)| Step::Add { customer, key, product, quantity }
        ),
        1 => (customer, product, 0..4_u32).prop_map(
            |(customer, product, quantity)| Step::Set { customer, product, quantity }
        ),
        2 => (0..8_usize, key).prop_map(|(nth, key)| Step::Cancel { nth, key }),
        6 => (0..8_usize, outcome, prop::bool::weighted(0.9))
            .prop_map(|(nth, outcome, right)| Step::Told { nth, outcome, right }),
        5 => prop_oneof![4 => Just(1_i64), 1 => Just(16)].prop_map(Step::Later),
    ]
}

/// Turns steps into records; knows the orders asked for so far.
#[derive(Default)]
struct Scribe {
    orders: Vec<(OrderId, i64)>,
}

impl Scribe {
    fn record(&mut self, step: &Step) -> Option<Event> {
        let currency = Currency::parse("USD").expect("legal");
        Some(match step {
            Step::Checkout { customer, key, lines } => {
                self.checkout(CUSTOMERS[*customer], *key, lines.as_deref(), currency)
            }
            Step::Add { customer, key, product, quantity } => CartItemAddRequested {
                action_id: action_id(
                    id(CUSTOMERS[*customer]).0.group(),
                    &[CUSTOMERS[*customer].as_bytes(), format!("{step:?}").as_bytes()],
                ),
                customer_id: id(CUSTOMERS[*customer]),
                idempotency_key: hashed(*key),
                product_id: ProductId(id(PRODUCTS[*product]).0),
                quantity: *quantity,
            }
            .into(),
            Step::Set { customer, product, quantity } => CartItemSetRequested {
                action_id: action_id(
                    id(CUSTOMERS[*customer]).0.group(),
                    &[CUSTOMERS[*customer].as_bytes(), format!("{step:?}").as_bytes()],
                ),
                customer_id: id(CUSTOMERS[*customer]),
                product_id: ProductId(id(PRODUCTS[*product]).0),
                quantity: *quantity,
            }
            .into(),
            Step::Cancel { nth, key } => {
                let (order_id, _) = self.nth(*nth)?;
                CancellationRequested {
                    action_id: action_id(order_id.group(), &[&order_id.to_bytes(), &[*key]]),
                    order_id,
                    idempotency_key: hashed(*key),
                    reason: String::new(),
                }
                .into()
            }
            Step::Told { nth, outcome, right } => {
                let (order_id, total) = self.nth(*nth)?;
                PaymentReported {
                    provider_event_id: "evt".to_owned(),
                    payment_id: order_id.payment(),
                    order_id,
                    outcome: *outcome,
                    amount: if *right { total } else { total + 1 },
                    currency,
                    decline_code: None,
                }
                .into()
            }
            Step::Later(_) => return None,
        })
    }

    fn checkout(
        &mut self,
        customer: &str,
        key: u8,
        lines: Option<&[(usize, u32)]>,
        currency: Currency,
    ) -> Event {
        let customer_id = id(customer);
        let body = format!("{key} {lines:?}");
        let parts = [customer.as_bytes(), body.as_bytes()];
        let order_id = action_id(customer_id.0.group(), &parts).order();
        let line = |(product, quantity): &(usize, u32)| OrderLine {
            product_id: ProductId(id(PRODUCTS[*product]).0),
            quantity: *quantity,
            price: PRICE,
        };
        let lines: Option<Vec<_>> = lines.map(|lines| lines.iter().map(line).collect());
        let units: u32 = lines.iter().flatten().map(|line| line.quantity).sum();
        self.orders.push((order_id, PRICE * i64::from(units)));
        CheckoutRequested {
            order_id,
            customer_id,
            idempotency_key: hashed(key),
            lines,
            currency,
            region: RegionId::parse("eu").expect("legal"),
            payment_method: PaymentMethod::parse("tok_ok").expect("legal"),
        }
        .into()
    }

    /// The latest orders are told of most.
    fn nth(&self, nth: usize) -> Option<(OrderId, i64)> {
        self.orders.iter().rev().nth(nth).copied()
    }
}

fn id(text: &str) -> CustomerId {
    CustomerId::parse(text).expect("legal")
}

fn hashed(key: u8) -> IdempotencyKey {
    IdempotencyKey::Hash(KeyHash::of(&key.to_string()))
}

/// All that shows of a run.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    events: Vec<Vec<Decided>>,
    rows: Vec<Vec<Row>>,
    digests: Vec<u64>,
    state: BTreeSet<String>,
}

fn run(steps: &[Step], shards: Vec<Customers>, slow: u32) -> Shown {
    let mut products = ProductsDouble { slow, ..ProductsDouble::default() };
    for product in PRODUCTS {
        let currency = Currency::parse("USD").expect("legal");
        let shelf = Shelf { available: UNITS, price: PRICE, currency };
        products.shelves.insert(ProductId(id(product).0), shelf);
    }
    let mut shop = Shop::of(shards, products);
    let (mut scribe, mut shown) = (Scribe::default(), Shown::default());
    let (mut now, mut records) = (Timestamp(1_000_000), Vec::new());
    // Two long pauses in the end: everything undecided is over.
    let pauses = [Step::Later(16), Step::Later(16), Step::Later(16)];
    for step in steps.iter().chain(&pauses) {
        let Step::Later(minutes) = step else {
            records.extend(scribe.record(step));
            continue;
        };
        let mut events = shop.decide(now, std::mem::take(&mut records));
        events.sort_by_key(|decided| decided.key);
        shown.events.push(events);
        shown.rows.push(shop.rows(now));
        shown.digests.push(shop.digest);
        now = now.plus_ms(minutes * TIMEOUT_MS / 15);
        check_units(&shop);
    }
    check_end(&shop);
    shown.state = shop.dump();
    shown
}

/// I1 and I2, as far as the double goes.
fn check_units(shop: &Shop) {
    for (product, shelf) in &shop.products.shelves {
        let held: u32 = shop
            .products
            .held
            .values()
            .filter(|(of, _)| of == product)
            .map(|(_, Held::Reserved(units) | Held::Allocated(units))| units)
            .sum();
        assert_eq!(shelf.available + held, UNITS, "I1: {product}");
    }
}

/// I3 and I6: what is held is what confirmed orders have, line by line.
fn check_end(shop: &Shop) {
    use machines::order::State;
    let mut sold = BTreeSet::new();
    for placed in shop.shards.iter().flat_map(|shard| shard.orders.iter()) {
        let id = &placed.id;
        match placed.order.state() {
            State::Confirmed => {
                let lines = (0..).zip(placed.order.lines());
                sold.extend(lines.map(|(number, line)| (*id, number, line.quantity)));
            }
            State::Rejected(_) | State::Cancelled(_) | State::Lapsed => {}
            open @ (State::Requested | State::AwaitingPayment | State::ReservingAgain) => {
                panic!("I8: {id} is {open:?} in the end")
            }
        }
    }
    let held = shop.products.held.iter().map(|((order, line), (_, held))| match held {
        Held::Allocated(units) => (*order, *line, *units),
        Held::Reserved(units) => panic!("I6: {units} of {order} are still reserved"),
    });
    assert_eq!(held.collect::<BTreeSet<_>>(), sold);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_shows_of_seeds_and_shards(
        steps in prop::collection::vec(step(), 1..60),
        slow in prop_oneof![Just(0_u32), Just(6)],
    ) {
        let one = run(&steps, vec![Customers::new(1)], slow);
        let three = run(&steps, [2, 3, 4].map(Customers::new).to_vec(), slow);
        prop_assert_eq!(one, three);
    }

    #[test]
    fn every_event_of_an_order_is_in_its_version_and_timeline(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let shown = run(&steps, vec![Customers::new(1)], 0);
        let mut counted = std::collections::BTreeMap::new();
        for rows in &shown.rows {
            for row in rows {
                match row {
                    Row::Timeline(row) => {
                        *counted.entry(row.order_id).or_insert(0) += row.entries.len() as u64;
                    }
                    Row::Orders(row) => prop_assert_eq!(row.updated_at >= row.created_at, true),
                    _ => {}
                }
            }
            // Rows come by view: an order's own row after what came before, the timeline later.
            for row in rows {
                if let Row::Orders(row) = row {
                    prop_assert_eq!(counted.get(&row.order_id).copied(), Some(row.version));
                }
            }
        }
    }
}

/// A check of the generator: what is never drawn is never tested.
#[test]
fn random_histories_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let steps =
            prop::collection::vec(step(), 60).new_tree(&mut runner).expect("drawn").current();
        let shown = run(&steps, vec![Customers::new(1)], 0);
        seen.extend(shown.events.iter().flatten().map(|decided| decided.event.kind().name()));
    }
    let expected = [
        "CartChanged",
        "CartCleared",
        "CustomerActionRejected",
        "OrderAwaitingPayment",
        "OrderCancelled",
        "OrderConfirmed",
        "OrderRejected",
        "OrderRequested",
        "PaymentChanged",
        "PaymentRequested",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
