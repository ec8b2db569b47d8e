//! `/v1/products/{product_id}`: put a listing up, change it, take it down. Stock is not touched.

use crate::action::{Action, Decided, Key};
use crate::call::{Ask, Call, Conditional, read_fields};
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
use schemas::events::product_actions::{Listing, ProductDelistRequested, ProductPutRequested};
use schemas::id::{ProductId, SellerId};
use schemas::limits::{ATTRIBUTES_MAX, DESCRIPTION_MAX, NAME_MAX, PRICE_MAX, QUANTITY_MAX};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Characters of an image's URL: browsers and caches take no longer ones for sure.
const URL_MAX: usize = 2000;

/// A listing.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `listing` reads")]
pub(crate) struct NewListing {
    #[schema(value_type = CallersId, example = "acme")]
    seller_id: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(max_length = 10_000)]
    description: Option<String>,
    #[schema(example = "electronics/phones", max_length = 200)]
    category: Option<String>,
    #[schema(max_length = 200)]
    brand: Option<String>,
    /// Of one unit, in minor units.
    #[schema(minimum = 0, maximum = 10_000_000_000i64)]
    price: i64,
    /// ISO 4217.
    #[schema(example = "USD", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// At most 50.
    attributes: Option<BTreeMap<String, String>>,
    #[schema(max_items = 50)]
    image_urls: Option<Vec<String>>,
    /// The most units one order may have.
    #[schema(minimum = 1, maximum = 1_000_000)]
    order_quantity_max: Option<u32>,
}

/// Puts a listing up or changes it.
#[utoipa::path(put, path = "/v1/products/{product_id}", tag = "products",
    params(("product_id" = inline(CallersId), Path), Conditional),
    request_body = NewListing,
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn put(
    State(ingest): State<Ingest>,
    PathId(product_id): PathId<ProductId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = put_action(&ingest, product_id, &call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

/// Takes a listing down.
#[utoipa::path(delete, path = "/v1/products/{product_id}", tag = "products",
    params(("product_id" = inline(CallersId), Path), Conditional),
    responses(Changing, ActionRefusals<'_>))]
pub(crate) async fn delete(
    State(ingest): State<Ingest>,
    PathId(product_id): PathId<ProductId>,
    call: Call,
) -> Result<Response, Problem> {
    let action = delete_action(&ingest, product_id, &call.ask);
    ingest.act(&call, action).await
}

pub(crate) fn put_action(
    ingest: &Ingest,
    product_id: ProductId,
    ask: &Ask,
    json: &Json<'_>,
) -> Result<Action, Problem> {
    let listing = Box::new(read_fields(json, listing)?);
    let key = Key::Id(product_id.0);
    let action_id = ingest.unkeyed(key);
    let event = ProductPutRequested { action_id, product_id, if_match: ask.if_match, listing };
    Ok(Action::new(action_id, key, Decided::Changed(Resource::Product(product_id)), event))
}

pub(crate) fn delete_action(ingest: &Ingest, product_id: ProductId, ask: &Ask) -> Action {
    let key = Key::Id(product_id.0);
    let action_id = ingest.unkeyed(key);
    let event = ProductDelistRequested { action_id, product_id, if_match: ask.if_match };
    Action::new(action_id, key, Decided::Changed(Resource::Product(product_id)), event)
}

const FIELDS: [&str; 10] = [
    "seller_id",
    "name",
    "description",
    "category",
    "brand",
    "price",
    "currency",
    "attributes",
    "image_urls",
    "order_quantity_max",
];

fn listing(body: Place<'_, '_>) -> Option<Listing> {
    body.object(&FIELDS, |fields| {
        let seller_id = fields.required("seller_id", Place::id);
        let name = fields.required("name", |name| name.text(1..=NAME_MAX));
        let description = fields.optional("description", |d| d.text(0..=DESCRIPTION_MAX));
        let category = fields.optional("category", |category| category.text(0..=NAME_MAX));
        let brand = fields.optional("brand", |brand| brand.text(0..=NAME_MAX));
        let price = fields.required("price", |price| price.whole(0..=PRICE_MAX));
        let currency = fields.required("currency", Place::currency);
        let attributes = fields.optional("attributes", |a| a.texts(ATTRIBUTES_MAX, NAME_MAX));
        let image_urls = fields.optional("image_urls", |urls| {
            urls.list(0..=ATTRIBUTES_MAX, |url| url.text(1..=URL_MAX))
        });
        let order_quantity_max =
            fields.optional("order_quantity_max", |max| max.whole(1..=QUANTITY_MAX.into()));
        Some(Listing {
            seller_id: SellerId(seller_id?),
            name: name?,
            description: description?.unwrap_or_default(),
            category: category?.unwrap_or_default(),
            brand: brand?.unwrap_or_default(),
            price: price?,
            currency: currency?,
            attributes: attributes?.unwrap_or_default(),
            image_urls: image_urls?.unwrap_or_default(),
            order_quantity_max: order_quantity_max?,
        })
    })
}
