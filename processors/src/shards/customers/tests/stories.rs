//! Timers and digests, beside what walks, ledgers and laws reach.

use super::doubles::{ProductsDouble, Shelf};
use super::{Shop, TIMEOUT_MS};
use schemas::events::Event;
use schemas::events::customer_actions::{
    CancellationRequested, CartItemAddRequested, CartItemSetRequested, CheckoutRequested,
    IdempotencyKey,
};
use schemas::events::lines::OrderLine;
use schemas::events::orders::Reason;
use schemas::id::{ActionId, CustomerId, KeyHash, OrderId, PaymentMethod, ProductId, RegionId};
use schemas::limits::SETTLED_KEPT_MS;
use schemas::money::Currency;
use schemas::time::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

fn shop() -> Shop {
    let mut products = ProductsDouble::default();
    let currency = Currency::parse("USD").expect("legal");
    let shelf = Shelf { available: 1000, price: 500, currency };
    products.shelves.insert(ProductId::parse("phone").expect("legal"), shelf);
    Shop::new(products, 1)
}

/// The `nth` order of a key group, of so many units.
fn checkout(group: u16, nth: u8, quantity: u32) -> Event {
    let mut checkout = checkout_of(group, nth);
    checkout.lines.as_mut().expect("it has lines")[0].quantity = quantity;
    checkout.into()
}

fn checkout_of(group: u16, nth: u8) -> CheckoutRequested {
    CheckoutRequested {
        order_id: OrderId::new(group, [nth; 16]),
        customer_id: CustomerId::parse("ann").expect("legal"),
        idempotency_key: IdempotencyKey::Hash(KeyHash([u64::from(group), u64::from(nth)])),
        lines: Some(vec![OrderLine {
            product_id: ProductId::parse("phone").expect("legal"),
            quantity: 1,
            price: 500,
        }]),
        currency: Currency::parse("USD").expect("legal"),
        region: RegionId::parse("eu").expect("legal"),
        payment_method: PaymentMethod::parse("tok_ok").expect("legal"),
    }
}

fn cancelled(shop: &mut Shop, now: Timestamp, records: Vec<Event>) -> Vec<(u16, u8)> {
    let decided = shop.decide(now, records);
    let of = |event: &Event| match event {
        Event::OrderCancelled(event) => {
            Some((event.order_id.group(), event.order_id.to_bytes()[15]))
        }
        _ => None,
    };
    decided.iter().filter_map(|decided| of(&decided.event)).collect()
}

#[test]
fn a_sweep_takes_so_many_of_each_group_and_keeps_the_rest() {
    let mut shop = shop();
    shop.sweep_cap = 2;
    let orders = [(7, 3), (7, 1), (5, 9), (7, 2)].map(|(group, nth)| checkout(group, nth, 1));
    shop.decide(NOW, orders.to_vec());
    assert_eq!(shop.shards[0].next_deadline(), Some(NOW.plus_ms(TIMEOUT_MS)));

    assert_eq!(cancelled(&mut shop, NOW.plus_ms(TIMEOUT_MS - 1), Vec::new()), []);
    let due = NOW.plus_ms(TIMEOUT_MS);
    assert_eq!(cancelled(&mut shop, due, Vec::new()), [(5, 9), (7, 1), (7, 2)]);
    assert_eq!(shop.shards[0].next_deadline(), Some(due), "one is left");
    assert_eq!(cancelled(&mut shop, due.plus_ms(1), Vec::new()), [(7, 3)]);
    assert_eq!(shop.shards[0].next_deadline(), None);
    assert_eq!(cancelled(&mut shop, due.plus_ms(2), Vec::new()), []);
}

#[test]
fn a_settled_order_behind_those_that_a_sweep_takes_is_not_overdue() {
    let mut shop = shop();
    shop.sweep_cap = 1;
    let orders = [(7, 1), (7, 2)].map(|(group, nth)| checkout(group, nth, 1));
    shop.decide(NOW, orders.to_vec());
    let cancel = CancellationRequested {
        action_id: ActionId::new(7, [9; 16]),
        order_id: OrderId::new(7, [2; 16]),
        idempotency_key: IdempotencyKey::Hash(KeyHash([9, 9])),
        reason: "changed my mind".to_owned(),
    };
    assert_eq!(cancelled(&mut shop, NOW.plus_ms(1), vec![cancel.into()]), [(7, 2)]);
    let due = NOW.plus_ms(TIMEOUT_MS);
    assert_eq!(shop.shards[0].next_deadline(), Some(due));
    assert_eq!(cancelled(&mut shop, due, Vec::new()), [(7, 1)]);
    assert_eq!(shop.shards[0].next_deadline(), None);
}

