//! An append under way, and its answers: record by record durable, not there, or unknown.

use super::{BATCH_BYTES_MAX, NewRecord};
use schemas::limits::RECORD_BYTES_MAX;
use schemas::time::Timestamp;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Where a record became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its offset.
    pub offset: u64,
    /// Its append time.
    pub appended_at: Timestamp,
}

/// Why a record is not known to be on the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// It is not there and never will be by this append; sending it again is safe.
    #[error("could not append: {0}")]
    NotAppended(String),
    /// It is too large; sending it again is useless.
    #[error("cannot append: {bytes} bytes are over the limit of {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It may be there or not.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// One answer per record, in the order of the batch.
pub type Answers = Vec<Result<Appended, AppendError>>;

/// An append under way. Await it, or [`Appending::wait`] on a plain thread.
#[derive(Debug)]
pub struct Appending {
    records: usize,
    answers: oneshot::Receiver<Answers>,
}

impl Appending {
    /// An append of `records` records whose answers come through `answers`; if the sender goes
    /// away without a word, they are unknown.
    #[must_use]
    pub const fn new(records: usize, answers: oneshot::Receiver<Answers>) -> Self {
        Self { records, answers }
    }

    /// An append that is answered at once.
    #[must_use]
    pub fn ready(answers: Answers) -> Self {
        let records = answers.len();
        let (sender, receiver) = oneshot::channel();
        // The receiver lives in this function: the send cannot fail.
        let _ = sender.send(answers);
        Self { records, answers: receiver }
    }

    /// Blocks this thread until the answers are there. Not for async code.
    #[must_use]
    pub fn wait(self) -> Answers {
        self.answers.blocking_recv().unwrap_or_else(|_| Self::unanswered(self.records))
    }

    fn unanswered(records: usize) -> Answers {
        vec![Err(AppendError::Unknown("the log went away before it answered".to_owned())); records]
    }
}

impl Future for Appending {
    type Output = Answers;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answers> {
        let records = self.records;
        Pin::new(&mut self.answers)
            .poll(context)
            .map(|answers| answers.unwrap_or_else(|_| Self::unanswered(records)))
    }
}

/// The answers to a batch of which nothing is sent.
pub(super) fn not_appended(records: usize, why: &str) -> Answers {
    vec![Err(AppendError::NotAppended(why.to_owned())); records]
}

pub(super) fn content_bytes(records: &[NewRecord]) -> usize {
    records.iter().map(|record| record.key.len() + record.value.len()).sum()
}

/// The answers to a batch that is too large, or has a record that is.
pub(super) fn refuse_size(records: &[NewRecord]) -> Option<Answers> {
    let too_large = |bytes, max| Err(AppendError::TooLarge { bytes, max });
    let bytes = content_bytes(records);
    if bytes > BATCH_BYTES_MAX {
        return Some(vec![too_large(bytes, BATCH_BYTES_MAX); records.len()]);
    }
    if records.iter().all(|record| record.value.len() <= RECORD_BYTES_MAX) {
        return None;
    }
    let each = records.iter().map(|record| match record.value.len() {
        bytes if bytes > RECORD_BYTES_MAX => too_large(bytes, RECORD_BYTES_MAX),
        _ => Err(AppendError::NotAppended("another record of the batch is too large".to_owned())),
    });
    Some(each.collect())
}
