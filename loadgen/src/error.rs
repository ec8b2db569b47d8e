//! What can keep a run from its end. A slow or refusing shop is no error: that is measured.

use crate::Profile;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Flags that do not go together, or a value outside its range.
    #[error("{0}")]
    Usage(String),
    /// A profile that the interface names and a later version brings.
    #[error("profile {0:?} is not built yet; there are stock, steady and replay")]
    NotBuilt(Profile),
    /// The shop did not answer at all.
    #[error("could not reach the shop at {url}: {detail}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the connection said.
        detail: String,
    },
    /// The shop did not take a warehouse, product or receipt that the run needs.
    #[error("the shop did not take {what}: {detail}")]
    Setup {
        /// The action's path.
        what: String,
        /// Status and body, or what the connection said.
        detail: String,
    },
    /// The baskets cannot be read as baskets.
    #[error("cannot read baskets from {}: {detail}", path.display())]
    Baskets {
        /// The file.
        path: PathBuf,
        /// Column, line or type at fault.
        detail: String,
    },
    /// A file of ours could not be written or read.
    #[error("could not use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No runtime, no run.
    #[error("could not start the async runtime")]
    Runtime(#[source] std::io::Error),
}

impl Error {
    /// The command's exit code for it.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::NotBuilt(_) | Self::Baskets { .. } | Self::File { .. } => 2,
            Self::Unreachable { .. } => 5,
            Self::Setup { .. } | Self::Runtime(_) => 1,
        }
    }
}
