//! How the command ends: each code and what it means.

use schemas::topic::TopicPartition;
use std::fmt;
use std::process::ExitCode;

/// Why the command could not do what it was asked to. The message names the flag, file or part,
/// and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A check failed: its report is printed.
    #[error("{0}")]
    Check(String),
    /// Usage or configuration.
    #[error("{0}")]
    Usage(String),
    /// The data directory is in use.
    #[error("{0}")]
    InUse(String),
    /// Data are damaged or of an unknown format.
    #[error("{0}")]
    Damaged(String),
    /// An outside system did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// A bug: an invariant does not hold, or a thread panicked.
    #[error("{0}")]
    Bug(String),
    /// A bug: a machine panicked on what a record began.
    #[error("a machine panicked on the record {partition}@{offset}; its message stands above")]
    Poisoned {
        /// Where the record lies.
        partition: TopicPartition,
        /// Its offset there.
        offset: u64,
    },
    /// History was redone.
    #[error("{0}")]
    HistoryRedone(String),
}

impl Failure {
    /// Its exit code.
    #[must_use]
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Check(_) => 1,
            Self::Usage(_) => 2,
            Self::InUse(_) => 3,
            Self::Damaged(_) => 4,
            Self::Unreachable(_) => 5,
            Self::HistoryRedone(_) => 6,
            // That of a panic of the main thread, too.
            Self::Bug(_) | Self::Poisoned { .. } => 101,
        })
    }

    /// A flag's value that cannot be used.
    pub(crate) fn flag(flag: &str, detail: impl fmt::Display) -> Self {
        Self::Usage(format!("--{flag}: {detail}"))
    }
}
