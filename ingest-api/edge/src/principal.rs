//! Who asks. Every handler takes one; with `--auth off` everybody is the operator.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use schemas::envelope::Role;
use schemas::id::Id;
use std::convert::Infallible;

/// Who acts, as it stands in the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// In which role.
    pub role: Role,
    /// Under which id, if any.
    pub subject: Option<Id>,
}

impl Principal {
    /// Runs the shop.
    pub const OPERATOR: Self = Self { role: Role::Operator, subject: None };
    /// The payment provider, known by its signature.
    pub const PROVIDER: Self = Self { role: Role::Provider, subject: None };
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::OPERATOR)
    }
}
