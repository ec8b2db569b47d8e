//! I1 to I5 and I7 under random messages, and that nothing shows of seeds and workers.

use super::super::Products;
use super::oracle::Oracle;
use super::shop;
use crate::shards::{Decided, Out};
use machines::message::{Context, Place, ProductMessage, ToProduct};
use proptest::prelude::*;
use schemas::events::product_actions::SafetyStockSetRequested;
use schemas::id::{OrderId, ProductId};
use schemas::time::Timestamp;
use sinks::view_store::rows::Row;
use std::collections::{BTreeMap, BTreeSet};

const PRODUCTS: [&str; 3] = ["P1", "P2", "P3"];
const WAREHOUSES: [(&str, &str); 4] = [("A", "eu"), ("B", "eu"), ("C", "us"), ("D", "us")];

#[derive(Clone, Debug)]
pub(super) enum Step {
    Receive { warehouse: usize, quantity: u32, key: u32 },
    Adjust { warehouse: usize, change: i64 },
    KeepBack { warehouse: usize, units: u32 },
    Reserve { order: usize, quantity: u32, alone: bool, paid: bool },
    Secure { order: usize },
    Release { order: usize },
    Confirm { order: usize },
    Expire { order: usize },
    Later { ms: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (warehouse, order) = (0..4usize, 0..8usize);
    prop_oneof![
        2 => (warehouse.clone(), 1..30u32, 0..40u32)
            .prop_map(|(warehouse, quantity, key)| Step::Receive { warehouse, quantity, key }),
        2 => (warehouse.clone(), -40..10i64)
            .prop_map(|(warehouse, change)| Step::Adjust { warehouse, change }),
        1 => (warehouse, 0..10u32)
            .prop_map(|(warehouse, units)| Step::KeepBack { warehouse, units }),
        8 => (order.clone(), 1..40u32, prop::bool::weighted(0.3), prop::bool::weighted(0.1))
            .prop_map(|(order, quantity, alone, paid)| {
                Step::Reserve { order, quantity, alone, paid }
            }),
        3 => order.clone().prop_map(|order| Step::Secure { order }),
        2 => order.clone().prop_map(|order| Step::Release { order }),
        4 => order.clone().prop_map(|order| Step::Confirm { order }),
        1 => order.prop_map(|order| Step::Expire { order }),
        2 => (1..400_000i64).prop_map(|ms| Step::Later { ms }),
    ]
}

fn order_of(place: usize, order: usize) -> OrderId {
    shop::order(&format!("{place}/{order}"))
}

/// What a step says to a product; none where a customer would not say it.
fn say(
    oracle: &Oracle,
    context: &Context,
    count: usize,
    place: usize,
    step: &Step,
) -> Option<ProductMessage> {
    let name = PRODUCTS[place];
    let (product, line) = (shop::product(name), 0);
    Some(match *step {
        Step::Receive { warehouse, quantity, key } => {
            shop::receive(name, WAREHOUSES[warehouse].0, quantity, &format!("k{key}"))
        }
        Step::Adjust { warehouse, change } => {
            shop::adjust(name, WAREHOUSES[warehouse].0, change, &format!("a{count}"), None)
        }
        Step::KeepBack { warehouse, units } => shop::record(SafetyStockSetRequested {
            action_id: shop::action("keep"),
            product_id: product,
            warehouse_id: shop::warehouse(WAREHOUSES[warehouse].0),
            safety_stock: units,
        }),
        Step::Reserve { order, quantity, alone, paid } => {
            let order = order_of(place, order);
            if oracle.holds(product, order) || oracle.open.contains_key(&(product, order)) {
                return None;
            }
            let mut reserve = shop::reserve(context, name, order, quantity, "eu");
            reserve.alone = alone;
            if paid {
                (reserve.price, reserve.expires_at) = (None, Timestamp::MAX);
            }
            ProductMessage::Reserve(reserve)
        }
        Step::Secure { order } => ProductMessage::Secure {
            product,
            order: order_of(place, order),
            line,
            place: Place::UNKNOWN,
        },
        Step::Release { order } => ProductMessage::Release {
            product,
            order: order_of(place, order),
            line,
            place: Place::UNKNOWN,
        },
        Step::Confirm { order } => {
            let order = order_of(place, order);
            if !oracle.is_reserved(product, order, context.now) {
                return None;
            }
            ProductMessage::Confirm { product, order, line, place: Place::UNKNOWN }
        }
        Step::Expire { order } => ProductMessage::Expire {
            product,
            order: order_of(place, order),
            line,
            place: Place::UNKNOWN,
        },
        Step::Later { .. } => return None,
    })
}

/// All that shows of a run.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shown {
    /// With their epochs.
    events: Vec<(u64, Decided)>,
    rows: BTreeMap<Vec<u8>, Row>,
    digests: Vec<u64>,
    state: BTreeSet<String>,
}

