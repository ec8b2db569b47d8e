//! Orders, with their payment and what happened to them.

use crate::Queries;
use crate::answer::{Answer, Resource, rfc3339, rfc3339_or_null, row_of};
use crate::freshness::{Consistency, Freshness, Scope};
use crate::paging::{Page, PageParameters, Paging};
use crate::payments::Payment;
use crate::reservations::Level;
use axum::extract::State;
use edge::path_id::{CallersId, PathId};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::refusals::ReadRefusals;
use schemas::events::orders::Reason;
use schemas::id::{CustomerId, EventId, OrderId, ProductId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sinks::view_store::ViewError;
use sinks::view_store::key;
use sinks::view_store::rows::{LineRow, LineState, OrderState, TimelineEntry, View};
use utoipa::ToSchema;

/// An order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Order {
    #[schema(value_type = String)]
    order_id: OrderId,
    #[schema(value_type = String)]
    customer_id: CustomerId,
    /// `requested`, `awaiting_payment`, `confirmed`, `rejected` or `cancelled`.
    #[schema(value_type = String)]
    state: OrderState,
    /// Why it was not sold, as `out_of_stock`.
    #[schema(value_type = Option<String>)]
    reason: Option<Reason>,
    /// Its changes.
    version: u64,
    /// One a product.
    lines: Vec<Line>,
    /// Sum of quantity and price, in minor units.
    total: i64,
    #[schema(value_type = String)]
    currency: Currency,
    /// When its reservations lapse; null if it never asked for any.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    reservation_expires_at: Option<Timestamp>,
    /// Null until it is asked for.
    payment: Option<Payment>,
    /// None until there are shipments.
    #[schema(value_type = Vec<Object>)]
    parcels: [(); 0],
    timeline: Vec<Event>,
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
struct Line {
    #[schema(value_type = String)]
    product_id: ProductId,
    quantity: u32,
    /// What one costs, in minor units.
    price: i64,
    /// `requested`, `reserved`, `allocated`, `refused` or `released`.
    #[schema(value_type = String)]
    state: LineState,
    /// Where its units are, while it is reserved or allocated.
    levels: Vec<Level>,
    /// Why it was refused; null if it was not, as the next two.
    #[schema(value_type = Option<String>)]
    reason: Option<Reason>,
    /// Units asked for.
    asked: Option<u32>,
    /// Units that were left to it.
    available: Option<u32>,
}

/// Something that happened to an order.
#[derive(Serialize, ToSchema)]
struct Event {
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `order_confirmed`.
    event: String,
    #[schema(value_type = String)]
    event_id: EventId,
    /// The event that caused it.
    #[schema(value_type = String)]
    cause_id: EventId,
    /// Which epoch decided it.
    epoch: u64,
    /// The action it all began with; null for what a deadline began.
    position: Option<String>,
}

/// One order.
#[utoipa::path(
    get, path = "/v1/orders/{order_id}", tag = "orders",
    params(("order_id" = String, Path), Freshness),
    responses((status = 200, body = Order), ReadRefusals<'_>)
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<OrderId>,
    freshness: Freshness,
) -> Result<Answer<Order>, Problem> {
    let scope = Scope::customer(id.group());
    let mark = queries.fresh(freshness, Consistency::Strong, scope).await?;
    let order = queries.order(id)?.ok_or_else(Problem::not_found)?;
    Ok(Answer::one(mark, order))
}

/// A customer's orders, newest first.
#[utoipa::path(
    get, path = "/v1/customers/{customer_id}/orders", tag = "orders",
    params(("customer_id" = inline(CallersId), Path), PageParameters, Freshness),
    responses((status = 200, body = Page<Order>), ReadRefusals<'_>)
)]
pub(crate) async fn of_customer(
    State(queries): State<Queries>,
    _: Principal,
    PathId(id): PathId<CustomerId>,
    paging: Paging,
) -> Result<Answer<Page<Order>>, Problem> {
    let scope = Scope::customer(id.0.group());
    let mark = queries.fresh(paging.freshness, Consistency::Strong, scope).await?;
    let page = queries.page(View::CustomerOrders, &key::id(id.0), &paging, |stored| {
        let (row, _) = row_of!(CustomerOrders, stored)?;
        let order = queries.order(row.order_id)?;
        order.map(|order| order.body).ok_or_else(|| ViewError::Damaged {
            view: View::CustomerOrders,
            detail: format!("it lists {}, which is not there", row.order_id),
        })
    })?;
    Ok(Answer::list(mark, page))
}

impl Queries {
    fn order(&self, id: OrderId) -> Result<Option<Resource<Order>>, ViewError> {
        let Some(stored) = self.views.get(View::Orders, &id.to_bytes())? else {
            return Ok(None);
        };
        let (row, epoch) = row_of!(Orders, stored)?;
        let payment = self.payment(id.payment())?;
        let paid = payment.as_ref().map_or(0, |payment| payment.epoch);
        let (timeline, told) = self.timeline(id)?;
        let total = row.lines.iter().map(|line| i64::from(line.quantity) * line.price).sum();
        let body = Order {
            order_id: id,
            customer_id: row.customer_id,
            state: row.state,
            reason: row.reason,
            version: row.version,
            lines: row.lines.into_iter().map(Line::from).collect(),
            total,
            currency: row.currency,
            reservation_expires_at: row.expires_at,
            payment: payment.map(|payment| payment.body),
            parcels: [],
            timeline,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Some(Resource { body, version: row.version, epoch: epoch.max(paid).max(told) }))
    }

    /// What happened, oldest first, and the newest epoch in which something did.
    fn timeline(&self, id: OrderId) -> Result<(Vec<Event>, u64), ViewError> {
        let (mut timeline, mut newest) = (Vec::new(), 0);
        for stored in self.all(View::Timeline, &id.to_bytes())? {
            let (row, epoch) = row_of!(Timeline, stored)?;
            newest = newest.max(epoch);
            timeline.extend(row.entries.into_iter().map(|entry| event(entry, row.epoch)));
        }
        Ok((timeline, newest))
    }

    /// An order as `GET /v1/orders/{order_id}` shows it.
    pub fn order_json(&self, id: OrderId) -> Result<Option<Value>, ViewError> {
        Ok(self.order(id)?.map(Resource::into_json))
    }
}

impl From<LineRow> for Line {
    fn from(row: LineRow) -> Self {
        Self {
            product_id: row.product_id,
            quantity: row.quantity,
            price: row.price,
            state: row.state,
            levels: row.levels.into_iter().map(Level::from).collect(),
            reason: row.refused.map(|refused| refused.reason),
            asked: row.refused.map(|refused| refused.asked),
            available: row.refused.map(|refused| refused.available),
        }
    }
}

fn event(entry: TimelineEntry, epoch: u64) -> Event {
    Event {
        at: entry.at,
        position: entry.position().map(|position| position.to_string()),
        event: entry.event.into_owned(),
        event_id: entry.event_id,
        cause_id: entry.cause_id,
        epoch,
    }
}
