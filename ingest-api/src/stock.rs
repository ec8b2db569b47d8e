//! `/v1/products/{product_id}/stock`: goods arrive, are recounted, are kept back.

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
use schemas::events::customer_actions::IdempotencyKey;
use schemas::events::product_actions::{
    SafetyStockSetRequested, StockAdjustmentRequested, StockReceiptRequested,
};
use schemas::id::{ProductId, WarehouseId};
use schemas::limits::{NAME_MAX, QUANTITY_MAX};
use utoipa::ToSchema;

/// Goods that arrived.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    #[schema(value_type = CallersId)]
    warehouse_id: WarehouseId,
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
    /// The caller's word for it.
    #[schema(value_type = Option<String>, max_length = 200)]
    reference: String,
}

/// A recount or damage: a fact, never refused for being too low.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adjustment {
    #[schema(value_type = CallersId)]
    warehouse_id: WarehouseId,
    /// Units more or, negative, less; not 0.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    change: i64,
    #[schema(min_length = 1, max_length = 200, example = "damaged")]
    reason: String,
    /// The stock level's version that the caller saw; a stale one is refused.
    #[schema(maximum = 9_223_372_036_854_775_807i64)]
    expected_version: Option<u64>,
}

/// Units never to be promised.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SafetyStock {
    #[schema(maximum = 1_000_000)]
    safety_stock: u32,
}

/// Goods arrive.
#[utoipa::path(post, path = "/v1/products/{product_id}/stock/receipts", tag = "stock",
    params(("product_id" = inline(CallersId), Path), Keyed),
    request_body = Receipt,
    responses(Adding, ActionRefusals<'_>))]
pub(crate) async fn post_receipt(
    State(ingest): State<Ingest>,
    PathId(product_id): PathId<ProductId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = receipt_action(product_id, &call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

/// Units are recounted.
#[utoipa::path(post, path = "/v1/products/{product_id}/stock/adjustments", tag = "stock",
    params(("product_id" = inline(CallersId), Path), Keyed),
    request_body = Adjustment,
    responses(Adding, ActionRefusals<'_>))]
pub(crate) async fn post_adjustment(
    State(ingest): State<Ingest>,
    PathId(product_id): PathId<ProductId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = adjustment_action(product_id, &call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

/// Units are kept back.
#[utoipa::path(put, path = "/v1/products/{product_id}/stock/{warehouse_id}", tag = "stock",
    params(("product_id" = inline(CallersId), Path), ("warehouse_id" = inline(CallersId), Path), Waiting),
    request_body = SafetyStock,
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn put_safety_stock(
    State(ingest): State<Ingest>,
    PathIds(product_id, warehouse_id): PathIds<ProductId, WarehouseId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = safety_stock_action(&ingest, product_id, warehouse_id, &call.json()?)?;
    ingest.act(&call, action).await
}

pub(crate) fn receipt_action(
    product_id: ProductId,
    ask: &Ask,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let idempotency_key = ask.key()?;
    let Receipt { warehouse_id, quantity, reference } = read_fields(json, receipt)?;
    let key = Key::Id(product_id.0);
    let body: [&[u8]; 3] =
        [&warehouse_id.0.to_bytes(), &quantity.to_be_bytes(), reference.as_bytes()];
    let action_id = key.action(idempotency_key, "receipts", &body);
    let idempotency_key = IdempotencyKey::Text(idempotency_key.into());
    let event = StockReceiptRequested {
        action_id,
        product_id,
        idempotency_key,
        warehouse_id,
        quantity,
        reference,
    };
    Ok(Action::new(action_id, key, Decided::Added(Resource::Stock(product_id)), event))
}

pub(crate) fn adjustment_action(
    product_id: ProductId,
    ask: &Ask,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let idempotency_key = ask.key()?;
    let body = read_fields(json, adjustment)?;
    let Adjustment { warehouse_id, change, reason, expected_version } = body;
    let key = Key::Id(product_id.0);
    let expected = expected_version.map(u64::to_be_bytes);
    let body: [&[u8]; 4] = [
        &warehouse_id.0.to_bytes(),
        &change.to_be_bytes(),
        reason.as_bytes(),
        expected.as_ref().map_or(&[], |version| version),
    ];
    let action_id = key.action(idempotency_key, "adjustments", &body);
    let idempotency_key = IdempotencyKey::Text(idempotency_key.into());
    let event = StockAdjustmentRequested {
        action_id,
        product_id,
        idempotency_key,
        warehouse_id,
        change,
        reason,
        expected_version,
    };
    Ok(Action::new(action_id, key, Decided::Added(Resource::Stock(product_id)), event))
}

pub(crate) fn safety_stock_action(
    ingest: &Ingest,
    product_id: ProductId,
    warehouse_id: WarehouseId,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let SafetyStock { safety_stock } = read_fields(json, safety_stock)?;
    let key = Key::Id(product_id.0);
    let action_id = ingest.unkeyed(key);
    let event = SafetyStockSetRequested { action_id, product_id, warehouse_id, safety_stock };
    Ok(Action::new(action_id, key, Decided::Changed(Resource::Stock(product_id)), event))
}

fn receipt(body: Place<'_, '_>) -> Option<Receipt> {
    body.object(&["warehouse_id", "quantity", "reference"], |fields| {
        let warehouse_id = fields.required("warehouse_id", Place::id);
        let quantity = fields.required("quantity", |units| units.whole(1..=QUANTITY_MAX.into()));
        let reference = fields.optional("reference", |reference| reference.text(0..=NAME_MAX));
        Some(Receipt {
            warehouse_id: WarehouseId(warehouse_id?),
            quantity: quantity?,
            reference: reference?.unwrap_or_default(),
        })
    })
}

fn adjustment(body: Place<'_, '_>) -> Option<Adjustment> {
    const MAX: i64 = QUANTITY_MAX as i64;
    body.object(&["warehouse_id", "change", "reason", "expected_version"], |fields| {
        let warehouse_id = fields.required("warehouse_id", Place::id);
        let change = fields.required("change", |units| match units.whole(-MAX..=MAX)? {
            0 => units.refuse("must not be 0"),
            change => Some(change),
        });
        let reason = fields.required("reason", |reason| reason.text(1..=NAME_MAX));
        let expected_version =
            fields.optional("expected_version", |version| version.whole(0..=i64::MAX));
        Some(Adjustment {
            warehouse_id: WarehouseId(warehouse_id?),
            change: change?,
            reason: reason?,
            expected_version: expected_version?,
        })
    })
}

fn safety_stock(body: Place<'_, '_>) -> Option<SafetyStock> {
    body.object(&["safety_stock"], |fields| {
        let units = fields.required("safety_stock", |units| units.whole(0..=QUANTITY_MAX.into()));
        Some(SafetyStock { safety_stock: units? })
    })
}
