//! Topic `inventory`: what was decided on stock and listings; key product.

use super::lines::Split;
use super::orders::Reason;
use super::product_actions::Listing;
use crate::id::{ActionId, OrderId, ProductId, WarehouseId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A listing was made or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductListed {
    /// Which product.
    pub product_id: ProductId,
    /// Changes of this listing so far, from 1.
    pub version: u64,
    /// The whole listing.
    pub listing: Box<Listing>,
}

/// A listing was taken down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductDelisted {
    /// Which product.
    pub product_id: ProductId,
    /// Changes of this listing so far.
    pub version: u64,
}

/// A product action that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductActionRejected {
    /// Of which product.
    pub product_id: ProductId,
    /// Which action.
    pub action_id: ActionId,
    /// Why.
    pub reason: Reason,
}

/// Goods arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockReceived {
    /// Of which product.
    pub product_id: ProductId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// How many.
    pub quantity: u32,
    /// The caller's word for it.
    pub reference: String,
    /// Seller's changes of this stock level so far, from 1.
    pub version: u64,
}

/// A recount or damage was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockAdjusted {
    /// Of which product.
    pub product_id: ProductId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// What was said.
    pub asked: i64,
    /// What on_hand changed by: less than said where it would have gone below zero.
    pub change: i64,
    /// Why.
    pub reason: String,
    /// Seller's changes of this stock level so far.
    pub version: u64,
}

/// Units never to be promised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SafetyStockChanged {
    /// Of which product.
    pub product_id: ProductId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// How many are wanted; what is there of them depends on the stock.
    pub safety_stock: u32,
    /// Seller's changes of this stock level so far.
    pub version: u64,
}

/// A soft claim was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockReserved {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Where from.
    pub levels: Split,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Whether it is firm at once: the order has this line alone.
    pub firm: bool,
}

/// All lines of the order are reserved: the claim is firm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationSecured {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
}

/// A line was refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockRefused {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: Reason,
    /// Units asked for.
    pub asked: u32,
    /// Units that firm claims left.
    pub available: u32,
}

/// A reservation became an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockAllocated {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Units.
    pub quantity: u32,
}

/// A claim was given back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockReleased {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Units.
    pub quantity: u32,
    /// Whether it was an allocation already.
    pub allocated: bool,
}

/// A reservation lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationExpired {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Units.
    pub quantity: u32,
}

/// An adjustment took a reservation's units; its order is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationRevoked {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Units, in all warehouses.
    pub quantity: u32,
}

/// An adjustment took units of an allocation: the line is short by them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllocationShorted {
    /// Of which product.
    pub product_id: ProductId,
    /// For which order.
    pub order_id: OrderId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// Units missing now.
    pub quantity: u32,
}
