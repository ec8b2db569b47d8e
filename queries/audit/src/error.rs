//! Why an audit comes to no end. What does not hold is no error: the report says so.

use crate::Place;
use sinks::event_log::ReadError;
use sinks::view_store::ViewError;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log cannot be read.
    #[error("could not read the log: {0}")]
    Log(#[from] ReadError),
    /// The views cannot be read.
    #[error("could not read the views: {0}")]
    Views(#[from] ViewError),
    /// What a plan took, or an output, names a schema that cannot be had: nothing can be said of it.
    #[error("the record at {place} names schema {schema}, which is not known: {detail}")]
    UnknownSchema {
        /// Where the record is.
        place: Place,
        /// The schema's id.
        schema: u32,
        /// Why it cannot be had.
        detail: String,
    },
    /// The running shop does not answer.
    #[error("could not ask the shop: {0}")]
    Shop(String),
}
