//! What the two single writers, customers and products, say to each other, and in which order an
//! epoch's messages are applied.
//!
//! ```text
//! log ----> customers --Reserve, Secure, Release, Confirm, AskPrice--> products <---- log
//!              ^                                                         |
//!              +----------------- Reserved, Refused, Revoked, Price -----+   (a round later)
//! ```
//!
//! Canonical order is by `(class, cause, order, line)`, and no two messages to one operator agree
//! in it. Classes: customers take replies before log records; products take warehouse records,
//! then their own log records, then releases, secures and confirms, then reserves. Due timers
//! come before all.

pub use crate::place::Place;
use crate::rules::Rules;
use schemas::events::Event;
use schemas::events::lines::Split;
use schemas::events::orders::Reason;
use schemas::id::{ActionId, CustomerId, EventId, OrderId, ProductId, RegionId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde::{Deserialize, Serialize};

/// What a decision may read beside its state and its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The epoch that decides.
    pub epoch: u64,
    /// Its time.
    pub now: Timestamp,
    /// The time of the epoch before.
    pub before: Timestamp,
    /// When what is reserved first in this epoch lapses.
    pub deadline: Timestamp,
    /// The rules of the claim that it is planned under.
    pub rules: Rules,
}

/// What a message began with: a log record, or a timer. Ordered by time, then place.
///
/// The first word, from the top: 44 bits of milliseconds, 4 bits of topic (0 for a timer), 16 bits
/// of partition, or of a timer's order id; the second: the offset, or the rest of the order id.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Cause([u64; 2]);

impl Cause {
    /// The record at this place.
    #[must_use]
    pub fn record(appended_at: Timestamp, at: TopicPartition, offset: u64) -> Self {
        let place = u64::from(at.topic as u8) << 16 | u64::from(at.partition);
        Self([Self::time(appended_at) | place, offset])
    }

    /// The timer of this order.
    #[must_use]
    pub fn timer(deadline: Timestamp, order: OrderId) -> Self {
        let [hi, lo] = order.words();
        Self([Self::time(deadline) | hi & 0xffff, lo])
    }

    fn time(at: Timestamp) -> u64 {
        at.0.clamp(0, (1 << 44) - 1).unsigned_abs() << 20
    }

    /// Where the record lies; none for a timer.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each part is cut out of the number")]
    pub fn position(self) -> Option<(TopicPartition, u64)> {
        let [place, offset] = self.0;
        let topic = Topic::from_number((place >> 16) as u8 & 0xf)?;
        Some((TopicPartition { topic, partition: place as u16 }, offset))
    }

    /// As two words, for hashing.
    #[inline]
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        self.0
    }
}

/// A message to the customers operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToCustomer {
    /// What it began with.
    pub cause: Cause,
    /// The event it began with; a timer's is the order's id in bytes.
    pub cause_id: EventId,
    /// What is said.
    pub body: CustomerMessage,
}

/// What a customer's shard is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CustomerMessage {
    /// All units of the line are claimed.
    Reserved {
        /// Of which order.
        order: OrderId,
        /// Which line.
        line: u16,
        /// Where the units are.
        levels: Split,
        /// Where the product keeps the claim.
        place: Place,
    },
    /// The line cannot be had.
    Refused {
        /// Of which order.
        order: OrderId,
        /// Which line.
        line: u16,
        /// Why.
        reason: Reason,
        /// Units that firm claims left.
        available: u32,
    },
    /// An adjustment took the units of the order's reservation.
    Revoked {
        /// Of which order.
        order: OrderId,
        /// Which line.
        line: u16,
    },
    /// What a product costs, for a cart.
    Price {
        /// Who asked.
        customer: CustomerId,
        /// With which action.
        action: ActionId,
        /// About what.
        product: ProductId,
        /// How many more shall go into the cart.
        quantity: u32,
        /// What one costs, and in which currency; or why it cannot be bought.
        price: Result<(i64, Currency), Reason>,
    },
    /// A record of `customer-actions`. It comes from the log, never from another process; and it
    /// is never left over at an epoch's end, so it is in no checkpoint.
    #[serde(skip)]
    Record(Box<Event>),
}

