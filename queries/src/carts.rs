//! Carts: what was put in, beside what it costs and how many there are now.

use crate::Queries;
use crate::answer::{Answer, Resource, rfc3339_or_null, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use crate::products::ListingState;
use axum::extract::State;
use edge::path_id::{CallersId, PathId};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::id::{CustomerId, ProductId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::ViewError;
use sinks::view_store::key;
use sinks::view_store::rows::{self, View};
use utoipa::ToSchema;

/// An item of a cart.
#[derive(Serialize, ToSchema)]
pub(crate) struct CartItem {
    #[schema(value_type = String)]
    product_id: ProductId,
    quantity: u32,
    /// What one cost when it was put in, in minor units.
    price: i64,
    /// What one costs now; null if it is not for sale.
    price_now: Option<i64>,
    /// Units that can be promised now.
    available: i64,
}

/// A customer's cart.
#[derive(Serialize, ToSchema)]
pub(crate) struct Cart {
    #[schema(value_type = String)]
    customer_id: CustomerId,
    items: Vec<CartItem>,
    /// Of all prices; null while the cart is empty.
    #[schema(value_type = Option<String>)]
    currency: Option<Currency>,
    /// Sum of quantity and price.
    total: i64,
    /// Changes so far.
    version: u64,
    /// Null if there was none yet.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
}

/// A customer's cart; one that was never used is empty, of version 0.
#[utoipa::path(
    get, path = "/v1/customers/{customer_id}/cart", tag = "cart",
    params(("customer_id" = inline(CallersId), Path), Freshness),
    responses((status = 200, body = Cart), ReadRefusals<'_>)
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<CustomerId>,
    freshness: Freshness,
) -> Result<Answer<Cart>, Problem> {
    let scope = Scope::customer(id.0.group());
    let mark = queries.fresh(freshness, Consistency::Strong, scope).await?;
    Ok(Answer::one(mark, queries.cart(id)?))
}

impl Queries {
    fn cart(&self, id: CustomerId) -> Result<Resource<Cart>, ViewError> {
        let Some(stored) = self.views.get(View::Carts, &key::id(id.0))? else {
            return Ok(unused(id));
        };
        let (row, mut epoch) = row_of!(Carts, stored)?;
        let mut items = Vec::with_capacity(row.items.len());
        for item in &row.items {
            let (item, seen) = self.cart_item(item)?;
            epoch = epoch.max(seen);
            items.push(item);
        }
        let body = Cart {
            customer_id: id,
            items,
            currency: row.currency,
            total: row.items.iter().map(|item| i64::from(item.quantity) * item.price).sum(),
            version: row.version,
            updated_at: Some(row.updated_at),
        };
        Ok(Resource { body, version: row.version, epoch })
    }

    /// The item, and the newest epoch that wrote what it shows of its product.
    fn cart_item(&self, item: &rows::CartItem) -> Result<(CartItem, u64), ViewError> {
        let product = self.product(item.product_id)?;
        let epoch = product.as_ref().map_or(0, |product| product.epoch);
        let product = product.map(|product| product.body);
        let listed = product.as_ref().filter(|product| product.state == ListingState::Listed);
        let shown = CartItem {
            product_id: item.product_id,
            quantity: item.quantity,
            price: item.price,
            price_now: listed.map(|product| product.price),
            available: product.as_ref().map_or(0, |product| product.available),
        };
        Ok((shown, epoch))
    }

    /// A cart as `GET /v1/customers/{customer_id}/cart` shows it.
    pub fn cart_json(&self, id: CustomerId) -> Result<Value, ViewError> {
        self.cart(id).map(Resource::into_json)
    }
}

fn unused(customer_id: CustomerId) -> Resource<Cart> {
    let items = Vec::new();
    let body = Cart { customer_id, items, currency: None, total: 0, version: 0, updated_at: None };
    Resource { body, version: 0, epoch: 0 }
}
