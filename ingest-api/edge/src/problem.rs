//! Every answer that is no: an RFC 9457 problem, whose code stands for one status and one title.
//!
//! A handler gives a [`Problem`]; the [front](crate::front) writes it, since only the front knows
//! the request's id.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use sinks::event_log::{AppendError, ReadError};
use sinks::view_store::ViewError;
use utoipa::ToSchema;

/// Declares [`Code`] from one list: variant, word, status, title.
macro_rules! codes {
    ($($name:ident, $word:literal, $status:ident, $title:literal;)*) => {
        /// What kind of problem it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(#[doc = $title] $name),* }

        impl Code {
            /// The word of the API: `out_of_stock`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// The status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $word)),* }
            }
        }
    };
}
codes! {
    Malformed, "malformed", BAD_REQUEST, "The request cannot be read";
    IdempotencyKeyMissing, "idempotency_key_missing", BAD_REQUEST, "An Idempotency-Key is required";
    SignatureInvalid, "signature_invalid", UNAUTHORIZED, "The signature is not valid";
    NotFound, "not_found", NOT_FOUND, "There is no such thing";
    MethodNotAllowed, "method_not_allowed", METHOD_NOT_ALLOWED, "The resource has no such method";
    OutOfStock, "out_of_stock", CONFLICT, "Not enough units are available";
    PriceChanged, "price_changed", CONFLICT, "The price is another one now";
    VersionMismatch, "version_mismatch", CONFLICT, "The version is not the one expected";
    LimitExceeded, "limit_exceeded", CONFLICT, "A limit of the shop or the seller is exceeded";
    IllegalState, "illegal_state", CONFLICT, "The present state does not allow it";
    PreconditionFailed, "precondition_failed", PRECONDITION_FAILED, "If-Match does not match";
    TooLarge, "too_large", PAYLOAD_TOO_LARGE, "The request is too large";
    UnsupportedMediaType, "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    Invalid, "invalid", UNPROCESSABLE_ENTITY, "Some fields are not valid";
    IdempotencyKeyReused, "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "The Idempotency-Key stands for another request";
    LogUnavailable, "log_unavailable", SERVICE_UNAVAILABLE, "The event log does not answer";
    Overloaded, "overloaded", SERVICE_UNAVAILABLE, "Too many requests at once";
    ViewBehind, "view_behind", SERVICE_UNAVAILABLE, "The views are behind";
    NotReady, "not_ready", SERVICE_UNAVAILABLE, "Nothing is decided now";
    Internal, "internal", INTERNAL_SERVER_ERROR, "Stored data is damaged";
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// RFC 6901 pointer into the body; a parameter or header is pointed to by its name.
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

/// A problem, but for the id of its request.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// What kind.
    pub code: Code,
    /// This one, for a person.
    pub detail: String,
    /// All bad fields, of [`Code::Invalid`].
    pub errors: Vec<FieldError>,
    /// What was decided, in its exact word, where the log decided it.
    pub reason: Option<&'static str>,
    /// The order, where a refusal is about one.
    pub order: Option<Box<Value>>,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), reason: None, order: None }
    }

    /// Nothing under this path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is nothing under this path")
    }

    /// These fields are not what they must be.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self::naming(Code::Invalid, errors)
    }

    /// The field at `pointer` is not what it must be.
    #[must_use]
    pub fn field(pointer: &str, must: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { pointer: pointer.to_owned(), detail: must.into() }])
    }

    /// The parameter `name` is not what it must be.
    #[must_use]
    pub fn parameter(name: &str, must: impl Into<String>) -> Self {
        Self::field(&format!("/{}", escaped(name)), must)
    }

    /// The parameter or header `name` cannot be read.
    #[must_use]
    pub fn malformed(name: &str, must: impl Into<String>) -> Self {
        let pointer = format!("/{}", escaped(name));
        Self::naming(Code::Malformed, vec![FieldError { pointer, detail: must.into() }])
    }

    fn naming(code: Code, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [FieldError { pointer, detail }] if pointer.is_empty() => format!("the body {detail}"),
            [FieldError { pointer, detail }] => format!("{pointer} {detail}"),
            many => format!("{} fields are not valid", many.len()),
        };
        Self { errors, ..Self::new(code, detail) }
    }

    /// The body, for a request of this id.
    #[must_use]
    pub fn body<'a>(&'a self, request_id: &'a str) -> Body<'a> {
        Body {
            r#type: self.code.uri(),
            code: self.code.as_str(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            request_id,
            errors: &self.errors,
            reason: self.reason,
            order: self.order.as_deref(),
        }
    }
}

/// A name as a part of an RFC 6901 pointer.
#[must_use]
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    #[schema(example = "/problems/out_of_stock")]
    r#type: &'static str,
    #[schema(example = "out_of_stock")]
    code: &'static str,
    title: &'static str,
    #[schema(example = 409)]
    status: u16,
    /// This problem, for a person.
    detail: &'a str,
    request_id: &'a str,
    /// All bad fields, each with an RFC 6901 pointer.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    /// What the log decided, in its exact word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The order that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    order: Option<&'a Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let detail = match &error {
            AppendError::TooLarge { .. } => return Self::new(Code::TooLarge, error.to_string()),
            AppendError::NotAppended(_) => "the action was not taken; send it again",
            AppendError::Unknown(_) => {
                "it is not known whether the action was taken; send it again with the same \
                 Idempotency-Key and body"
            }
        };
        // The caller is told, and a full disk would fill with what is said of it.
        tracing::debug!(%error, "an action could not be appended");
        Self::new(Code::LogUnavailable, detail)
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
            ReadError::BelowStart { .. }
            | ReadError::BeyondEnd { .. }
            | ReadError::Damaged { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}
