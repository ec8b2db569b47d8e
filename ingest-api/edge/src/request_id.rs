//! A request's id: for finding it in logs, of no other meaning. It stands in the header
//! `X-Request-Id` of every answer, and in the body of a problem.

use crate::problem::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(u64);

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

/// Gives the request an id, and writes the problem it ends in: a handler does not know the id.
pub(crate) async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId::next();
    request.extensions_mut().insert(id);
    let id = id.to_string();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tell(&problem, &id);
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

/// What is ours to mend is told to the person on call; what waiting mends is not.
fn tell(problem: &Problem, request_id: &str) {
    let (status, code) = (problem.code.status(), problem.code.as_str());
    if status.as_u16() == 500 {
        tracing::error!(%request_id, code, detail = problem.detail, "a request failed");
    } else if status.is_server_error() {
        tracing::debug!(%request_id, code, detail = problem.detail, "a request was put off");
    }
}
