//! What every request passes first and last: it gets an id, is admitted or shed, and a problem
//! that it ends in is written with that id.
//!
//! Shedding is at once: a request over the limit is told to come again, never queued. The place
//! is held until the answer is made.

use crate::ingest::Ingest;
use crate::problem::{Code, Problem};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: for finding it in logs, of no other meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(u64);

impl RequestId {
    fn next() -> Self {
        static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(START.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{:016x}", self.0)
    }
}

/// Gives the request an id and writes the problem it ends in.
pub(crate) async fn identify(mut request: Request, next: Next) -> Response {
    // The routes of a merged router may have been here already.
    if request.extensions().get::<RequestId>().is_some() {
        return next.run(request).await;
    }
    let id = RequestId::next();
    request.extensions_mut().insert(id);
    let id = id.to_string();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        match serde_json::to_vec(&problem.body(&id)) {
            Ok(body) => *response.body_mut() = Body::from(body),
            Err(error) => tracing::error!(%error, "a problem could not be written"),
        }
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Lets the request in, or sheds it.
pub(crate) async fn admit(State(ingest): State<Ingest>, request: Request, next: Next) -> Response {
    let Ok(_permit) = ingest.requests().try_acquire() else {
        return Problem::new(Code::Overloaded, "too many requests are under way").into_response();
    };
    next.run(request).await
}

/// The answer to a path that is none.
pub(crate) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is nothing at this path")
}

/// The answer to a method that a path does not have.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the header Allow names the methods of this path")
}
