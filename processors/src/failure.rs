//! Why an engine ends, by what is to be done about it.

use crate::payment_worker::PaymentWorkerError;
use schemas::topic::TopicPartition;
use sinks::event_log::{AppendError, ReadError};
use sinks::view_store::ViewError;

/// Why it ended. Its text names the part, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something outside did not answer, or nobody knows what the log took: an engine that starts
    /// anew from the log goes on.
    #[error("{0}")]
    Unavailable(String),
    /// The views belong to another log.
    #[error("{0}")]
    HistoryRedone(String),
    /// What is stored is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// Anything else: another start would come to the same, or a person must look first.
    #[error("{0}")]
    Fault(String),
    /// A bug: an invariant does not hold, or a thread panicked.
    #[error("{0}")]
    Bug(String),
    /// A bug: a machine panicked on what a record began. Every start would come to the same, unless
    /// an operator sets the record aside.
    #[error("a machine panicked on the record {partition}@{offset}; its message stands above")]
    Poisoned {
        /// Where the record lies.
        partition: TopicPartition,
        /// Its offset there.
        offset: u64,
    },
}

impl Failure {
    /// Whether an engine that starts anew may go on where this one ended.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::HistoryRedone(_)
            | Self::Damaged(_)
            | Self::Fault(_)
            | Self::Bug(_)
            | Self::Poisoned { .. } => false,
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let text = error.to_string();
        match error {
            ReadError::Unavailable(_) => Self::Unavailable(text),
            ReadError::BelowStart { .. }
            | ReadError::BeyondEnd { .. }
            | ReadError::Damaged { .. } => Self::Damaged(text),
        }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        let text = error.to_string();
        match error {
            AppendError::NotAppended(_) | AppendError::Unknown(_) => Self::Unavailable(text),
            AppendError::TooLarge { .. } => Self::Fault(text),
        }
    }
}

impl From<PaymentWorkerError> for Failure {
    fn from(error: PaymentWorkerError) -> Self {
        let text = error.to_string();
        match error {
            PaymentWorkerError::Panicked => Self::Bug(text),
            PaymentWorkerError::Read(_) | PaymentWorkerError::Request { .. } => Self::Fault(text),
        }
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        let text = error.to_string();
        match error {
            ViewError::Damaged { .. } => Self::Damaged(text),
            ViewError::Unavailable(_) => Self::Fault(text),
        }
    }
}

/// Why a thread of the engine does not go on.
#[derive(Debug)]
pub enum End {
    /// The engine is to stop, or another thread failed.
    Stopped,
    /// It failed.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a thread that ended so has to say: a stop is no failure.
///
/// # Errors
/// It failed.
pub fn outcome(ended: Result<(), End>) -> Result<(), Failure> {
    match ended {
        Ok(()) | Err(End::Stopped) => Ok(()),
        Err(End::Failed(failure)) => Err(failure),
    }
}
