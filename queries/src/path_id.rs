//! The id in a path. Text that is nobody's id names nothing: it is 404, like an id not in use.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use schemas::id::{CustomerId, OrderId, PaymentId, ProductId, WarehouseId};

/// The one id that the path has.
pub(crate) struct PathId<T>(pub(crate) T);

/// An id that paths have.
pub(crate) trait InPath: Sized {
    /// Reads it; `None` for text that is no such id.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! in_path {
    ($($id:ident),*) => {$(
        impl InPath for $id {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }
    )*};
}
in_path!(CustomerId, OrderId, PaymentId, ProductId, WarehouseId);

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What axum refuses here are bytes that are no text.
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| T::read(&text));
        id.map(PathId).ok_or_else(Problem::not_found)
    }
}
