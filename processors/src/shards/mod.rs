//! The state of all keys that one worker owns, and what one message does to it: plain structs
//! around the machines, without timely. A shard is applied to messages in canonical order, swept
//! once an epoch, and finished when the epoch's last round has closed.
//!
//! Whatever a shard emits is a function of the messages it was given; which worker holds it, and
//! how its maps are hashed, must not show.
//!
//! Most of a message's time goes into waiting for memory, so state lies in arenas that never move
//! (`arena`) and is found by small tables of numbers (`index`); messages are told to the shard
//! ahead of their turn, that it may look all of them up at once.

mod arena;
mod changes;
pub mod customers;
mod index;
pub mod keys;
pub mod products;
pub mod saved;

use schemas::events::Event;
use schemas::hash::{Hasher, hash128_of_words};
use schemas::id::{EventId, Id};
use serde::{Deserialize, Serialize};

/// An event that was decided, before it has its output id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The key's 16 bytes: the customer, product, or payment. Fixes partition and order.
    #[serde(with = "words")]
    pub key: Id,
    /// The event it began with.
    pub cause_id: EventId,
    /// The order or action it belongs to, as words.
    pub correlation: [u64; 2],
    /// Tells it from others of its kind, key and correlation in the epoch.
    pub serial: u32,
    /// The key group.
    pub group: u16,
    /// The event.
    #[serde(with = "schemas::events::tagged")]
    pub event: Event,
}

/// A key by its words: a payment's has no text.
mod words {
    use schemas::id::Id;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &Id, s: S) -> Result<S::Ok, S::Error> {
        key.words().serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Id, D::Error> {
        <[u64; 2]>::deserialize(d).map(Id::from_words)
    }
}

impl Decided {
    /// The event's id, if it was decided in this epoch.
    #[must_use]
    pub fn event_id(&self, epoch: u64) -> EventId {
        event_id(epoch, self.event.kind() as u64, self.key, self.correlation, self.serial)
    }
}

/// The id of an event: a hash of what no two events agree in.
fn event_id(epoch: u64, kind: u64, key: Id, correlation: [u64; 2], serial: u32) -> EventId {
    let ([key_hi, key_lo], [hi, lo]) = (key.words(), correlation);
    EventId(hash128_of_words(kind, &[key_hi, key_lo, hi, lo, epoch, u64::from(serial)]))
}

/// What a shard emits while it works.
#[derive(Debug)]
pub struct Out<M> {
    /// To the other operator.
    pub messages: Vec<M>,
    /// To the output topics. For one key, in the order of the decisions.
    pub events: Vec<Decided>,
    /// The sum of the hashes of inputs, outputs, changes and timers so far in this epoch.
    pub digest: u64,
    /// What came of orders behind the horizon.
    pub late: u64,
}

impl<M> Default for Out<M> {
    fn default() -> Self {
        Self { messages: Vec::new(), events: Vec::new(), digest: 0, late: 0 }
    }
}

impl<M> Out<M> {
    /// Takes a hash into the digest; the order in which hashes come does not matter.
    pub fn digest(&mut self, hasher: Hasher) {
        self.digest = self.digest.wrapping_add(hasher.finish());
    }
}
