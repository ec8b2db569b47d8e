//! The rows of the view of timelines, as hashes: all that happened to all orders would not fit into
//! memory.

use schemas::hash::Hasher;
use schemas::id::EventId;
use sinks::view_store::rows::TimelineEntry;

/// Seeds the hash of a row.
const TIMELINE: u64 = 9;

/// The hash of a timeline row with one more entry.
pub(crate) fn with_entry(row: Hasher, entry: &TimelineEntry) -> Hasher {
    let row = row.word(entry.at.0.cast_unsigned()).bytes(entry.event.as_bytes());
    let id = |row: Hasher, EventId(id): EventId| row.bytes(&id);
    let row = id(id(row, entry.event_id), entry.cause_id);
    match entry.position {
        Some((at, offset)) => row.word(at.topic as u64).word(u64::from(at.partition)).word(offset),
        None => row.word(u64::MAX),
    }
}

/// The hash of a whole timeline row.
pub(crate) fn timeline_hash(entries: &[TimelineEntry]) -> Hasher {
    entries.iter().fold(Hasher::new(TIMELINE), with_entry)
}

/// `OrderConfirmed` as `order_confirmed`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