/// A message to the products operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToProduct {
    /// What it began with.
    pub cause: Cause,
    /// The event it began with.
    pub cause_id: EventId,
    /// What is said.
    pub body: ProductMessage,
}

/// What a product's shard is told. What is not sent from process to process stands last: readers
/// count the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProductMessage {
    /// Claim a line. Answered once, by Reserved or Refused, perhaps some rounds later.
    Reserve(Reserve),
    /// All lines of the order are reserved: the claim is firm from now on.
    Secure {
        /// The line's product.
        product: ProductId,
        /// The order.
        order: OrderId,
        /// The line.
        line: u16,
        /// Where the claim is kept, as far as it was told.
        place: Place,
    },
    /// Give back what the order holds of this product, be it a place in the queue, a reservation
    /// or an allocation. Nothing held is no mistake.
    Release {
        /// The line's product.
        product: ProductId,
        /// The order.
        order: OrderId,
        /// The line.
        line: u16,
        /// Where the claim is kept, as far as it was told.
        place: Place,
    },
    /// The reservation becomes an allocation. It must be there and not over.
    Confirm {
        /// The line's product.
        product: ProductId,
        /// The order.
        order: OrderId,
        /// The line.
        line: u16,
        /// Where the claim is kept, as far as it was told.
        place: Place,
    },
    /// The reservation's deadline has passed: let it lapse if it is still there.
    Expire {
        /// The line's product.
        product: ProductId,
        /// The order.
        order: OrderId,
        /// The line.
        line: u16,
        /// Where the claim is kept, as far as it was told.
        place: Place,
    },
    /// What does it cost? For a cart.
    AskPrice {
        /// The product.
        product: ProductId,
        /// Who asks.
        customer: CustomerId,
        /// With which action.
        action: ActionId,
        /// How many shall go into the cart.
        quantity: u32,
    },
    /// A record of `warehouse-actions`; every shard gets it, from the log that its process reads.
    #[serde(skip)]
    Warehouse(Box<Event>),
    /// A record of `product-actions`. It comes from the log, never from another process.
    #[serde(skip)]
    Record(Box<Event>),
}

/// A line to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The line's product.
    pub product: ProductId,
    /// The order.
    pub order: OrderId,
    /// The line.
    pub line: u16,
    /// Whether it is the order's only line: then the claim is firm at once.
    pub alone: bool,
    /// Units, all or nothing.
    pub quantity: u32,
    /// What the shopper saw, in minor units. A paid order reserved again is not asked.
    pub price: Option<i64>,
    /// Of the price.
    pub currency: Currency,
    /// Where the order goes.
    pub region: RegionId,
    /// When the reservation lapses; [`Timestamp::MAX`] for a paid order reserved again.
    pub expires_at: Timestamp,
}

/// Place in canonical order.
pub type SortKey = (u8, Cause, OrderId, u16);

impl CustomerMessage {
    /// The key group of the customer whom a reply is for.
    ///
    /// # Panics
    /// Of a record of the log: who reads the log knows whose it is.
    #[must_use]
    pub fn group(&self) -> u16 {
        match self {
            Self::Reserved { order, .. }
            | Self::Refused { order, .. }
            | Self::Revoked { order, .. } => order.group(),
            Self::Price { customer, .. } => customer.0.group(),
            Self::Record(_) => unreachable!("log records come by the desk"),
        }
    }
}

impl ToCustomer {
    /// The place that it tells.
    #[must_use]
    pub const fn place(&self) -> Option<Place> {
        match &self.body {
            CustomerMessage::Reserved { place, .. } => Some(*place),
            CustomerMessage::Refused { .. }
            | CustomerMessage::Revoked { .. }
            | CustomerMessage::Price { .. }
            | CustomerMessage::Record(_) => None,
        }
    }

