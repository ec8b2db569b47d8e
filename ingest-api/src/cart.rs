//! `/v1/customers/{customer_id}/cart/items`: what a shopper means to buy.

use crate::action::{Action, Decided, Key};
use crate::call::{Ask, Call, Keyed, Waiting, read_fields};
use crate::decision::{Adding, Changing};
use crate::fields::Place;
use crate::ingest::Ingest;
use crate::json::Json;
use axum::extract::State;
use axum::response::Response;
use edge::path_id::{CallersId, PathId, PathIds};
use edge::problem::Problem;
use edge::refusals::ActionRefusals;
use edge::resource::Resource;
use schemas::events::customer_actions::{
    CartItemAddRequested, CartItemSetRequested, IdempotencyKey,
};
use schemas::id::{CustomerId, ProductId};
use schemas::limits::QUANTITY_MAX;
use utoipa::ToSchema;

/// More of a product.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewItem {
    #[schema(value_type = CallersId)]
    product_id: ProductId,
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

/// How many there shall be.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewQuantity {
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

/// Puts more of a product into the cart.
#[utoipa::path(post, path = "/v1/customers/{customer_id}/cart/items", tag = "cart",
    params(("customer_id" = inline(CallersId), Path), Keyed),
    request_body = NewItem,
    responses(Adding, ActionRefusals<'_>))]
pub(crate) async fn post_item(
    State(ingest): State<Ingest>,
    PathId(customer_id): PathId<CustomerId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = add_action(customer_id, &call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

/// Sets how many of a product are in the cart.
#[utoipa::path(put, path = "/v1/customers/{customer_id}/cart/items/{product_id}", tag = "cart",
    params(("customer_id" = inline(CallersId), Path), ("product_id" = inline(CallersId), Path), Waiting),
    request_body = NewQuantity,
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn put_item(
    State(ingest): State<Ingest>,
    PathIds(customer_id, product_id): PathIds<CustomerId, ProductId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = put_action(&ingest, customer_id, product_id, &call.json()?)?;
    ingest.act(&call, action).await
}

/// Takes a product out of the cart.
#[utoipa::path(delete, path = "/v1/customers/{customer_id}/cart/items/{product_id}", tag = "cart",
    params(("customer_id" = inline(CallersId), Path), ("product_id" = inline(CallersId), Path), Waiting),
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn delete_item(
    State(ingest): State<Ingest>,
    PathIds(customer_id, product_id): PathIds<CustomerId, ProductId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = set_action(&ingest, customer_id, product_id, 0);
    ingest.act(&call, action).await
}

pub(crate) fn add_action(
    customer_id: CustomerId,
    ask: &Ask,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let idempotency_key = ask.key()?;
    let NewItem { product_id, quantity } = read_fields(json, new_item)?;
    let key = Key::Id(customer_id.0);
    let body: [&[u8]; 2] = [&product_id.0.to_bytes(), &quantity.to_be_bytes()];
    let action_id = key.action(idempotency_key, "cart/items", &body);
    let idempotency_key = IdempotencyKey::Text(idempotency_key.into());
    let event =
        CartItemAddRequested { action_id, customer_id, idempotency_key, product_id, quantity };
    Ok(Action::new(action_id, key, Decided::Added(Resource::Cart(customer_id)), event))
}

pub(crate) fn put_action(
    ingest: &Ingest,
    customer_id: CustomerId,
    product_id: ProductId,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let NewQuantity { quantity } = read_fields(json, units)?;
    Ok(set_action(ingest, customer_id, product_id, quantity))
}

/// Sets how many there are: none is a removal.
pub(crate) fn set_action(
    ingest: &Ingest,
    customer_id: CustomerId,
    product_id: ProductId,
    quantity: u32,
) -> Action {
    let key = Key::Id(customer_id.0);
    let action_id = ingest.unkeyed(key);
    let event = CartItemSetRequested { action_id, customer_id, product_id, quantity };
    Action::new(action_id, key, Decided::Changed(Resource::Cart(customer_id)), event)
}

fn new_item(body: Place<'_, '_>) -> Option<NewItem> {
    body.object(&["product_id", "quantity"], |fields| {
        let product_id = fields.required("product_id", Place::id);
        let quantity = fields.required("quantity", |units| units.whole(1..=QUANTITY_MAX.into()));
        Some(NewItem { product_id: ProductId(product_id?), quantity: quantity? })
    })
}

fn units(body: Place<'_, '_>) -> Option<NewQuantity> {
    body.object(&["quantity"], |fields| {
        let quantity = fields.required("quantity", |units| units.whole(1..=QUANTITY_MAX.into()));
        Some(NewQuantity { quantity: quantity? })
    })
}
