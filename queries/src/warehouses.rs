//! Warehouses.

use crate::Queries;
use crate::answer::{Answer, Resource, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use crate::paging::{Page, PageParameters, Paging};
use axum::extract::State;
use edge::path_id::{CallersId, PathId};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::id::{RegionId, WarehouseId};
use schemas::topic::{Topic, TopicPartition};
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::key;
use sinks::view_store::rows::View;
use sinks::view_store::{Stored, ViewError};
use utoipa::ToSchema;

/// A warehouse.
#[derive(Serialize, ToSchema)]
pub(crate) struct Warehouse {
    #[schema(value_type = String)]
    warehouse_id: WarehouseId,
    name: String,
    #[schema(value_type = String)]
    region: RegionId,
    /// Lower is served from first.
    priority: u32,
}

/// One warehouse.
#[utoipa::path(
    get, path = "/v1/warehouses/{warehouse_id}", tag = "warehouses",
    params(("warehouse_id" = inline(CallersId), Path), Freshness),
    responses((status = 200, body = Warehouse), ReadRefusals<'_>)
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<WarehouseId>,
    freshness: Freshness,
) -> Result<Answer<Warehouse>, Problem> {
    let partition = TopicPartition::of_group(Topic::WarehouseActions, id.0.group());
    let scope = Scope::Partition(partition);
    let mark = queries.fresh(freshness, Consistency::Eventual, scope).await?;
    let warehouse = queries.warehouse(id)?.ok_or_else(Problem::not_found)?;
    Ok(Answer::one(mark, warehouse))
}

/// All warehouses, by id.
#[utoipa::path(
    get, path = "/v1/warehouses", tag = "warehouses",
    params(PageParameters, Freshness),
    responses((status = 200, body = Page<Warehouse>), ReadRefusals<'_>)
)]
pub(crate) async fn list(
    State(queries): State<Queries>,
    _: Principal,
    paging: Paging,
) -> Result<Answer<Page<Warehouse>>, Problem> {
    let scope = Scope::Topic(Topic::WarehouseActions);
    let mark = queries.fresh(paging.freshness, Consistency::Eventual, scope).await?;
    let item = |stored| warehouse(stored).map(|warehouse| warehouse.body);
    Ok(Answer::list(mark, queries.page(View::Warehouses, &[], &paging, item)?))
}

impl Queries {
    fn warehouse(&self, id: WarehouseId) -> Result<Option<Resource<Warehouse>>, ViewError> {
        self.views.get(View::Warehouses, &key::id(id.0))?.map(warehouse).transpose()
    }

    /// A warehouse as `GET /v1/warehouses/{warehouse_id}` shows it.
    pub fn warehouse_json(&self, id: WarehouseId) -> Result<Option<Value>, ViewError> {
        Ok(self.warehouse(id)?.map(Resource::into_json))
    }
}

/// A warehouse has no version of its own: nobody may ask for one.
fn warehouse(stored: Stored) -> Result<Resource<Warehouse>, ViewError> {
    let (row, epoch) = row_of!(Warehouses, stored)?;
    let body = Warehouse {
        warehouse_id: row.warehouse_id,
        name: row.name,
        region: row.region,
        priority: row.priority,
    };
    Ok(Resource { body, version: 0, epoch })
}
