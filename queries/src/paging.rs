//! Lists in pages: `?limit=` and `?cursor=`.
//!
//! A cursor is the view and the key of the last row shown, so that paging shows each row that was
//! there all along exactly once, whatever is added or deleted meanwhile.

use crate::Queries;
use crate::freshness::{Freshness, number, parameters, unknown};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use edge::problem::Problem;
use serde::Serialize;
use sinks::view_store::rows::View;
use sinks::view_store::{Stored, ViewError};
use utoipa::{IntoParams, ToSchema};

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: u64 = 100;
/// Rows read at once where all rows of one thing are wanted.
const STRIDE: usize = 256;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// In the list's order.
    pub(crate) items: Vec<T>,
    /// Ask for what comes behind with this; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Which page, and how fresh.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paging {
    limit: Option<usize>,
    cursor: Option<Vec<u8>>,
    pub(crate) freshness: Freshness,
}

/// The parameters of lists, for the documentation.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters; `Paging` takes them")]
pub(crate) struct PageParameters {
    /// Items on a page; 20 by default.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: u32,
    /// `next_cursor` of the page before.
    #[param(required = false, min_length = 1)]
    cursor: String,
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut paging = Self::default();
        for (name, value) in parameters(parts)? {
            let twice = match name.as_str() {
                "limit" => {
                    let limit = number(&name, &value, 1, LIMIT_MAX)?;
                    let limit = usize::try_from(limit).unwrap_or(LIMIT_DEFAULT);
                    paging.limit.replace(limit).is_some()
                }
                "cursor" => {
                    let cursor = from_hex(&value).ok_or_else(not_a_cursor)?;
                    paging.cursor.replace(cursor).is_some()
                }
                _ if paging.freshness.take(&name, &value)? => false,
                _ => return Err(unknown(&name)),
            };
            if twice {
                return Err(Problem::parameter(&name, "must be given once"));
            }
        }
        Ok(paging)
    }
}

fn not_a_cursor() -> Problem {
    Problem::parameter("cursor", "must be the next_cursor of the page before")
}

impl Queries {
    /// The page's rows of `view` under `prefix`, each taken through `item`.
    pub(crate) fn page<T>(
        &self,
        view: View,
        prefix: &[u8],
        paging: &Paging,
        item: impl Fn(Stored) -> Result<T, ViewError>,
    ) -> Result<Page<T>, Problem> {
        let limit = paging.limit.unwrap_or(LIMIT_DEFAULT);
        let after = match paging.cursor.as_deref() {
            None => None,
            Some([number, key @ ..]) if *number == view as u8 && key.starts_with(prefix) => {
                Some(key)
            }
            Some(_) => return Err(not_a_cursor()),
        };
        // One more than shown tells whether there is a next page.
        let mut rows = self.views.scan(view, prefix, after, limit + 1)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|(key, _)| {
            let mut cursor = vec![view as u8];
            cursor.extend_from_slice(key);
            to_hex(&cursor)
        });
        let items = rows.into_iter().map(|(_, stored)| item(stored)).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor })
    }

    /// All rows of `view` under `prefix`. For what is few by nature: a product's stock levels are
    /// as many as the shop has warehouses, an order's epochs as many as its states allow.
    pub(crate) fn all(&self, view: View, prefix: &[u8]) -> Result<Vec<Stored>, ViewError> {
        let (mut all, mut after) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let rows = self.views.scan(view, prefix, after.as_deref(), STRIDE)?;
            let last = rows.len() < STRIDE;
            after = rows.last().map(|(key, _)| key.clone());
            all.extend(rows.into_iter().map(|(_, stored)| stored));
            if last {
                return Ok(all);
            }
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}
