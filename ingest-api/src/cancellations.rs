//! `/v1/orders/{order_id}/cancellations`: a whole order is called off.

use crate::action::{Action, Decided, Key};
use crate::call::{Ask, Call, Keyed, read_fields};
use crate::decision::Changing;
use crate::fields::Place;
use crate::ingest::Ingest;
use crate::json::Json;
use axum::extract::State;
use axum::response::Response;
use edge::path_id::PathId;
use edge::problem::Problem;
use edge::refusals::ActionRefusals;
use edge::resource::Resource;
use schemas::events::customer_actions::{CancellationRequested, IdempotencyKey};
use schemas::id::OrderId;
use schemas::limits::NAME_MAX;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// A cancellation of all lines.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `reason` reads")]
pub(crate) struct Cancellation {
    /// In the caller's words.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
    /// An order is called off as a whole.
    #[schema(schema_with = null, required = false)]
    lines: (),
}

fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

/// Calls an order off.
#[utoipa::path(post, path = "/v1/orders/{order_id}/cancellations", tag = "orders",
    params(("order_id" = String, Path), Keyed),
    request_body = Cancellation,
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn post(
    State(ingest): State<Ingest>,
    PathId(order_id): PathId<OrderId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = action(order_id, &call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

pub(crate) fn action(order_id: OrderId, ask: &Ask, json: &Json<'_>) -> Result<Action, Problem> {
    let idempotency_key = ask.key()?;
    let reason = read_fields(json, reason)?;
    let key = Key::Order(order_id);
    let action_id = key.action(idempotency_key, "cancellations", &[reason.as_bytes()]);
    let idempotency_key = IdempotencyKey::Text(idempotency_key.into());
    let event = CancellationRequested { action_id, order_id, idempotency_key, reason };
    Ok(Action::new(action_id, key, Decided::Changed(Resource::Order(order_id)), event))
}

fn reason(body: Place<'_, '_>) -> Option<String> {
    body.object(&["reason", "lines"], |fields| {
        let reason = fields.required("reason", |reason| reason.text(1..=NAME_MAX));
        let all = "must be null: an order is called off as a whole";
        let lines = fields.optional("lines", |lines| lines.refuse::<()>(all));
        lines?;
        reason
    })
}