/// A run's messages, epoch by epoch, as the oracle let them pass.
pub(super) type Script = Vec<(Context, Vec<ToProduct>)>;

fn set_up() -> Vec<ProductMessage> {
    let houses = WAREHOUSES.iter().zip(1..);
    let mut bodies: Vec<_> =
        houses.map(|((name, region), priority)| shop::set_up(name, region, priority)).collect();
    bodies.extend(PRODUCTS.iter().map(|name| shop::put(name, 500)));
    bodies
}

/// Plays the steps against the oracle; what was played, and what the oracle saw.
pub(super) fn play(steps: &[(usize, Step)]) -> (Script, Oracle) {
    let (mut products, mut oracle) = (Products::new(1, 0, 1), Oracle::default());
    let mut context = shop::context(1, 0);
    let (mut script, mut rows) = (vec![(context, Vec::new())], BTreeMap::new());
    let mut offset = 0;
    let mut say_all = set_up();
    for (count, (place, step)) in steps.iter().enumerate() {
        if let Step::Later { ms } = step {
            take_rows(&mut products, &context, &mut rows);
            oracle.rows_are_right(&rows);
            context = shop::context(context.epoch + 1, context.now.0 + ms);
            script.push((context, Vec::new()));
        }
        // A waiting line lapses in silence when its product is touched.
        let touched = shop::product(PRODUCTS[*place]);
        say_all.extend(say(&oracle, &context, count, *place, step));
        for body in std::mem::take(&mut say_all) {
            offset += 1;
            let message = shop::message(offset, body);
            script.last_mut().unwrap().1.push(message.clone());
            lapse(&mut oracle, touched, context.now);
            match &message.body {
                ProductMessage::Reserve(reserve) => oracle.ask(*reserve),
                ProductMessage::Release { product, order, .. } => oracle.give_up(*product, *order),
                _ => {}
            }
            let (events, messages) = shop::apply(&mut products, &context, message);
            events.iter().for_each(|decided| oracle.event(context.now, decided));
            oracle.answers(&events, &messages);
            oracle.nobody_waits_in_vain(touched);
        }
    }
    (script, oracle)
}

fn lapse(oracle: &mut Oracle, product: ProductId, now: Timestamp) {
    oracle.open.retain(|(p, _), (_, line)| *p != product || line.expires_at > now);
}

fn take_rows(products: &mut Products, context: &Context, into: &mut BTreeMap<Vec<u8>, Row>) {
    let mut rows = Vec::new();
    products.take_rows(context, &mut rows);
    let count = rows.len();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key(), row)).collect();
    assert_eq!(rows.len(), count, "each key once");
    into.extend(rows);
}

/// The same script over some shards.
pub(super) fn shown(script: &Script, seed: u64, peers: usize) -> Shown {
    let shards = (0..peers).map(|index| Products::new(seed, index, peers)).collect();
    shown_of(script, shards, shop::placed, |shards| shards)
}

