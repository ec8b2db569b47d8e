//! Topic `dead-letters`: records that cannot be used, with cause and position.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a record was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterCause {
    /// Not the wire format, or not what its schema says.
    Undecodable,
    /// Its key belongs on another partition.
    WrongPartition,
    /// Its event does not belong on this topic.
    WrongTopic,
    /// An operator said so.
    Skipped,
}

/// A record that was set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The topic's number.
    pub topic: u8,
    /// The partition it lies on.
    pub partition: u16,
    /// Its offset there.
    pub offset: u64,
    /// When it was appended.
    pub appended_at: Timestamp,
    /// Why it is here.
    pub cause: DeadLetterCause,
    /// The error in words.
    pub detail: String,
}
