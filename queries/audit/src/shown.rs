//! What the HTTP of a running shop must show of the fold: the shapes of the outside interface,
//! written down a second time.
//!
//! Shown is compared field by field; a field that is not here (a rating, parcels) is not judged.

use crate::claims::Claim;
use crate::fold::Fold;
use crate::order::Order;
use crate::rows::{order_row, payment_row};
use crate::stock::{Product, StockLevel};
use schemas::id::{CustomerId, OrderId, ProductId, WarehouseId};
use serde_json::{Value, json};
use sinks::view_store::rows::{LineRow, PaymentRow, Row};

/// Whether all that is expected stands in what is shown.
pub(crate) fn fits(expected: &Value, shown: &Value) -> bool {
    match (expected, shown) {
        (Value::Object(expected), Value::Object(shown)) => expected
            .iter()
            .all(|(name, value)| shown.get(name).is_some_and(|shown| fits(value, shown))),
        (Value::Array(expected), Value::Array(shown)) => {
            let each = || expected.iter().zip(shown).all(|(a, b)| fits(a, b));
            expected.len() == shown.len() && each()
        }
        (expected, shown) => expected == shown,
    }
}

/// `GET /v1/warehouses/{id}`.
pub(crate) fn warehouse(fold: &Fold, id: WarehouseId) -> Option<Value> {
    let put = fold.others.warehouses.get(&id)?;
    let (name, region, priority) = (&put.name, put.region, put.priority);
    Some(json!({ "warehouse_id": id, "name": name, "region": region, "priority": priority }))
}

/// `GET /v1/products/{id}`.
pub(crate) fn product(fold: &Fold, id: ProductId) -> Option<Value> {
    let product = fold.stock.products.get(&id)?;
    let listed = product.listed.as_ref()?;
    let listing = &listed.listing;
    Some(json!({
        "product_id": id, "seller_id": listing.seller_id, "name": listing.name,
        "description": listing.description, "category": listing.category,
        "brand": listing.brand, "price": listing.price, "currency": listing.currency,
        "attributes": listing.attributes, "image_urls": listing.image_urls,
        "order_quantity_max": listing.order_quantity_max,
        "state": if listed.listed { "listed" } else { "delisted" },
        "version": listed.version, "available": available(product),
        "updated_at": listed.updated_at.rfc3339(),
    }))
}

/// `GET /v1/products/{id}/stock`.
pub(crate) fn stock(fold: &Fold, id: ProductId) -> Option<Value> {
    let product = fold.stock.products.get(&id)?;
    let mut levels: Vec<&StockLevel> = product.levels.iter().collect();
    levels.sort_by_key(|level| level.warehouse.to_string());
    let sum = |of: fn(&StockLevel) -> i64| levels.iter().map(|level| of(level)).sum::<i64>();
    let level = |level: &&StockLevel| {
        json!({
            "warehouse_id": level.warehouse, "on_hand": level.on_hand,
            "available": level.available(), "reserved": level.reserved,
            "allocated": level.allocated, "safety_stock": level.safety_stock(),
            "version": level.version,
        })
    };
    Some(json!({
        "product_id": id, "on_hand": sum(|l| l.on_hand), "available": available(product),
        "reserved": sum(|l| l.reserved), "allocated": sum(|l| l.allocated),
        "safety_stock": sum(StockLevel::safety_stock),
        "levels": levels.iter().map(level).collect::<Vec<_>>(),
    }))
}

fn available(product: &Product) -> i64 {
    product.levels.iter().map(StockLevel::available).sum()
}

/// An item of `GET /v1/products/{id}/reservations`.
pub(crate) fn reservation(order: OrderId, claim: &Claim) -> Value {
    json!({
        "order_id": order, "quantity": claim.levels.quantity(),
        "levels": claim.levels.levels(), "expires_at": claim.expires_at.rfc3339(),
    })
}

/// `GET /v1/customers/{id}/cart`.
pub(crate) fn cart(fold: &Fold, id: CustomerId) -> Option<Value> {
    let cart = fold.others.carts.get(&id)?;
    let item = |(product, (quantity, price)): (&ProductId, &(u32, i64))| {
        let known = fold.stock.products.get(product);
        let listed = known.and_then(|known| known.listed.as_ref());
        let price_now = listed.filter(|listed| listed.listed).map(|l| l.listing.price);
        let available = known.filter(|known| known.listed.is_some()).map_or(0, available);
        json!({
            "product_id": product, "quantity": quantity, "price": price, "price_now": price_now,
            "available": available,
        })
    };
    let sum = |(quantity, price): &(u32, i64)| i64::from(*quantity) * price;
    Some(json!({
        "customer_id": id, "items": cart.items.iter().map(item).collect::<Vec<_>>(),
        "currency": cart.currency, "total": cart.items.values().map(sum).sum::<i64>(),
        "version": cart.version, "updated_at": cart.updated_at.rfc3339(),
    }))
}

/// `GET /v1/orders/{id}`, without its payment and timeline.
pub(crate) fn order(id: OrderId, order: &Order) -> Value {
    let row = order_row(id, order);
    let line = |line: &LineRow| {
        json!({
            "product_id": line.product_id, "quantity": line.quantity, "price": line.price,
            "state": line.state, "levels": line.levels,
            "reason": line.refused.map(|refused| refused.reason),
            "asked": line.refused.map(|refused| refused.asked),
            "available": line.refused.map(|refused| refused.available),
        })
    };
    json!({
        "order_id": id, "customer_id": row.customer_id, "state": row.state, "reason": row.reason,
        "version": row.version, "lines": row.lines.iter().map(line).collect::<Vec<_>>(),
        "total": order.total(), "currency": row.currency,
        "reservation_expires_at": row.expires_at.map(schemas::time::Timestamp::rfc3339),
        "created_at": row.created_at.rfc3339(), "updated_at": row.updated_at.rfc3339(),
    })
}

/// An order's `payment`: null until it is asked for.
pub(crate) fn payment(id: OrderId, order: &Order) -> Value {
    let Some(Row::Payments(row)) = payment_row(id, order) else { return Value::Null };
    let PaymentRow { state, amount, authorized, captured, refunded, voided, currency, .. } = row;
    json!({
        "payment_id": id.payment(), "order_id": id, "state": state, "amount": amount,
        "authorized": authorized, "captured": captured, "refunded": refunded, "voided": voided,
        "currency": currency,
    })
}
