//! The two pages for people, `/` and `/docs`. Whole in the binary: they need no network.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing;
use utoipa::openapi::OpenApi;

const STATUS: &str = concat!(
    include_str!("../pages/head.html"),
    "<style>",
    include_str!("../pages/page.css"),
    "</style>",
    include_str!("../pages/status.html"),
    "<script>",
    include_str!("../pages/status.js"),
    "</script>",
);

const DOCS: &str = concat!(
    include_str!("../pages/head.html"),
    "<style>",
    include_str!("../pages/page.css"),
    "</style>",
    include_str!("../pages/docs.html"),
    "<script>",
    include_str!("../pages/docs.js"),
    "</script>",
);

pub(crate) async fn status() -> Html<&'static str> {
    Html(STATUS)
}

async fn docs() -> Html<&'static str> {
    Html(DOCS)
}

/// `/openapi.json`, and the page that shows it.
pub(crate) fn documentation(mut api: OpenApi) -> Router {
    "Watermart".clone_into(&mut api.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    let json = api.to_json().expect("an OpenAPI document is JSON");
    let json = bytes::Bytes::from(json);
    let openapi = move || {
        let json = json.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], json).into_response() }
    };
    Router::new().route("/docs", routing::get(docs)).route("/openapi.json", routing::get(openapi))
}
