//! The last words on a server's whole router: every request gets an id, and a path or a method
//! that nobody has is a problem like any other.

use crate::problem::{Code, Problem};
use crate::request_id::identify;
use crate::unread::announce;
use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::from_fn;

/// Finishes a router. Nothing may be merged into it afterwards: it would have no ids.
pub fn front(router: Router) -> Router {
    router
        .fallback(path_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(announce))
        .layer(from_fn(identify))
}

async fn path_not_found(uri: Uri) -> Problem {
    Problem::new(Code::NotFound, format!("no resource has the path {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} has no {method}; the header Allow names what it has", uri.path());
    Problem::new(Code::MethodNotAllowed, detail)
}
