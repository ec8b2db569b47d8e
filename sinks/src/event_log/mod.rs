//! Port: the event log. Topics of partitions of records, appended and read, never changed.
//!
//! The contract, which [`conformance`] tests by these names:
//! - *answers*: an append answers, record by record, durable at this offset, not appended, or
//!   unknown. Unknown is never reported as either of the others.
//! - *order*: a reader sees each partition in offset order; offsets grow and may have gaps. Two
//!   appends by one caller to one partition, the second made after the first, keep their order,
//!   also while both are in flight.
//! - *start*: a partition's start may move; reading below it is [`ReadError::BelowStart`].
//! - *size*: a record over [`RECORD_BYTES_MAX`](schemas::limits::RECORD_BYTES_MAX) or a batch over
//!   [`BATCH_BYTES_MAX`], keys and values, is refused before anything of it is sent.
//! - *append time*: is the record's own, never goes back within a partition, and is the same
//!   wherever a reader starts.
//! - *durable*: [`EventLog::ends`] and every read stop at what is durable; everything acknowledged
//!   before the ends were asked for lies below them.
//! - *wake*: a reader that waits is woken within 10 ms of a record becoming durable.
//! - *close*: closing delivers or answers whatever is in flight; after it appends are not appended,
//!   and what stands can still be read. Whoever is told anything while it closes is told what is so.

mod append;
pub mod conformance;
pub mod embedded;
pub mod kafka;
mod location;

pub use append::{Answers, AppendError, Appended, Appending};
pub use location::Location;

use bytes::Bytes;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use std::time::Duration;

/// Bytes of keys and values that one append may hold.
pub const BATCH_BYTES_MAX: usize = 16 << 20;

/// An output's id within its partition: epoch, and n in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId {
    /// The epoch that decided it.
    pub epoch: u64,
    /// Counted from 0 within epoch and partition.
    pub n: u32,
}

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Where to.
    pub partition: TopicPartition,
    /// The key's text.
    pub key: Bytes,
    /// The wire format.
    pub value: Bytes,
    /// The header `watermart-id`; outputs have one.
    pub output_id: Option<OutputId>,
}

/// A record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub partition: TopicPartition,
    /// Its offset there.
    pub offset: u64,
    /// When the log took it.
    pub appended_at: Timestamp,
    /// The key's text.
    pub key: Bytes,
    /// The wire format.
    pub value: Bytes,
    /// The header `watermart-id`.
    pub output_id: Option<OutputId>,
}

/// Why the log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The records asked for are not kept any more.
    #[error("{partition} begins at offset {start}, cannot read {asked}")]
    BelowStart {
        /// Which partition.
        partition: TopicPartition,
        /// What was asked for.
        asked: u64,
        /// Where it begins.
        start: u64,
    },
    /// The log ends before what was there already: records were lost.
    #[error(
        "{partition} ends at offset {end}, cannot read {asked}: records were lost; restore the \
         log, or what was made from it, from a copy"
    )]
    BeyondEnd {
        /// Which partition.
        partition: TopicPartition,
        /// What was asked for.
        asked: u64,
        /// Where it ends.
        end: u64,
    },
    /// Bytes are not what was written.
    #[error("{file} is damaged at byte {byte}: {detail}; restore the file from a copy")]
    Damaged {
        /// The file's path.
        file: String,
        /// The first bad byte's place.
        byte: u64,
        /// What is wrong.
        detail: String,
    },
    /// The log did not answer; trying again may work.
    #[error("could not read: {0}")]
    Unavailable(String),
}

/// The log.
pub trait EventLog: Send + Sync {
    /// Sends records, in order, and never blocks: over the bound of what may be in flight the
    /// answer is [`AppendError::NotAppended`].
    fn append(&self, records: Vec<NewRecord>) -> Appending;

    /// The ends of these partitions: the offsets that their next records would have.
    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError>;

    /// A reader of these partitions, each from the offset beside it.
    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError>;

    /// Takes no more appends and blocks until all in flight are answered.
    fn close(&self);
}

/// Reads some partitions in offset order, from where it was opened.
pub trait Reader: Send {
    /// Adds the next records to `into`, of up to about `bytes_max` bytes. None: its partitions are
    /// read to their ends as they were when it was opened, and nothing more is known of. Whoever
    /// must see a later end asks for it first, and reads until [`Reader::position`] is there. What
    /// was there when it was opened comes in about the order in which it was appended, whatever
    /// its partition.
    fn read(&mut self, bytes_max: usize, into: &mut Vec<Record>) -> Result<(), ReadError>;

    /// Blocks until the log has grown since the last [`Reader::read`] that returned nothing, or
    /// `timeout` is over. Wakes may be spurious.
    fn wait(&mut self, timeout: Duration);

    /// Everything of this partition below this offset has been read or does not exist.
    fn position(&self, partition: TopicPartition) -> u64;
}
