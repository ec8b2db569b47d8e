//! The keys of rows: see the table in [`rows`](super::rows).

use schemas::id::{Id, OrderId};
use schemas::time::Timestamp;

/// A caller's id: its text and a zero byte.
#[must_use]
pub fn id(id: Id) -> Vec<u8> {
    id.with_text(|text| {
        let mut key = Vec::with_capacity(text.len() + 1 + 24);
        key.extend_from_slice(text.as_bytes());
        key.push(0);
        key
    })
}

/// A caller's id and another behind it.
#[must_use]
pub fn ids(first: Id, second: Id) -> Vec<u8> {
    let mut key = id(first);
    second.with_text(|text| key.extend_from_slice(text.as_bytes()));
    key.push(0);
    key
}

/// A caller's id and one of ours.
#[must_use]
pub fn id_and_order(first: Id, order: OrderId) -> Vec<u8> {
    let mut key = id(first);
    key.extend_from_slice(&order.to_bytes());
    key
}

/// An order and an epoch.
#[must_use]
pub fn order_epoch(order: OrderId, epoch: u64) -> Vec<u8> {
    let mut key = order.to_bytes().to_vec();
    key.extend_from_slice(&epoch.to_be_bytes());
    key
}

/// A customer, newest first, an order. Of one millisecond, the one that was asked for last.
#[must_use]
pub fn customer_order(
    customer: Id,
    created_at: Timestamp,
    asked_at: u64,
    order: OrderId,
) -> Vec<u8> {
    let mut key = id(customer);
    key.extend_from_slice(&(!created_at.0.cast_unsigned()).to_be_bytes());
    key.extend_from_slice(&(!asked_at).to_be_bytes());
    key.extend_from_slice(&order.to_bytes());
    key
}