/// Settled at one time, each of its repetitions finds it until the week is over, and what is left of
/// it for ever.
#[test]
fn a_settled_order_is_the_same_order_for_ever() {
    let mut shop = shop();
    let (order, late) = (OrderId::new(7, [1; 16]), |shop: &Shop| shop.late);
    let cancel = |nth: u8| {
        Event::from(CancellationRequested {
            action_id: ActionId::new(7, [nth; 16]),
            order_id: order,
            idempotency_key: IdempotencyKey::Hash(KeyHash([nth.into(), 9])),
            reason: "changed my mind".to_owned(),
        })
    };
    shop.decide(NOW, vec![checkout(7, 1, 1)]);
    assert_eq!(cancelled(&mut shop, NOW, vec![cancel(1)]), [(7, 1)]);
    let over = NOW.plus_ms(SETTLED_KEPT_MS);
    for (number, now, places) in
        [(2, over.plus_ms(-1), "placed"), (3, over, "placed"), (4, over, "past")]
    {
        let decided = shop.decide(now, vec![checkout(7, 1, 1), cancel(number)]);
        let refused = decided.iter().map(|decided| match &decided.event {
            Event::CustomerActionRejected(event) => (event.customer_id, event.reason),
            other => panic!("{other:?} when it is {places}"),
        });
        let customer = CustomerId::parse("ann").expect("legal");
        assert_eq!(refused.collect::<Vec<_>>(), [(customer, Reason::IllegalState)]);
        assert_eq!(late(&shop), if places == "past" { 2 } else { 0 });
        let lines = shop.dump().iter().filter(|line| line.starts_with("past ")).count();
        assert_eq!(lines, usize::from(places == "past"));
    }
}

#[test]
fn one_unit_more_of_one_line_changes_the_digest() {
    let digest = |quantity| {
        let mut shop = shop();
        shop.decide(NOW, vec![checkout(7, 1, 1), checkout(7, 2, quantity)]);
        shop.digest
    };
    assert_eq!(digest(3), digest(3));
    assert_ne!(digest(3), digest(4));
}

#[test]
fn a_repeated_record_and_a_fired_timer_change_the_digest() {
    let digest = |records: Vec<Event>, now| {
        let mut shop = shop();
        shop.decide(NOW, records);
        shop.decide(now, Vec::new());
        shop.digest
    };
    let (once, twice) = (vec![checkout(7, 1, 1)], vec![checkout(7, 1, 1), checkout(7, 1, 1)]);
    let due = NOW.plus_ms(TIMEOUT_MS);
    let digests = [digest(once.clone(), NOW), digest(twice, NOW), digest(once, due)];
    assert!(digests[0] != digests[1] && digests[0] != digests[2], "{digests:?}");
}

#[test]
fn all_that_comes_for_a_cart_in_one_epoch_is_decided_in_it() {
    let mut shop = shop();
    let customer_id = CustomerId::parse("ann").expect("legal");
    let product_id = ProductId::parse("phone").expect("legal");
    let add = |nth: u8| {
        let idempotency_key = IdempotencyKey::Hash(KeyHash([1, u64::from(nth)]));
        let action_id = ActionId::new(7, [nth; 16]);
        Event::from(CartItemAddRequested {
            action_id,
            customer_id,
            idempotency_key,
            product_id,
            quantity: 1,
        })
    };
    let set = |nth: u8, quantity| {
        let action_id = ActionId::new(7, [nth; 16]);
        Event::from(CartItemSetRequested { action_id, customer_id, product_id, quantity })
    };
    let mut records: Vec<_> = (0..20).map(add).collect();
    records.extend([set(20, 0), set(21, 5), add(3), add(22)]);
    let bought = CheckoutRequested { lines: None, ..checkout_of(customer_id.0.group(), 23) };
    records.push(bought.into());
    let decided = shop.decide(NOW, records);
    let quantities = decided.iter().filter_map(|decided| match &decided.event {
        Event::CartChanged(changed) => Some(changed.quantity),
        _ => None,
    });
    assert_eq!(quantities.collect::<Vec<_>>(), (1..=20).chain([0, 5, 6]).collect::<Vec<_>>());
    let ordered = decided.iter().find_map(|decided| match &decided.event {
        Event::OrderRequested(order) => Some(order.lines[0].quantity),
        _ => None,
    });
    assert_eq!((ordered, shop.left.len()), (Some(6), 0));
}
