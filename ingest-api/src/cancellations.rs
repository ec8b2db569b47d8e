//! `/v1/orders/{order_id}/cancellations`: a whole order is called off.

use crate::action::{Action, Decided, Key, Resource};
use crate::call::{Ask, Call, Params, path_order, read_fields};
use crate::decision::Accepted;
use crate::fields::Place;
use crate::ingest::Ingest;
use crate::json::Json;
use crate::problem::{Body, Problem};
use axum::extract::State;
use axum::response::Response;
use schemas::events::customer_actions::{CancellationRequested, IdempotencyKey};
use schemas::limits::NAME_MAX;
use utoipa::ToSchema;

/// A cancellation of all lines.
#[derive(ToSchema)]
pub(crate) struct Cancellation {
    /// In the caller's words.
    #[schema(max_length = 200)]
    reason: String,
}

/// Calls an order off.
#[utoipa::path(post, path = "/v1/orders/{order_id}/cancellations", tag = "orders",
    params(("order_id" = String, Path), ("Idempotency-Key" = String, Header),
        ("Prefer" = Option<String>, Header)),
    request_body = Cancellation,
    responses((status = 202, body = Accepted), (status = 200), (status = "4XX", body = Body<'_>)))]
pub(crate) async fn post(
    State(ingest): State<Ingest>,
    Params(order_id): Params<String>,
    call: Call,
) -> Result<Response, Problem> {
    let action = action(&order_id, &call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

pub(crate) fn action(order_id: &str, ask: &Ask, json: &Json<'_>) -> Result<Action, Problem> {
    let order_id = path_order(order_id)?;
    let idempotency_key = ask.key()?;
    let Cancellation { reason } = read_fields(json, cancellation)?;
    let key = Key::Order(order_id);
    let action_id = key.action(idempotency_key, "cancellations", &[reason.as_bytes()]);
    let idempotency_key = IdempotencyKey::Text(idempotency_key.into());
    let event = CancellationRequested { action_id, order_id, idempotency_key, reason };
    Ok(Action::new(action_id, key, Decided::Changed(Resource::Order(order_id)), event))
}

fn cancellation(body: Place<'_, '_>) -> Option<Cancellation> {
    body.object(&["reason", "lines"], |fields| {
        let reason = fields.required("reason", |reason| reason.text(1..=NAME_MAX));
        let all = "must be null: an order is called off as a whole";
        let lines = fields.optional("lines", |lines| lines.refuse::<()>(all));
        lines?;
        Some(Cancellation { reason: reason? })
    })
}
