//! Topic `product-actions`: what sellers and operators ask of a product.

use super::bounds;
use super::customer_actions::IdempotencyKey;
use crate::id::{ActionId, ProductId, SellerId, WarehouseId};
use crate::money::Currency;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is shown and asked for a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Who sells it.
    pub seller_id: SellerId,
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub description: String,
    /// A path: `electronics/phones`.
    pub category: String,
    /// Its brand.
    pub brand: String,
    /// Of one unit, in minor units.
    #[serde(deserialize_with = "bounds::price")]
    pub price: i64,
    /// Of the price.
    pub currency: Currency,
    /// Free names and values.
    #[serde(deserialize_with = "bounds::attributes")]
    pub attributes: BTreeMap<String, String>,
    /// Pictures.
    #[serde(deserialize_with = "bounds::image_urls")]
    pub image_urls: Vec<String>,
    /// The most units one order may have; null is no limit but the shop's.
    pub order_quantity_max: Option<u32>,
}

/// A listing to be made or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductPutRequested {
    /// This action.
    pub action_id: ActionId,
    /// Which product.
    pub product_id: ProductId,
    /// The listing's version that the caller saw; null does not ask.
    #[serde(serialize_with = "bounds::maybe_asked")]
    pub if_match: Option<u64>,
    /// The whole listing.
    pub listing: Box<Listing>,
}

/// A listing to be taken down. Stock stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductDelistRequested {
    /// This action.
    pub action_id: ActionId,
    /// Which product.
    pub product_id: ProductId,
    /// The listing's version that the caller saw; null does not ask.
    #[serde(serialize_with = "bounds::maybe_asked")]
    pub if_match: Option<u64>,
}

/// Goods arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockReceiptRequested {
    /// This action.
    pub action_id: ActionId,
    /// Of which product.
    pub product_id: ProductId,
    /// The caller's key.
    pub idempotency_key: IdempotencyKey,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// How many.
    #[serde(deserialize_with = "bounds::quantity")]
    pub quantity: u32,
    /// The caller's word for it.
    pub reference: String,
}

/// A recount or damage: a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockAdjustmentRequested {
    /// This action.
    pub action_id: ActionId,
    /// Of which product.
    pub product_id: ProductId,
    /// The caller's key.
    pub idempotency_key: IdempotencyKey,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// Units more or, negative, less.
    #[serde(deserialize_with = "bounds::change")]
    pub change: i64,
    /// Why.
    pub reason: String,
    /// The stock level's version that the caller saw; null does not ask.
    #[serde(serialize_with = "bounds::maybe_asked")]
    pub expected_version: Option<u64>,
}

/// Units never to be promised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SafetyStockSetRequested {
    /// This action.
    pub action_id: ActionId,
    /// Of which product.
    pub product_id: ProductId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// How many.
    pub safety_stock: u32,
}