/// The same, of these shards, whose orders were told places in this way; `between` epochs others
/// may come in their place.
pub(super) fn shown_of(
    script: &Script,
    mut shards: Vec<Products>,
    placed: impl Fn(&Products, ToProduct) -> ToProduct,
    mut between: impl FnMut(Vec<Products>) -> Vec<Products>,
) -> Shown {
    let mut shown = Shown::default();
    for (context, messages) in script {
        let mut digest = 0u64;
        let mut events = Vec::new();
        let peers = shards.len();
        for (index, shard) in shards.iter_mut().enumerate() {
            let mut out = Out::default();
            for message in messages {
                let everywhere = matches!(message.body, ProductMessage::Warehouse(_));
                let product = super::super::product_of(&message.body);
                if everywhere || usize::from(product.0.group()) % peers == index {
                    let message = placed(shard, message.clone());
                    shard.apply(context, message, &mut out);
                }
            }
            digest = digest.wrapping_add(out.digest);
            events.extend(out.events);
            take_rows(shard, context, &mut shown.rows);
        }
        events.sort_by_key(|decided| decided.key);
        shown.events.extend(events.into_iter().map(|decided| (context.epoch, decided)));
        shown.digests.push(digest);
        shards = between(shards);
    }
    let state = shards.iter().map(|shard| String::from_utf8(shard.dump()).unwrap());
    shown.state = state.flat_map(|s| s.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    shown
}

pub(super) fn history() -> impl Strategy<Value = Vec<(usize, Step)>> {
    prop::collection::vec((0..PRODUCTS.len(), step()), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_laws_hold_after_every_event(steps in history()) {
        play(&steps);
    }

    #[test]
    fn nothing_shows_of_seeds_and_workers(steps in history()) {
        let (script, _) = play(&steps);
        let one = shown(&script, 1, 1);
        let ids: BTreeSet<_> = one.events.iter().map(|(epoch, decided)| decided.event_id(*epoch)).collect();
        prop_assert_eq!(ids.len(), one.events.len());
        for (seed, peers) in [(2, 1), (3, 2), (4, 3), (5, 7)] {
            prop_assert_eq!(&shown(&script, seed, peers), &one);
        }
    }

    #[test]
    fn one_unit_more_of_one_line_changes_the_digest(steps in history()) {
        let (mut script, _) = play(&steps);
        let before = shown(&script, 1, 1).digests;
        let (at, line) = match script.iter_mut().enumerate().find_map(|(epoch, (_, messages))| {
            let lines = messages.iter_mut().rev();
            lines.filter_map(|message| match &mut message.body {
                ProductMessage::Reserve(reserve) => Some((epoch, reserve)),
                _ => None,
            }).next()
        }) {
            Some(found) => found,
            None => return Ok(()),
        };
        line.quantity += 1;
        // Cut behind the epoch: what a customer would then say differs.
        script.truncate(at + 1);
        let last = script[at].1.iter().rposition(|m| matches!(m.body, ProductMessage::Reserve(_)));
        script[at].1.truncate(last.unwrap() + 1);
        let changed = shown(&script, 1, 1).digests;
        let (context, messages) = script.last_mut().unwrap();
        if let ProductMessage::Reserve(reserve) = &mut messages.last_mut().unwrap().body {
            reserve.quantity -= 1;
        }
        let _ = context;
        let same = shown(&script, 1, 1).digests;
        prop_assert_ne!(changed[at], same[at]);
        prop_assert_eq!(&same[..at], &before[..at]);
    }
}

/// The random histories reach every kind of event: a law nobody tries is not kept.
#[test]
fn random_histories_reach_every_event() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..50 {
        let steps = history().new_tree(&mut runner).unwrap().current();
        for (name, count) in play(&steps).1.seen {
            *seen.entry(name).or_insert(0) += count;
        }
    }
    for name in [
        "StockReceived",
        "StockAdjusted",
        "SafetyStockChanged",
        "StockReserved",
        "ReservationSecured",
        "StockRefused",
        "StockAllocated",
        "StockReleased",
        "ReservationExpired",
        "ReservationRevoked",
        "AllocationShorted",
        "ProductActionRejected",
    ] {
        assert!(seen.get(name).is_some_and(|count| *count > 5), "{name}: {seen:?}");
    }
}
