//! A product's stock: its levels, one a warehouse, and their sums.

use crate::Queries;
use crate::answer::{Answer, Resource, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use axum::extract::State;
use edge::path_id::{CallersId, PathId};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::id::{ProductId, WarehouseId};
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::ViewError;
use sinks::view_store::key;
use sinks::view_store::rows::{StockRow, View};
use utoipa::ToSchema;

/// Units; `on_hand = available + reserved + allocated + safety_stock`.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Units {
    /// Physically there.
    on_hand: i64,
    /// Can be promised.
    pub(crate) available: i64,
    /// Claimed by unpaid orders.
    reserved: i64,
    /// Claimed by paid ones.
    allocated: i64,
    /// Kept back, as far as there.
    safety_stock: i64,
}

/// The stock in one warehouse.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StockLevel {
    #[schema(value_type = String)]
    warehouse_id: WarehouseId,
    #[serde(flatten)]
    units: Units,
    /// The seller's changes of this level, from 1.
    version: u64,
}

/// The stock of a product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stock {
    #[schema(value_type = String)]
    product_id: ProductId,
    #[serde(flatten)]
    pub(crate) units: Units,
    levels: Vec<StockLevel>,
}

/// A product's stock.
#[utoipa::path(
    get, path = "/v1/products/{product_id}/stock", tag = "stock",
    params(("product_id" = inline(CallersId), Path), Freshness),
    responses((status = 200, body = Stock), ReadRefusals<'_>)
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<ProductId>,
    freshness: Freshness,
) -> Result<Answer<Stock>, Problem> {
    let mark = queries.fresh(freshness, Consistency::Eventual, Scope::Inputs).await?;
    let stock = queries.stock_of_known(id)?.ok_or_else(Problem::not_found)?;
    Ok(Answer::one(mark, stock))
}

impl Queries {
    /// The stock of any product, known or not: without levels all sums are 0. Its version is the
    /// sum of its levels' versions, which grows with each of them.
    pub(crate) fn stock(&self, id: ProductId) -> Result<Resource<Stock>, ViewError> {
        let mut stock = Resource {
            body: Stock { product_id: id, units: Units::default(), levels: Vec::new() },
            version: 0,
            epoch: 0,
        };
        for stored in self.all(View::Stock, &key::id(id.0))? {
            let (row, epoch) = row_of!(Stock, stored)?;
            stock.body.units.add(&row);
            stock.body.levels.push(level(&row));
            stock.version += row.version;
            stock.epoch = stock.epoch.max(epoch);
        }
        Ok(stock)
    }

    /// The stock of a product that has a listing or a stock level.
    pub(crate) fn stock_of_known(
        &self,
        id: ProductId,
    ) -> Result<Option<Resource<Stock>>, ViewError> {
        let stock = self.stock(id)?;
        let known = !stock.body.levels.is_empty()
            || self.views.get(View::Products, &key::id(id.0))?.is_some();
        Ok(known.then_some(stock))
    }

    /// A product's stock as `GET /v1/products/{product_id}/stock` shows it.
    pub fn stock_json(&self, id: ProductId) -> Result<Option<Value>, ViewError> {
        Ok(self.stock_of_known(id)?.map(Resource::into_json))
    }
}

fn level(row: &StockRow) -> StockLevel {
    let mut units = Units::default();
    units.add(row);
    StockLevel { warehouse_id: row.warehouse_id, units, version: row.version }
}

impl Units {
    fn add(&mut self, row: &StockRow) {
        self.on_hand += row.on_hand;
        self.available += row.available;
        self.reserved += row.reserved;
        self.allocated += row.allocated;
        self.safety_stock += row.safety_stock;
    }
}
