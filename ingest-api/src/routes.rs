//! Every route of the way in.

use crate::ingest::Ingest;
use crate::{
    admission, batch, call, cancellations, cart, checkouts, products, stock, warehouses, webhook,
};
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes, to be merged with the read side's. What is too much for this process is shed.
pub fn router(ingest: Ingest) -> OpenApiRouter {
    let batches = OpenApiRouter::new()
        .routes(routes!(batch::post))
        .layer(DefaultBodyLimit::max(batch::BODY_BYTES_MAX));
    OpenApiRouter::new()
        .routes(routes!(warehouses::put))
        .routes(routes!(products::put, products::delete))
        .routes(routes!(stock::post_receipt))
        .routes(routes!(stock::post_adjustment))
        .routes(routes!(stock::put_safety_stock))
        .routes(routes!(cart::post_item))
        .routes(routes!(cart::put_item, cart::delete_item))
        .routes(routes!(checkouts::post))
        .routes(routes!(cancellations::post))
        .routes(routes!(webhook::post))
        .layer(DefaultBodyLimit::max(call::BODY_BYTES_MAX))
        .merge(batches)
        .layer(from_fn_with_state(ingest.clone(), admission::admit))
        .with_state(ingest)
}
