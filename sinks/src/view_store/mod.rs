//! Port: the view store. Rows of materialized views, each with a version, and the mark up to
//! which all of them are complete.
//!
//! The contract, which [`conformance`] tests by these names:
//! - *newest wins*: a row of an older version never replaces a newer one; the same again is no
//!   change.
//! - *together*: the rows of one [`ViewStore::apply`] and its mark become visible at once, and a
//!   crash keeps all of them or none.
//! - *mark*: never goes back; [`ViewStore::marks`] tells of it within 10 ms.
//! - *deleted*: a deleted row is not found, and stays deleted for older versions.
//! - *scan*: by prefix, in key order, each key once, resumable behind any key.

pub mod conformance;
pub mod embedded;
pub mod key;
pub mod rows;

use rows::{Row, View};
use schemas::id::EventId;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;

/// Up to where a store's views are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The era of the epoch.
    pub era: u32,
    /// The last epoch whose rows are all there; 0 is none.
    pub epoch: u64,
    /// Hash of that epoch's plan.
    pub plan_hash: EventId,
    /// `now` of that epoch.
    pub now: Timestamp,
    /// For each partition of
    /// [`TopicPartition::inputs`](schemas::topic::TopicPartition::inputs), the first offset that
    /// is not in the views. Empty is all 0.
    pub applied: Vec<u64>,
}

impl Mark {
    /// The version that this epoch's rows have: era, then epoch.
    #[must_use]
    pub fn version(&self) -> i64 {
        i64::from(self.era) << 48 | i64::try_from(self.epoch).unwrap_or(i64::MAX)
    }
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It did not answer; trying again may work.
    #[error("could not reach the view store: {0}")]
    Unavailable(String),
    /// A row is not what was written.
    #[error("cannot read a row of {view:?}: {detail}; remove the views' folder to rebuild it")]
    Damaged {
        /// Of which view.
        view: View,
        /// What is wrong.
        detail: String,
    },
}

/// A row as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The epoch's [`Mark::version`] that wrote it.
    pub version: i64,
    /// The row.
    pub row: Row,
}

/// The store. Reading is cheap enough for an async handler: embedded, it is a look-up in memory
/// or one page; adapters over a network do it on their own threads.
pub trait ViewStore: Send + Sync {
    /// Writes rows, all of version [`Mark::version`], and the mark. No key stands twice in `rows`.
    fn apply(&self, rows: Vec<Row>, mark: Mark) -> Result<(), ViewError>;

    /// One row by its key ([`Row::key`]).
    fn get(&self, view: View, key: &[u8]) -> Result<Option<Stored>, ViewError>;

    /// Up to `limit` rows whose keys begin with `prefix` and come behind `after`, in key order,
    /// with their keys.
    fn scan(
        &self,
        view: View,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>, ViewError>;

    /// How many rows a view has, deleted ones not counted; may trail by a moment.
    fn rows(&self, view: View) -> Result<u64, ViewError>;

    /// The newest mark, and each one after it.
    fn marks(&self) -> watch::Receiver<Arc<Mark>>;

    /// Makes durable what was applied. A crash before it may lose the newest epochs, whole.
    fn flush(&self) -> Result<(), ViewError>;
}
