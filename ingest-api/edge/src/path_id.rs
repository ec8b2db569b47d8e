//! The ids in a path, read once and in one way on both sides.
//!
//! A caller's id that is no id is refused by name. Our own ids are opaque: text that is none of
//! them names nothing, like an id not in use.

use crate::problem::{Code, Problem};
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use schemas::id::{CustomerId, OrderId, PaymentId, ProductId, WarehouseId};
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

/// What a caller's id must be.
pub const CALLERS_ID: &str = "must be 1 to 64 characters of A-Za-z0-9._-";

/// An id that the caller chose.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "P1")]
pub struct CallersId(pub String);

/// The one id that the path has.
pub struct PathId<T>(pub T);

/// The two ids that the path has, in its order.
pub struct PathIds<A, B>(pub A, pub B);

/// An id that paths have.
pub trait InPath: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The text is no such id.
    fn read(text: &str) -> Result<Self, Problem>;
}

macro_rules! callers {
    ($($id:ident, $name:literal;)*) => {$(
        impl InPath for $id {
            fn read(text: &str) -> Result<Self, Problem> {
                Self::parse(text).ok_or_else(|| Problem::field($name, CALLERS_ID))
            }
        }
    )*};
}
callers! {
    CustomerId, "/customer_id";
    ProductId, "/product_id";
    WarehouseId, "/warehouse_id";
}

macro_rules! ours {
    ($($id:ident),*) => {$(
        impl InPath for $id {
            fn read(text: &str) -> Result<Self, Problem> {
                Self::parse(text).ok_or_else(Problem::not_found)
            }
        }
    )*};
}
ours!(OrderId, PaymentId);

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text: String = texts(parts, state).await?;
        T::read(&text).map(Self)
    }
}

impl<A: InPath, B: InPath, S: Send + Sync> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (first, second): (String, String) = texts(parts, state).await?;
        Ok(Self(A::read(&first)?, B::read(&second)?))
    }
}

async fn texts<T, S>(parts: &mut Parts, state: &S) -> Result<T, Problem>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    let rejected = match Path::from_request_parts(parts, state).await {
        Ok(Path(texts)) => return Ok(texts),
        Err(rejected) => rejected,
    };
    if let PathRejection::FailedToDeserializePathParams(failed) = &rejected
        && let ErrorKind::InvalidUtf8InPathParam { key } = failed.kind()
    {
        return Err(Problem::malformed(key, "must be UTF-8 once its %-escapes are read"));
    }
    Err(Problem::new(Code::Malformed, rejected.body_text()))
}
