//! `/v1/warehouses/{warehouse_id}`: set up or change a warehouse.

use crate::action::{Action, Decided, Key};
use crate::call::{Call, Waiting, read_fields};
use crate::decision::Changing;
use crate::fields::Place;
use crate::ingest::Ingest;
use crate::json::Json;
use axum::extract::State;
use axum::response::Response;
use edge::path_id::{CallersId, PathId};
use edge::problem::Problem;
use edge::refusals::ActionRefusals;
use edge::resource::Resource;
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::id::{RegionId, WarehouseId};
use schemas::limits::NAME_MAX;
use utoipa::ToSchema;

/// The least preferred of a shop's warehouses has a priority beyond this in no shop.
const PRIORITY_MAX: i64 = 1_000_000;
/// The priority of a warehouse that is given none.
const PRIORITY_DEFAULT: u32 = 10;

/// A warehouse.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWarehouse {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where it stands.
    #[schema(value_type = CallersId, example = "eu")]
    region: RegionId,
    /// Lower is served from first.
    #[schema(value_type = Option<u32>, default = 10, maximum = 1_000_000)]
    priority: u32,
}

/// Sets up or changes a warehouse.
#[utoipa::path(put, path = "/v1/warehouses/{warehouse_id}", tag = "warehouses",
    params(("warehouse_id" = inline(CallersId), Path), Waiting),
    request_body = NewWarehouse,
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn put(
    State(ingest): State<Ingest>,
    PathId(warehouse_id): PathId<WarehouseId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = put_action(&ingest, warehouse_id, &call.json()?)?;
    ingest.act(&call, action).await
}

pub(crate) fn put_action(
    ingest: &Ingest,
    warehouse_id: WarehouseId,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let NewWarehouse { name, region, priority } = read_fields(json, warehouse)?;
    let key = Key::Id(warehouse_id.0);
    let action_id = ingest.unkeyed(key);
    let event = WarehousePutRequested { action_id, warehouse_id, name, region, priority };
    Ok(Action::new(action_id, key, Decided::Changed(Resource::Warehouse(warehouse_id)), event))
}

fn warehouse(body: Place<'_, '_>) -> Option<NewWarehouse> {
    body.object(&["name", "region", "priority"], |fields| {
        let name = fields.required("name", |name| name.text(1..=NAME_MAX));
        let region = fields.required("region", Place::id);
        let priority = fields.optional("priority", |priority| priority.whole(0..=PRIORITY_MAX));
        Some(NewWarehouse {
            name: name?,
            region: RegionId(region?),
            priority: priority?.unwrap_or(PRIORITY_DEFAULT),
        })
    })
}
