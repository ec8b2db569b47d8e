//! What coding takes from the heap, counted.

use crate::samples::envelope;
use allocation_counter::measure;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::inventory::StockReserved;
use schemas::events::lines::{Level, OrderLine, Split};
use schemas::id::{CustomerId, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId};
use schemas::money::Currency;
use schemas::time::Timestamp;

fn checkout() -> Event {
    let line =
        |id| OrderLine { product_id: ProductId::parse(id).expect("legal"), quantity: 2, price: 5 };
    CheckoutRequested {
        order_id: OrderId::new(3, [9; 16]),
        customer_id: CustomerId::parse("c-1").expect("legal"),
        idempotency_key: IdempotencyKey::Text("0198a6b2-7c1d-7e3f-9a54-3d1f5b7c9e10".into()),
        lines: Some(vec![line("p-1"), line("p-2"), line("p-3")]),
        currency: Currency::parse("EUR").expect("legal"),
        region: RegionId::parse("eu").expect("legal"),
        payment_method: PaymentMethod::parse("tok_ok").expect("legal"),
    }
    .into()
}

fn reservation() -> Event {
    StockReserved {
        product_id: ProductId::parse("p-1").expect("legal"),
        order_id: OrderId::new(3, [9; 16]),
        levels: Split::One(Level {
            warehouse_id: WarehouseId::parse("berlin").expect("legal"),
            quantity: 2,
        }),
        expires_at: Timestamp(1),
        firm: true,
    }
    .into()
}

#[test]
fn an_order_is_decoded_with_one_allocation_and_a_reservation_with_none() {
    let codec = Codec::compiled();
    for (event, allowed) in [(checkout(), 1), (reservation(), 0)] {
        let mut bytes = Vec::with_capacity(1024);
        let encoding = measure(|| codec.encode(&envelope(), &event, &mut bytes));
        assert_eq!(encoding.count_total, 0, "to encode {event:?}");
        let decoding = measure(|| drop(codec.decode(&bytes).expect("just encoded")));
        assert_eq!(decoding.count_total, allowed, "to decode {event:?}");
    }
}
