//! Which problems a request may end in, for the API's description. Handlers give a
//! [`Problem`](crate::problem::Problem).

use crate::problem::Body;
use utoipa::IntoResponses;

/// The problems of a read.
#[derive(IntoResponses)]
pub enum ReadRefusals<'a> {
    /// `malformed`: the path is no text.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Body<'a>),
    /// `not_found`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Body<'a>),
    /// `invalid`: `errors` names each id or parameter that is not what it must be.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Body<'a>),
    /// `internal`: stored bytes are not what was written.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Body<'a>),
    /// `view_behind` or `log_unavailable`; `Retry-After` says when to ask again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Body<'a>),
}

/// The problems of an action.
#[derive(IntoResponses)]
pub enum ActionRefusals<'a> {
    /// `malformed` or `idempotency_key_missing`.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Body<'a>),
    /// `not_found`.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Body<'a>),
    /// With `Prefer: wait`, the log decided against it: `out_of_stock`, `price_changed`,
    /// `version_mismatch`, `limit_exceeded` or `illegal_state`.
    #[response(status = 409, content_type = "application/problem+json")]
    Refused(Body<'a>),
    /// `precondition_failed`: with `Prefer: wait`, `If-Match` did not match.
    #[response(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(Body<'a>),
    /// `too_large`.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Body<'a>),
    /// `unsupported_media_type`: the body must be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Body<'a>),
    /// `invalid`: `errors` names each bad field; or `idempotency_key_reused`.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Body<'a>),
    /// `internal`: stored bytes are not what was written.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Body<'a>),
    /// `overloaded`, `log_unavailable` or `view_behind`; `Retry-After` says when to ask again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Body<'a>),
}

/// The problems of the provider's webhook.
#[derive(IntoResponses)]
pub enum WebhookRefusals<'a> {
    /// `malformed`.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Body<'a>),
    /// `signature_invalid`: missing, of another secret, or older than 300 s.
    #[response(status = 401, content_type = "application/problem+json")]
    SignatureInvalid(Body<'a>),
    /// `too_large`.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Body<'a>),
    /// `invalid`: `errors` names each bad field.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Body<'a>),
    /// `overloaded` or `log_unavailable`; `Retry-After` says when to send it again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Body<'a>),
}
