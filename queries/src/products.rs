//! Products: the listing, and how many units can be promised.

use crate::Queries;
use crate::answer::{Answer, Resource, rfc3339, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use crate::paging::{Page, PageParameters, Paging};
use axum::extract::State;
use edge::path_id::{CallersId, PathId};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::id::{ProductId, SellerId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::key;
use sinks::view_store::rows::View;
use sinks::view_store::{Stored, ViewError};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A product.
#[derive(Serialize, ToSchema)]
pub(crate) struct Product {
    #[schema(value_type = String)]
    product_id: ProductId,
    #[schema(value_type = String)]
    seller_id: SellerId,
    name: String,
    description: String,
    /// A path: `electronics/phones`.
    category: String,
    brand: String,
    /// Of one unit, in minor units of the currency.
    pub(crate) price: i64,
    #[schema(value_type = String)]
    currency: Currency,
    attributes: BTreeMap<String, String>,
    image_urls: Vec<String>,
    /// The most units one order may have; null is no limit but the shop's.
    order_quantity_max: Option<u32>,
    #[schema(inline)]
    pub(crate) state: ListingState,
    /// Changes of the listing, from 1.
    version: u64,
    /// Units that can be promised, over all warehouses.
    pub(crate) available: i64,
    #[schema(inline)]
    rating: Rating,
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Whether a listing is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListingState {
    Listed,
    Delisted,
}

/// What customers think of it. There are no reviews yet, so it is nobody's opinion.
#[derive(Serialize, ToSchema)]
struct Rating {
    count: u64,
    mean: Option<f64>,
}

/// One product.
#[utoipa::path(
    get, path = "/v1/products/{product_id}", tag = "products",
    params(("product_id" = inline(CallersId), Path), Freshness),
    responses((status = 200, body = Product), ReadRefusals<'_>)
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<ProductId>,
    freshness: Freshness,
) -> Result<Answer<Product>, Problem> {
    let mark = queries.fresh(freshness, Consistency::Eventual, Scope::Inputs).await?;
    let product = queries.product(id)?.ok_or_else(Problem::not_found)?;
    Ok(Answer::one(mark, product))
}

/// All products, delisted ones too, by id.
#[utoipa::path(
    get, path = "/v1/products", tag = "products",
    params(PageParameters, Freshness),
    responses((status = 200, body = Page<Product>), ReadRefusals<'_>)
)]
pub(crate) async fn list(
    State(queries): State<Queries>,
    _: Principal,
    paging: Paging,
) -> Result<Answer<Page<Product>>, Problem> {
    let mark = queries.fresh(paging.freshness, Consistency::Eventual, Scope::Inputs).await?;
    let item = |stored| queries.product_from(stored).map(|product| product.body);
    Ok(Answer::list(mark, queries.page(View::Products, &[], &paging, item)?))
}

impl Queries {
    pub(crate) fn product(&self, id: ProductId) -> Result<Option<Resource<Product>>, ViewError> {
        let stored = self.views.get(View::Products, &key::id(id.0))?;
        stored.map(|stored| self.product_from(stored)).transpose()
    }

    /// A product as `GET /v1/products/{product_id}` shows it.
    pub fn product_json(&self, id: ProductId) -> Result<Option<Value>, ViewError> {
        Ok(self.product(id)?.map(Resource::into_json))
    }

    fn product_from(&self, stored: Stored) -> Result<Resource<Product>, ViewError> {
        let (row, epoch) = row_of!(Products, stored)?;
        let stock = self.stock(row.product_id)?;
        let listing = row.listing;
        let body = Product {
            product_id: row.product_id,
            seller_id: listing.seller_id,
            name: listing.name,
            description: listing.description,
            category: listing.category,
            brand: listing.brand,
            price: listing.price,
            currency: listing.currency,
            attributes: listing.attributes,
            image_urls: listing.image_urls,
            order_quantity_max: listing.order_quantity_max,
            state: if row.listed { ListingState::Listed } else { ListingState::Delisted },
            version: row.version,
            available: stock.body.units.available,
            rating: Rating { count: 0, mean: None },
            updated_at: row.updated_at,
        };
        Ok(Resource { body, version: row.version, epoch: epoch.max(stock.epoch) })
    }
}
