//! A shard that is spoken to by names: what all tests of it share.

use super::super::Products;
use crate::shards::{Decided, Out};
use machines::message::{Cause, Context, Place, ProductMessage, Reserve, ToCustomer, ToProduct};
use machines::rules::Rules;
use schemas::events::Event;
use schemas::events::customer_actions::IdempotencyKey;
use schemas::events::product_actions::{
    Listing, ProductPutRequested, StockAdjustmentRequested, StockReceiptRequested,
};
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::id::{
    ActionId, EventId, OrderId, ProductId, RegionId, SellerId, WarehouseId, action_id,
};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use std::collections::BTreeMap;

pub(super) const TIMEOUT_MS: i64 = 900_000;

/// A message with the place in the log that it comes from.
pub(super) fn message(offset: u64, body: ProductMessage) -> ToProduct {
    let at = TopicPartition { topic: Topic::CustomerActions, partition: 0 };
    let appended_at = Timestamp(i64::try_from(offset).unwrap());
    let cause = Cause::record(appended_at, at, offset);
    ToProduct { cause, cause_id: EventId(u128::from(offset).to_be_bytes()), body }
}

pub(super) fn context(epoch: u64, now: i64) -> Context {
    let deadline = Timestamp(now + TIMEOUT_MS);
    let now = Timestamp(now);
    Context { epoch, now, before: now, deadline, rules: Rules::NEWEST }
}

/// Applies one message; what came of it.
pub(super) fn apply(
    products: &mut Products,
    context: &Context,
    message: ToProduct,
) -> (Vec<Decided>, Vec<ToCustomer>) {
    let mut out = Out::default();
    products.apply(context, placed(products, message), &mut out);
    (out.events, out.messages)
}

/// The message with the place that its order was told.
pub(super) fn placed(products: &Products, message: ToProduct) -> ToProduct {
    placed_by(message, |product, order| products.told(product, order))
}

pub(super) fn placed_by(
    mut message: ToProduct,
    mut told: impl FnMut(ProductId, OrderId) -> Place,
) -> ToProduct {
    match &mut message.body {
        ProductMessage::Secure { product, order, place, .. }
        | ProductMessage::Release { product, order, place, .. }
        | ProductMessage::Confirm { product, order, place, .. }
        | ProductMessage::Expire { product, order, place, .. } => {
            *place = told(*product, *order);
        }
        ProductMessage::Warehouse(_)
        | ProductMessage::Record(_)
        | ProductMessage::Reserve(_)
        | ProductMessage::AskPrice { .. } => {}
    }
    message
}

pub(super) fn product(name: &str) -> ProductId {
    ProductId::parse(name).unwrap()
}

pub(super) fn warehouse(name: &str) -> WarehouseId {
    WarehouseId::parse(name).unwrap()
}

pub(super) fn region(name: &str) -> RegionId {
    RegionId::parse(name).unwrap()
}

pub(super) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(super) fn order(name: &str) -> OrderId {
    action(name).order()
}

pub(super) fn action(name: &str) -> ActionId {
    action_id(7, &[name.as_bytes()])
}

pub(super) fn listing(price: i64, currency: Currency, max: Option<u32>) -> Box<Listing> {
    Box::new(Listing {
        seller_id: SellerId::parse("seller").unwrap(),
        name: "A thing".to_owned(),
        description: "12:34, and \u{e4} colon".to_owned(),
        category: "things/small".to_owned(),
        brand: String::new(),
        price,
        currency,
        attributes: BTreeMap::from([("colour".to_owned(), "red".to_owned())]),
        image_urls: vec!["a.png".to_owned(), "b.png".to_owned()],
        order_quantity_max: max,
    })
}

pub(super) fn put(name: &str, price: i64) -> ProductMessage {
    record(ProductPutRequested {
        action_id: action("put"),
        product_id: product(name),
        if_match: None,
        listing: listing(price, usd(), None),
    })
}

pub(super) fn record(event: impl Into<Event>) -> ProductMessage {
    ProductMessage::Record(Box::new(event.into()))
}

pub(super) fn set_up(name: &str, region_name: &str, priority: u32) -> ProductMessage {
    ProductMessage::Warehouse(Box::new(
        WarehousePutRequested {
            action_id: action(name),
            warehouse_id: warehouse(name),
            name: format!("House {name}"),
            region: region(region_name),
            priority,
        }
        .into(),
    ))
}

pub(super) fn receive(to: &str, at: &str, quantity: u32, key: &str) -> ProductMessage {
    record(StockReceiptRequested {
        action_id: action(&format!("receive {to} {at} {quantity} {key}")),
        product_id: product(to),
        idempotency_key: IdempotencyKey::Text(key.into()),
        warehouse_id: warehouse(at),
        quantity,
        reference: "delivery note 1".to_owned(),
    })
}

pub(super) fn adjust(
    of: &str,
    at: &str,
    change: i64,
    key: &str,
    expected_version: Option<u64>,
) -> ProductMessage {
    record(StockAdjustmentRequested {
        action_id: action(&format!("adjust {of} {at} {change} {key} {expected_version:?}")),
        product_id: product(of),
        idempotency_key: IdempotencyKey::Text(key.into()),
        warehouse_id: warehouse(at),
        change,
        reason: "recount".to_owned(),
        expected_version,
    })
}

/// A line as a shopper asks for it; a paid order that asks again has neither price nor deadline.
pub(super) fn reserve(
    context: &Context,
    of: &str,
    for_order: OrderId,
    quantity: u32,
    to: &str,
) -> Reserve {
    Reserve {
        product: product(of),
        order: for_order,
        line: 0,
        alone: false,
        quantity,
        price: Some(500),
        currency: usd(),
        region: region(to),
        expires_at: context.deadline,
    }
}
