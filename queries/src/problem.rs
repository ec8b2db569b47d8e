//! Refusals and failures as RFC 9457 problems.
//!
//! A problem is made once, from the enum below, so that code, status and title never disagree.
//! What went wrong inside is logged under the request id that the caller is given.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sinks::event_log::ReadError;
use sinks::view_store::ViewError;
use std::sync::atomic::{AtomicU64, Ordering};
use utoipa::{IntoResponses, ToSchema};

/// Seconds after which a caller may try again: the views trail by far less when all is well.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a read is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nothing there; also an id that can be nobody's.
    NotFound,
    /// The path knows no such method.
    MethodNotAllowed,
    /// A parameter is not what it must be.
    Invalid,
    /// The views did not get there in time.
    ViewBehind,
    /// The log did not say where it ends.
    LogUnavailable,
    /// The server cannot serve yet.
    NotReady,
    /// Ours to mend: bytes that are not what was written.
    Internal,
}

impl Code {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "method not allowed")
            }
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "invalid request"),
            Self::ViewBehind => {
                (StatusCode::SERVICE_UNAVAILABLE, "view_behind", "the views are behind")
            }
            Self::LogUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "log_unavailable", "the log does not answer")
            }
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "not ready"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "damaged data"),
        }
    }
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which part: `/limit`.
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

/// A refusal or failure on its way to the caller.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
}

/// The body of a problem, `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body {
    /// `/problems/` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// For programs.
    code: &'static str,
    /// For people, the same for every problem of this code.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// For people, about this request.
    detail: String,
    /// By which the server's log knows it.
    request_id: String,
    /// The parts that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// The problems of every read, for the documentation.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; the handlers build them from `Problem`")]
pub(crate) enum Refusals {
    /// Nothing there.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Body),
    /// A parameter is not what it must be.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Body),
    /// `view_behind` or `log_unavailable`; `Retry-After` says when to ask again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Body),
}

impl Problem {
    /// A problem of this code.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new() }
    }

    /// Nothing under this path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is nothing under this path")
    }

    /// The parameter `name` is not what it must be.
    #[must_use]
    pub fn parameter(name: &str, must: &str) -> Self {
        let pointer = format!("/{name}");
        let errors = vec![FieldError { pointer, detail: must.to_owned() }];
        Self { code: Code::Invalid, detail: format!("{name} {must}"), errors }
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let code = match &error {
            ViewError::Unavailable(_) => Code::ViewBehind,
            ViewError::Damaged { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let code = match &error {
            ReadError::Unavailable(_) => Code::LogUnavailable,
            ReadError::BelowStart { .. } | ReadError::Damaged { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let n = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("req_{:x}_{n:x}", std::process::id());
        let (status, code, title) = self.code.parts();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%request_id, detail = %self.detail, "read not answered");
        } else if status.is_server_error() {
            tracing::debug!(%request_id, code, detail = %self.detail, "read not answered");
        }
        let body = Body {
            kind: format!("/problems/{code}"),
            code,
            title,
            status: status.as_u16(),
            detail: self.detail,
            request_id,
            errors: self.errors,
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

/// Answers a path that is not there.
pub async fn path_not_found(uri: Uri) -> Problem {
    Problem::new(Code::NotFound, format!("no resource has the path {}", uri.path()))
}

/// Answers a method that a path does not have.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("{} has no {method}", uri.path()))
}
