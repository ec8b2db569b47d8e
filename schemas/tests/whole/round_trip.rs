//! Whatever the engine may write reads back the same.

use crate::samples::envelope;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::customer_actions::{
    CheckoutRequested, IdempotencyKey, PaymentOutcome, PaymentReported,
};
use schemas::events::epochs::{Cut, EpochDigest, EpochPlanned, Held};
use schemas::events::inventory::StockReserved;
use schemas::events::lines::{Level, OrderLine, Split};
use schemas::id::{
    CustomerId, EventId, Id, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId,
};
use schemas::limits::{AMOUNT_MAX, LINES_MAX, PRICE_MAX, QUANTITY_MAX, SPLIT_MAX};
use schemas::money::Currency;
use schemas::time::Timestamp;

fn id() -> impl Strategy<Value = Id> {
    "[A-Za-z0-9._-]{1,64}".prop_map(|text| Id::parse(&text).expect("legal"))
}
fn order_id() -> impl Strategy<Value = OrderId> {
    (0..1024u16, any::<[u8; 16]>()).prop_map(|(group, hash)| OrderId::new(group, hash))
}
fn currency() -> impl Strategy<Value = Currency> {
    "[A-Z]{3}".prop_map(|text| Currency::parse(&text).expect("legal"))
}
fn count() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn checkout() -> impl Strategy<Value = Event> {
    let line = (id(), 1..=QUANTITY_MAX, 0..=PRICE_MAX)
        .prop_map(|(id, quantity, price)| OrderLine { product_id: ProductId(id), quantity, price });
    let lines = option::of(vec(line, 0..=LINES_MAX));
    let parts = (order_id(), id(), "[!-~]{1,255}", lines, currency(), id(), id());
    parts.prop_map(|(order_id, customer, key, lines, currency, region, payment_method)| {
        CheckoutRequested {
            order_id,
            customer_id: CustomerId(customer),
            idempotency_key: IdempotencyKey::Text(key.into()),
            lines,
            currency,
            region: RegionId(region),
            payment_method: PaymentMethod(payment_method),
        }
        .into()
    })
}

fn reservation() -> impl Strategy<Value = Event> {
    let level = (id(), 1..=QUANTITY_MAX)
        .prop_map(|(id, quantity)| Level { warehouse_id: WarehouseId(id), quantity });
    let parts = (id(), order_id(), vec(level, 1..=SPLIT_MAX), any::<i64>(), any::<bool>());
    parts.prop_map(|(product, order_id, levels, expires_at, firm)| {
        StockReserved {
            product_id: ProductId(product),
            order_id,
            levels: Split::of(&levels),
            expires_at: Timestamp(expires_at),
            firm,
        }
        .into()
    })
}

fn payment() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        Just(PaymentOutcome::Authorized),
        Just(PaymentOutcome::Declined),
        Just(PaymentOutcome::Captured),
        Just(PaymentOutcome::Voided),
        Just(PaymentOutcome::Refunded),
    ];
    let code = option::of(".{0,40}");
    let parts = (".{0,255}", order_id(), outcome, 0..=AMOUNT_MAX, currency(), code);
    parts.prop_map(|(provider_event_id, order_id, outcome, amount, currency, decline_code)| {
        PaymentReported {
            provider_event_id,
            payment_id: order_id.payment(),
            order_id,
            outcome,
            amount,
            currency,
            decline_code,
        }
        .into()
    })
}

fn plan() -> impl Strategy<Value = Event> {
    let cut = (any::<u8>(), any::<u16>(), count()).prop_map(|(topic, partition, end)| Cut {
        topic,
        partition,
        end,
    });
    let digest = (count(), any::<u8>(), any::<i64>())
        .prop_map(|(epoch, operator, digest)| EpochDigest { epoch, operator, digest });
    let held = (any::<u8>(), any::<u16>()).prop_map(|(topic, partition)| Held { topic, partition });
    let lists = (vec(cut, 0..=48), vec(digest, 0..100), vec(held, 0..=48));
    let parts = (count(), count(), any::<[u8; 16]>(), any::<i64>(), any::<i64>(), lists);
    parts.prop_map(|(generation, epoch, previous, planner, bound, (cut, digests, held))| {
        EpochPlanned {
            generation,
            epoch,
            previous: EventId(previous),
            planner_ms: Timestamp(planner),
            bound_ms: Timestamp(bound),
            cut,
            digests,
            held,
        }
        .into()
    })
}

/// As it is read: with the key's hash for the key.
fn as_read(mut event: Event) -> Event {
    if let Event::CheckoutRequested(checkout) = &mut event {
        checkout.idempotency_key = IdempotencyKey::Hash(checkout.idempotency_key.hash());
    }
    event
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn an_enveloped_event_reads_back(event in prop_oneof![checkout(), reservation(), payment()]) {
        let codec = Codec::compiled();
        let mut bytes = Vec::new();
        codec.encode(&envelope(), &event, &mut bytes);
        prop_assert_eq!(codec.decode(&bytes).unwrap(), (envelope(), as_read(event)));
    }

    #[test]
    fn a_plan_reads_back(event in plan()) {
        let codec = Codec::compiled();
        let mut bytes = Vec::new();
        codec.encode_bare(&event, &mut bytes);
        prop_assert_eq!(codec.decode_bare(&bytes).unwrap(), event);
    }
}
