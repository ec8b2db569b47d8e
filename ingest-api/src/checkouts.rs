//! `/v1/checkouts`: a cart or a list of items becomes an order.

use crate::action::{Action, Decided, Key};
use crate::call::{Ask, Call, Keyed, read_fields};
use crate::decision::Adding;
use crate::fields::Place;
use crate::ingest::Ingest;
use crate::json::Json;
use axum::extract::State;
use axum::response::Response;
use edge::path_id::CallersId;
use edge::problem::Problem;
use edge::refusals::ActionRefusals;
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, PaymentMethod, ProductId, RegionId};
use schemas::limits::{LINES_MAX, PRICE_MAX, QUANTITY_MAX};
use schemas::money::Currency;
use utoipa::ToSchema;

/// A checkout.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkout {
    #[schema(value_type = CallersId)]
    customer_id: CustomerId,
    /// What is bought; none is the cart.
    #[schema(value_type = Option<Vec<Item>>, min_items = 1, max_items = 100)]
    items: Option<Vec<OrderLine>>,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD", pattern = "^[A-Z]{3}$")]
    currency: Currency,
    #[schema(value_type = Address)]
    ship_to: RegionId,
    /// The payment method's token, as the gateway understands it.
    #[schema(value_type = CallersId, example = "tok_ok")]
    payment_method: PaymentMethod,
}

/// An item of a checkout.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `item` reads")]
pub(crate) struct Item {
    #[schema(value_type = CallersId)]
    product_id: String,
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
    /// What the shopper saw one unit cost, in minor units.
    #[schema(minimum = 0, maximum = 10_000_000_000i64)]
    price: i64,
}

/// Where an order goes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "shows in the API's description what `checkout` reads")]
pub(crate) struct Address {
    #[schema(value_type = CallersId, example = "eu")]
    region: String,
}

/// Orders.
#[utoipa::path(post, path = "/v1/checkouts", tag = "orders",
    params(Keyed),
    request_body = Checkout,
    responses(Adding, ActionRefusals<'_>))]
pub(crate) async fn post(State(ingest): State<Ingest>, call: Call) -> Result<Response, Problem> {
    let action = action(&call.ask, &call.json()?)?;
    ingest.act(&call, action).await
}

pub(crate) fn action(ask: &Ask, json: &Json<'_>) -> Result<Action, Problem> {
    let idempotency_key = ask.key()?;
    let checkout = read_fields(json, checkout)?;
    let key = Key::Id(checkout.customer_id.0);
    let action_id = key.action(idempotency_key, "checkouts", &[&checkout.canonical()]);
    let order_id = action_id.order();
    let event = CheckoutRequested {
        order_id,
        customer_id: checkout.customer_id,
        idempotency_key: IdempotencyKey::Text(idempotency_key.into()),
        lines: checkout.items,
        currency: checkout.currency,
        region: checkout.ship_to,
        payment_method: checkout.payment_method,
    };
    Ok(Action::new(action_id, key, Decided::Opened(order_id), event))
}

impl Checkout {
    /// The bytes that the order's id is a hash of: fields of fixed sizes, so that no two bodies
    /// agree. Frozen: the same request must get the same order from every build.
    fn canonical(&self) -> Vec<u8> {
        let items = self.items.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(35 + 28 * items.len());
        bytes.extend_from_slice(&self.ship_to.0.to_bytes());
        bytes.extend_from_slice(&self.payment_method.0.to_bytes());
        bytes.extend_from_slice(self.currency.as_str().as_bytes());
        for item in items {
            bytes.extend_from_slice(&item.product_id.0.to_bytes());
            bytes.extend_from_slice(&item.quantity.to_be_bytes());
            bytes.extend_from_slice(&item.price.to_be_bytes());
        }
        bytes
    }
}

fn checkout(body: Place<'_, '_>) -> Option<Checkout> {
    const FIELDS: [&str; 5] = ["customer_id", "items", "currency", "ship_to", "payment_method"];
    body.object(&FIELDS, |fields| {
        let customer_id = fields.required("customer_id", Place::id);
        let items = fields.optional("items", items);
        let currency = fields.required("currency", Place::currency);
        let ship_to = fields.required("ship_to", |address| {
            address.object(&["region"], |fields| fields.required("region", Place::id))
        });
        let payment_method = fields.required("payment_method", Place::id);
        Some(Checkout {
            customer_id: CustomerId(customer_id?),
            items: items?,
            currency: currency?,
            ship_to: RegionId(ship_to?),
            payment_method: PaymentMethod(payment_method?),
        })
    })
}

/// A product may stand twice, and is one line then, of no more units than a line may have; at two
/// prices the shopper cannot have seen it.
fn items(place: Place<'_, '_>) -> Option<Vec<OrderLine>> {
    let items = place.list(1..=LINES_MAX, item)?;
    for (index, item) in items.iter().enumerate() {
        let same = |other: &&OrderLine| other.product_id == item.product_id;
        if items[..index].iter().find(same).is_some_and(|other| other.price != item.price) {
            return place.refuse(format!("has {} at two prices", item.product_id));
        }
        let units: u32 = items.iter().filter(same).map(|other| other.quantity).sum();
        if units > QUANTITY_MAX {
            let detail = format!("has {units} of {}: at most {QUANTITY_MAX}", item.product_id);
            return place.refuse(detail);
        }
    }
    Some(items)
}

fn item(item: Place<'_, '_>) -> Option<OrderLine> {
    item.object(&["product_id", "quantity", "price"], |fields| {
        let product_id = fields.required("product_id", Place::id);
        let quantity = fields.required("quantity", |units| units.whole(1..=QUANTITY_MAX.into()));
        let price = fields.required("price", |price| price.whole(0..=PRICE_MAX));
        Some(OrderLine { product_id: ProductId(product_id?), quantity: quantity?, price: price? })
    })
}
