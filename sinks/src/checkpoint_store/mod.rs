//! Port: the checkpoint store. Files that are written once, whole, under names with `/` in them.
//!
//! The contract, which [`conformance`] tests by these names:
//! - *whole*: a file is there with all of its bytes, durable, or not at all.
//! - *once*: [`CheckpointStore::create`] takes a name once, whoever asks; the second is told.
//! - *missing*: what is not there is told apart from what cannot be read.
//!
//! Where files are is a URL; the library behind it, [`object_store`], knows the kinds.

pub mod conformance;
mod store;

use schemas::time::Timestamp;
pub use store::{Asked, CheckpointStore, Guard};

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("{name} is not in the checkpoint store {store}")]
    Missing {
        /// Its name.
        name: String,
        /// Where it is not.
        store: String,
    },
    /// It did not answer, or said no; trying again may work.
    #[error("could not {did} {name} in the checkpoint store {store}: {detail}")]
    Unavailable {
        /// What was tried.
        did: &'static str,
        /// Its name.
        name: String,
        /// Where.
        store: String,
        /// What it says.
        detail: String,
    },
}

/// Why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process writes here.
    #[error("another process keeps its checkpoints in {0}; give each process a folder of its own")]
    InUse(String),
    /// It is no store, or cannot be had.
    #[error("{0}")]
    Unusable(String),
}

/// A file as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub written_at: Timestamp,
}
