//! A read's answer: the body, and in headers where it stands.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemas::position::Position;
use schemas::time::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sinks::view_store::rows::{Row, View};
use sinks::view_store::{Mark, Stored, ViewError};
use std::sync::Arc;

/// A resource as put together from rows.
#[derive(Clone, Debug)]
pub(crate) struct Resource<T> {
    /// What is shown.
    pub(crate) body: T,
    /// What `If-Match` compares.
    pub(crate) version: u64,
    /// The newest epoch that wrote a row of it: with the version it names this very content.
    pub(crate) epoch: u64,
}

impl<T: Serialize> Resource<T> {
    /// The body alone.
    pub(crate) fn into_json(self) -> Value {
        serde_json::to_value(self.body).expect("structs of texts, numbers and lists are JSON")
    }
}

/// The answer to a read.
pub(crate) struct Answer<T> {
    mark: Arc<Mark>,
    version: u64,
    epoch: u64,
    body: T,
}

impl<T> Answer<T> {
    /// One resource.
    pub(crate) fn one(mark: Arc<Mark>, resource: Resource<T>) -> Self {
        let Resource { body, version, epoch } = resource;
        Self { mark, version, epoch, body }
    }

    /// A list: nobody changes it as such, so it has version 0 and the epoch of the read.
    pub(crate) fn list(mark: Arc<Mark>, body: T) -> Self {
        Self { version: 0, epoch: mark.epoch, mark, body }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self { mark, version, epoch, body } = self;
        let mut response = Json(body).into_response();
        let headers = response.headers_mut();
        headers.insert("watermart-epoch", HeaderValue::from(mark.epoch));
        let texts = [
            ("watermart-position", Position::Epoch(mark.epoch).to_string()),
            (header::ETAG.as_str(), format!("\"{version}.{epoch}\"")),
        ];
        for (name, text) in texts {
            let value = HeaderValue::try_from(text).expect("digits, a letter, dot and quotes");
            headers.insert(name, value);
        }
        response
    }
}

/// The epoch in which a row was written: its version without the era.
pub(crate) fn epoch_of(stored: &Stored) -> u64 {
    stored.version.cast_unsigned() & ((1 << 48) - 1)
}

/// What a store that hands out a row of another view is told.
pub(crate) fn wrong_view(view: View, row: &Row) -> ViewError {
    ViewError::Damaged { view, detail: format!("holds a row of {:?}", row.view()) }
}

/// Takes the row of a [`Stored`] out of the enum.
macro_rules! row_of {
    ($view:ident, $stored:expr) => {{
        let stored: sinks::view_store::Stored = $stored;
        let epoch = $crate::answer::epoch_of(&stored);
        if let sinks::view_store::rows::Row::$view(row) = stored.row {
            Ok((row, epoch))
        } else {
            let view = sinks::view_store::rows::View::$view;
            Err($crate::answer::wrong_view(view, &stored.row))
        }
    }};
}
pub(crate) use row_of;

/// Writes a time as RFC 3339.
pub(crate) fn rfc3339<S: Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&at.rfc3339())
}

/// Writes a time, if there is one, as RFC 3339.
pub(crate) fn rfc3339_or_null<S: Serializer>(
    at: &Option<Timestamp>,
    s: S,
) -> Result<S::Ok, S::Error> {
    at.map(Timestamp::rfc3339).serialize(s)
}
