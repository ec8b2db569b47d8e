//! `/v1/batch`: many actions, one append. Each stands alone and has its own answer in its place;
//! the good ones go to the log in their order, so two of one customer keep theirs.

use crate::action::Action;
use crate::call::{Ask, json_body, read_fields, read_json};
use crate::decision::Accepted;
use crate::fields::Place;
use crate::ingest::Ingest;
use crate::json::Json;
use crate::{cancellations, cart, checkouts, products, stock, warehouses};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as JsonBody};
use edge::path_id::InPath;
use edge::principal::Principal;
use edge::problem::{Body, Code, Problem};
use edge::refusals::ActionRefusals;
use edge::request_id::RequestId;
use serde::Serialize;
use utoipa::ToSchema;

/// Bytes of a batch's body.
pub(crate) const BODY_BYTES_MAX: usize = 8 << 20;
/// Actions of a batch.
const ACTIONS_MAX: usize = 1000;
/// Values of a batch's body: 1000 checkouts of 100 items have 0.7 million.
const VALUES_MAX: usize = 1_000_000;

/// Actions, each as it would be sent alone.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `post` reads")]
pub(crate) struct Batch {
    #[schema(min_items = 1, max_items = 1000)]
    actions: Vec<BatchAction>,
}

/// An action of a batch.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `action` reads")]
pub(crate) struct BatchAction {
    #[schema(example = "POST")]
    method: String,
    #[schema(example = "/v1/checkouts")]
    path: String,
    /// Where the action needs one.
    idempotency_key: Option<String>,
    #[schema(value_type = Option<Object>)]
    body: Option<()>,
}

/// An answer to each action, in their order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Results<'a> {
    results: Vec<Slot<'a>>,
}

#[derive(Serialize, ToSchema)]
struct Slot<'a> {
    #[schema(example = 202)]
    status: u16,
    body: SlotBody<'a>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum SlotBody<'a> {
    Accepted(&'a Accepted),
    Refused(Body<'a>),
}

/// Takes many actions at once.
#[utoipa::path(post, path = "/v1/batch", tag = "batch", request_body = Batch,
    responses((status = 200, body = Results<'_>), ActionRefusals<'_>))]
pub(crate) async fn post(
    State(ingest): State<Ingest>,
    principal: Principal,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let shed = |_| Problem::new(Code::Overloaded, "too many batches are under way");
    let _permit = ingest.batches().try_acquire().map_err(shed)?;
    let body = json_body(request, &ingest, BODY_BYTES_MAX).await?;
    let slots = actions(&ingest, &read_json(&body, VALUES_MAX)?)?;
    let actions: Vec<_> = slots.iter().filter_map(|slot| slot.as_ref().ok()).collect();
    let mut places = ingest.append(principal, &actions).await.into_iter();
    let answers: Vec<_> = slots
        .into_iter()
        .map(|slot| {
            let action = slot?;
            let place = places.next().expect("an append answers each action")?;
            Ok(Accepted::new(&action, place))
        })
        .collect();
    Ok(results(&answers, &request_id.to_string()))
}

fn results(answers: &[Result<Accepted, Problem>], request_id: &str) -> Response {
    let slot = |answer| match answer {
        Ok(accepted) => {
            Slot { status: StatusCode::ACCEPTED.as_u16(), body: SlotBody::Accepted(accepted) }
        }
        Err(problem) => {
            let problem: &Problem = problem;
            let status = problem.code.status().as_u16();
            Slot { status, body: SlotBody::Refused(problem.body(request_id)) }
        }
    };
    let results = answers.iter().map(Result::as_ref).map(slot).collect();
    JsonBody(Results { results }).into_response()
}

/// The actions of a batch, each or what is wrong with it.
fn actions(ingest: &Ingest, json: &Json<'_>) -> Result<Vec<Result<Action, Problem>>, Problem> {
    read_fields(json, |body| {
        body.object(&["actions"], |fields| {
            fields.required("actions", |list| {
                list.list(1..=ACTIONS_MAX, |element| Some(action(ingest, element.json())))
            })
        })
    })
}

/// One action; its errors' pointers begin at its own body.
fn action(ingest: &Ingest, json: &Json<'_>) -> Result<Action, Problem> {
    read_fields(json, |action| {
        action.object(&["method", "path", "idempotency_key", "body"], |fields| {
            let method = fields.required("method", Place::str);
            let path = fields.required("path", Place::str);
            let key = fields.optional("idempotency_key", Place::str);
            let body = fields.optional("body", |body| Some(body.json()));
            let ask = Ask::in_batch(key?.map(|key| key.to_string()));
            Some(dispatch(ingest, method?, path?, &ask, body?.unwrap_or(&Json::Null)))
        })
    })?
}

/// The action that this method and path ask for.
fn dispatch(
    ingest: &Ingest,
    method: &str,
    path: &str,
    ask: &Ask,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let path: Vec<_> = path.strip_prefix("/v1/").unwrap_or("").split('/').collect();
    match (method, path.as_slice()) {
        ("PUT", ["warehouses", id]) => warehouses::put_action(ingest, InPath::read(id)?, json),
        ("PUT", ["products", id]) => products::put_action(ingest, InPath::read(id)?, ask, json),
        ("DELETE", ["products", id]) => Ok(products::delete_action(ingest, InPath::read(id)?, ask)),
        ("POST", ["products", id, "stock", "receipts"]) => {
            stock::receipt_action(InPath::read(id)?, ask, json)
        }
        ("POST", ["products", id, "stock", "adjustments"]) => {
            stock::adjustment_action(InPath::read(id)?, ask, json)
        }
        ("PUT", ["products", id, "stock", at]) => {
            stock::safety_stock_action(ingest, InPath::read(id)?, InPath::read(at)?, json)
        }
        ("POST", ["customers", id, "cart", "items"]) => {
            cart::add_action(InPath::read(id)?, ask, json)
        }
        ("PUT", ["customers", id, "cart", "items", product]) => {
            cart::put_action(ingest, InPath::read(id)?, InPath::read(product)?, json)
        }
        ("DELETE", ["customers", id, "cart", "items", product]) => {
            Ok(cart::set_action(ingest, InPath::read(id)?, InPath::read(product)?, 0))
        }
        ("POST", ["checkouts"]) => checkouts::action(ask, json),
        ("POST", ["orders", id, "cancellations"]) => {
            cancellations::action(InPath::read(id)?, ask, json)
        }
        (
            _,
            ["warehouses" | "products", _]
            | ["products", _, "stock", _]
            | ["customers", _, "cart", "items"]
            | ["customers", _, "cart", "items", _]
            | ["checkouts"]
            | ["orders", _, "cancellations"],
        ) => Err(Problem::new(Code::MethodNotAllowed, "no action has this method and path")),
        _ => Err(Problem::new(Code::NotFound, "no action has this path")),
    }
}
