//! How many requests may be under way. Shedding is at once: a request over the limit is told to
//! come again, never queued. The place is held until the answer is made.

use crate::ingest::Ingest;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use edge::problem::{Code, Problem};

/// Lets the request in, or sheds it.
pub(crate) async fn admit(State(ingest): State<Ingest>, request: Request, next: Next) -> Response {
    let Ok(_permit) = ingest.requests().try_acquire() else {
        return Problem::new(Code::Overloaded, "too many requests are under way").into_response();
    };
    next.run(request).await
}
