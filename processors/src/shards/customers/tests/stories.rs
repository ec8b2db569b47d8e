//! Timers and digests, beside what walks, ledgers and laws reach.

use super::doubles::{ProductsDouble, Shelf};
use super::{Shop, TIMEOUT_MS};
use schemas::events::Event;
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, KeyHash, OrderId, PaymentMethod, ProductId, RegionId};
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
    CheckoutRequested {
        order_id: OrderId::new(group, [nth; 16]),
        customer_id: CustomerId::parse("ann").expect("legal"),
        idempotency_key: IdempotencyKey::Hash(KeyHash([u64::from(group), u64::from(nth)])),
        lines: Some(vec![OrderLine {
            product_id: ProductId::parse("phone").expect("legal"),
            quantity,
            price: 500,
        }]),
        currency: Currency::parse("USD").expect("legal"),
        region: RegionId::parse("eu").expect("legal"),
        payment_method: PaymentMethod::parse("tok_ok").expect("legal"),
    }
    .into()
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
