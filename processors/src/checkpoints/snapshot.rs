//! What a worker's shards save at the end of an epoch: entries as they come, one after the other in
//! one piece of memory. Nothing is sorted or packed here, for decisions wait meanwhile.

use schemas::topic::GROUPS;
use serde::{Deserialize, Serialize};

/// In the place of a key group: what every worker loads.
pub const EVERYONE: u16 = GROUPS;

/// What an entry is. Entries are loaded in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An order.
    Order = 1,
    /// A cart.
    Cart = 2,
    /// An idempotency key of a customer.
    CustomerKey = 3,
    /// A warehouse.
    Warehouse = 4,
    /// A product: its listing and stock.
    Product = 5,
    /// A claim on a product that is there.
    Claim = 6,
    /// An idempotency key of a product.
    ProductKey = 7,
    /// What is kept of an order that was settled long ago.
    PastOrder = 8,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Order,
        Self::Cart,
        Self::CustomerKey,
        Self::Warehouse,
        Self::Product,
        Self::Claim,
        Self::ProductKey,
        Self::PastOrder,
    ];

    /// The kind of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Where an entry lies in a snapshot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) group: u16,
    key_bytes: u8,
    removed: bool,
    begin: usize,
    end: usize,
}

/// What one worker saves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    bytes: Vec<u8>,
    pub(super) places: Vec<Place>,
    /// Messages that enter the next epoch.
    pub(super) left: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Saves what is under this key.
    pub fn put(&mut self, group: u16, kind: Kind, key: &[u8], value: &impl Serialize) {
        let begin = self.key(kind, key);
        self.bytes = postcard::to_extend(value, std::mem::take(&mut self.bytes))
            .expect("state can be written to memory");
        self.close(group, key, begin, false);
    }

    /// Saves that there is nothing under this key any more. What is put under it afterwards is
    /// there.
    pub fn remove(&mut self, group: u16, kind: Kind, key: &[u8]) {
        let begin = self.key(kind, key);
        self.close(group, key, begin, true);
    }

    /// Saves a message that enters the next epoch.
    pub fn leave(&mut self, message: &impl Serialize) {
        self.left.push(postcard::to_stdvec(message).expect("a message can be written to memory"));
    }

    /// All entries in the order in which they were saved: key group, kind and key, value.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u16, &[u8], Option<&[u8]>)> {
        self.places.iter().map(|place| (place.group, self.key_of(place), self.value_of(place)))
    }

    fn key(&mut self, kind: Kind, key: &[u8]) -> usize {
        let begin = self.bytes.len();
        self.bytes.push(kind as u8);
        self.bytes.extend_from_slice(key);
        begin
    }

    fn close(&mut self, group: u16, key: &[u8], begin: usize, removed: bool) {
        let key_bytes = u8::try_from(key.len() + 1).expect("keys are short");
        self.places.push(Place { group, key_bytes, removed, begin, end: self.bytes.len() });
    }

    /// The entry's kind and key.
    pub(super) fn key_of(&self, place: &Place) -> &[u8] {
        &self.bytes[place.begin..place.begin + usize::from(place.key_bytes)]
    }

    /// What is saved under it; none: nothing any more.
    pub(super) fn value_of(&self, place: &Place) -> Option<&[u8]> {
        let value = &self.bytes[place.begin + usize::from(place.key_bytes)..place.end];
        (!place.removed).then_some(value)
    }
}
