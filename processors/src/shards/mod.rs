//! The state of all keys that one worker owns, and what one message does to it: plain structs
//! around the machines, without timely. A shard is applied to messages in canonical order, swept
//! once an epoch, and finished when the epoch's last round has closed.
//!
//! Whatever a shard emits is a function of the messages it was given; which worker holds it, and
//! how its maps are hashed, must not show.

pub mod customers;
pub mod products;

use machines::message::Cause;
use schemas::events::Event;
use schemas::hash::Hasher;
use schemas::id::{EventId, Id};

/// An event that was decided, before it has its output id.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The key's 16 bytes: the customer, product, or payment. Fixes partition and order.
    pub key: Id,
    /// The key group.
    pub group: u16,
    /// What it began with.
    pub cause: Cause,
    /// The event it began with.
    pub cause_id: EventId,
    /// The order or action it belongs to, in bytes.
    pub correlation_id: EventId,
    /// This event's id.
    pub event_id: EventId,
    /// The event.
    pub event: Event,
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
}

impl<M> Default for Out<M> {
    fn default() -> Self {
        Self { messages: Vec::new(), events: Vec::new(), digest: 0 }
    }
}

impl<M> Out<M> {
    /// Takes a hash into the digest; the order in which hashes come does not matter.
    pub fn digest(&mut self, hasher: Hasher) {
        self.digest = self.digest.wrapping_add(hasher.finish());
    }
}
