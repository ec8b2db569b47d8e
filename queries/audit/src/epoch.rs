//! An epoch as the log tells it: its plan, what that took in, and what came of it.

use crate::verdicts::Place;
use schemas::codec::DecodeError;
use schemas::envelope::Envelope;
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;

/// A record that was asked.
pub(crate) struct Input {
    pub(crate) place: Place,
    pub(crate) appended_at: Timestamp,
    pub(crate) event: Result<(Envelope, Event), DecodeError>,
}

/// A record that was decided.
pub(crate) struct Output {
    pub(crate) place: Place,
    pub(crate) envelope: Envelope,
    pub(crate) event: Event,
}

/// One plan, what it took in and what came of it.
pub(crate) struct Epoch {
    pub(crate) number: u64,
    pub(crate) era: u32,
    pub(crate) hash: EventId,
    pub(crate) now: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) rules_version: u32,
    pub(crate) planned_at: Timestamp,
    pub(crate) inputs: Vec<Input>,
    /// By output partition, then id.
    pub(crate) outputs: Vec<Output>,
    /// For each input partition, the first offset no plan up to here took.
    pub(crate) applied: Vec<u64>,
}