    /// The same, to be set.
    pub const fn place_mut(&mut self) -> Option<&mut Place> {
        match &mut self.body {
            CustomerMessage::Reserved { place, .. } => Some(place),
            CustomerMessage::Refused { .. }
            | CustomerMessage::Revoked { .. }
            | CustomerMessage::Price { .. }
            | CustomerMessage::Record(_) => None,
        }
    }

    /// Its class: the first part of its place.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> u8 {
        match &self.body {
            CustomerMessage::Reserved { .. }
            | CustomerMessage::Refused { .. }
            | CustomerMessage::Revoked { .. }
            | CustomerMessage::Price { .. } => 0,
            CustomerMessage::Record(_) => 1,
        }
    }

    /// Its place.
    #[inline]
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        let (order, line) = match &self.body {
            CustomerMessage::Reserved { order, line, .. }
            | CustomerMessage::Refused { order, line, .. }
            | CustomerMessage::Revoked { order, line } => (*order, *line),
            CustomerMessage::Price { .. } | CustomerMessage::Record(_) => (OrderId::default(), 0),
        };
        (self.class(), self.cause, order, line)
    }
}

impl ToProduct {
    /// The place that it tells back.
    #[must_use]
    pub const fn place(&self) -> Option<Place> {
        match &self.body {
            ProductMessage::Secure { place, .. }
            | ProductMessage::Release { place, .. }
            | ProductMessage::Confirm { place, .. }
            | ProductMessage::Expire { place, .. } => Some(*place),
            ProductMessage::Reserve(_)
            | ProductMessage::AskPrice { .. }
            | ProductMessage::Warehouse(_)
            | ProductMessage::Record(_) => None,
        }
    }

    /// The same, to be set.
    pub const fn place_mut(&mut self) -> Option<&mut Place> {
        match &mut self.body {
            ProductMessage::Secure { place, .. }
            | ProductMessage::Release { place, .. }
            | ProductMessage::Confirm { place, .. }
            | ProductMessage::Expire { place, .. } => Some(place),
            ProductMessage::Reserve(_)
            | ProductMessage::AskPrice { .. }
            | ProductMessage::Warehouse(_)
            | ProductMessage::Record(_) => None,
        }
    }

    /// Its class: the first part of its place.
    #[inline]
    #[must_use]
    pub const fn class(&self) -> u8 {
        match &self.body {
            ProductMessage::Warehouse(_) => 0,
            ProductMessage::Record(_) => 1,
            ProductMessage::Expire { .. } => 2,
            ProductMessage::Release { .. } => 3,
            ProductMessage::Secure { .. } => 4,
            ProductMessage::Confirm { .. } => 5,
            ProductMessage::Reserve(_) => 6,
            ProductMessage::AskPrice { .. } => 7,
        }
    }

    /// Its place.
    #[must_use]
    #[inline]
    pub fn sort_key(&self) -> SortKey {
        let (order, line) = match &self.body {
            ProductMessage::Expire { order, line, .. }
            | ProductMessage::Release { order, line, .. }
            | ProductMessage::Secure { order, line, .. }
            | ProductMessage::Confirm { order, line, .. } => (*order, *line),
            ProductMessage::Reserve(reserve) => (reserve.order, reserve.line),
            ProductMessage::Warehouse(_)
            | ProductMessage::Record(_)
            | ProductMessage::AskPrice { .. } => (OrderId::default(), 0),
        };
        (self.class(), self.cause, order, line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_ordered_by_time_and_tells_its_place() {
        let at = TopicPartition { topic: Topic::CustomerActions, partition: 15 };
        let early = Cause::record(Timestamp(1_000), at, u64::MAX);
        let late = Cause::record(Timestamp(1_001), at, 0);
        assert!(early < late);
        assert_eq!(early.position(), Some((at, u64::MAX)));
        let timer = Cause::timer(Timestamp(1_000), OrderId::new(3, [0xff; 16]));
        assert_eq!(timer.position(), None);
        assert!(timer < early);
    }
}
