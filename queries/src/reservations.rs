//! The open reservations of a product.

use crate::Queries;
use crate::answer::{Answer, rfc3339, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use crate::paging::{Page, PageParameters, Paging};
use axum::extract::State;
use edge::path_id::{CallersId, PathId};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::id::{OrderId, ProductId, WarehouseId};
use schemas::time::Timestamp;
use serde::Serialize;
use sinks::view_store::key;
use sinks::view_store::rows::View;
use sinks::view_store::{Stored, ViewError};
use utoipa::ToSchema;

/// A soft claim of an unpaid order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reservation {
    #[schema(value_type = String)]
    order_id: OrderId,
    /// Units, over all levels.
    quantity: u64,
    levels: Vec<Level>,
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Units of a line at one warehouse.
#[derive(Serialize, ToSchema)]
pub(crate) struct Level {
    #[schema(value_type = String)]
    warehouse_id: WarehouseId,
    quantity: u32,
}

impl From<schemas::events::lines::Level> for Level {
    fn from(level: schemas::events::lines::Level) -> Self {
        Self { warehouse_id: level.warehouse_id, quantity: level.quantity }
    }
}

/// The open reservations of a product, by order id.
#[utoipa::path(
    get, path = "/v1/products/{product_id}/reservations", tag = "stock",
    params(("product_id" = inline(CallersId), Path), PageParameters, Freshness),
    responses((status = 200, body = Page<Reservation>), ReadRefusals<'_>)
)]
pub(crate) async fn list(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<ProductId>,
    paging: Paging,
) -> Result<Answer<Page<Reservation>>, Problem> {
    let mark = queries.fresh(paging.freshness, Consistency::Eventual, Scope::Inputs).await?;
    if queries.stock_of_known(id)?.is_none() {
        return Err(Problem::not_found());
    }
    let page = queries.page(View::Reservations, &key::id(id.0), &paging, reservation)?;
    Ok(Answer::list(mark, page))
}

fn reservation(stored: Stored) -> Result<Reservation, ViewError> {
    let (row, _) = row_of!(Reservations, stored)?;
    Ok(Reservation {
        order_id: row.order_id,
        quantity: row.levels.iter().map(|level| u64::from(level.quantity)).sum(),
        levels: row.levels.into_iter().map(Level::from).collect(),
        expires_at: row.expires_at,
    })
}
