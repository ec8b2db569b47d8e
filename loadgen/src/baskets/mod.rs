//! Real baskets from a file: rows of a basket each, with the columns basket, customer, product,
//! quantity, price and time, in any order, put together to orders.
//!
//! A row that no shop could sell is left out and counted, never mended. A product is listed at the
//! unit price it was sold at most often, and sold at that: a shop has one price.

mod columns;
mod csv;
mod grouping;
mod parquet;

use crate::{Error, Options};
use columns::Columns;
use grouping::{Grouping, Rules};
use schemas::id::{CustomerId, ProductId};
use schemas::time::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// One row of the file, as read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) basket: String,
    pub(crate) customer: String,
    pub(crate) product: String,
    pub(crate) quantity: f64,
    /// In major units.
    pub(crate) price: f64,
    pub(crate) time: Timestamp,
}

/// A basket: its lines are of different products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basket {
    pub(crate) customer_id: CustomerId,
    /// Its earliest row's.
    pub(crate) time: Timestamp,
    pub(crate) lines: BTreeMap<ProductId, u32>,
}

/// All baskets by time, and what their products cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Baskets {
    pub(crate) baskets: Vec<Basket>,
    /// In minor units.
    pub(crate) prices: BTreeMap<ProductId, i64>,
    pub(crate) left_out: LeftOut,
}

/// Rows left out, by the first reason that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// A customer or product that is no id.
    pub(crate) ids: u64,
    /// A quantity that is no whole number from 1 to `--quantity-max`.
    pub(crate) quantities: u64,
    /// Of products that were never sold at a price of at least one minor unit.
    pub(crate) prices: u64,
}

/// Reads the file whole; its name's end says what it is.
pub(crate) fn read(path: &Path, options: &Options) -> Result<Baskets, Error> {
    let wrong = |detail| Error::Baskets { path: path.to_owned(), detail };
    let columns = Columns::parse(&options.replay.columns)?;
    let replay = &options.replay;
    let rules = Rules { price_is: replay.price_is, quantity_max: replay.quantity_max };
    let mut grouping = Grouping::new(rules);
    let take = |row| grouping.take(row);
    match path.extension().and_then(|end| end.to_str()) {
        Some("csv") => csv::read(path, &columns, take),
        Some("parquet") => parquet::read(path, &columns, take),
        Some(_) | None => Err("its name ends in neither .csv nor .parquet".to_owned()),
    }
    .map_err(wrong)?;
    let baskets = grouping.finish();
    if baskets.baskets.is_empty() {
        return Err(wrong("no row of it can be sold".to_owned()));
    }
    Ok(baskets)
}

#[cfg(test)]
mod tests;
