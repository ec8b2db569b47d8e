//! The topics, their partitions, and which partition a key is on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Groups that keys fall into; a partition and a worker own whole groups.
pub const GROUPS: u16 = 1024;
/// Partitions of every topic but [`Topic::Epochs`].
pub const PARTITIONS: u16 = 16;

/// A topic of the shop. The discriminant is its number in sort keys and in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Topic {
    /// Claims and plans: one partition, the arbiter.
    Epochs = 1,
    /// Every action of a customer, and every payment result.
    CustomerActions = 2,
    /// Listing, price, receipts, adjustments.
    ProductActions = 3,
    /// Warehouses set up.
    WarehouseActions = 4,
    /// What was decided on orders and carts; key customer.
    Orders = 5,
    /// What was decided on stock and listings; key product.
    Inventory = 6,
    /// What the payment worker shall ask; key payment.
    PaymentRequests = 7,
    /// Records that cannot be decoded, with cause and position.
    DeadLetters = 8,
}

impl Topic {
    /// All topics, by number.
    pub const ALL: [Self; 8] = [
        Self::Epochs,
        Self::CustomerActions,
        Self::ProductActions,
        Self::WarehouseActions,
        Self::Orders,
        Self::Inventory,
        Self::PaymentRequests,
        Self::DeadLetters,
    ];
    /// The topics that plans cut, in the order in which a causal cut reaches them.
    pub const INPUTS: [Self; 3] =
        [Self::CustomerActions, Self::ProductActions, Self::WarehouseActions];
    /// The topics that the engine publishes.
    pub const OUTPUTS: [Self; 4] =
        [Self::Orders, Self::Inventory, Self::PaymentRequests, Self::DeadLetters];

    /// The topic with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|t| *t as u8 == number)
    }

    /// The name without the namespace: `customer-actions`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Epochs => "epochs",
            Self::CustomerActions => "customer-actions",
            Self::ProductActions => "product-actions",
            Self::WarehouseActions => "warehouse-actions",
            Self::Orders => "orders",
            Self::Inventory => "inventory",
            Self::PaymentRequests => "payment-requests",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// The whole name, on servers that several shops may share.
    #[must_use]
    pub fn named(self, namespace: &str) -> String {
        format!("{namespace}.{}", self.suffix())
    }

    /// How many partitions it has.
    #[must_use]
    pub const fn partitions(self) -> u16 {
        match self {
            Self::Epochs => 1,
            Self::CustomerActions
            | Self::ProductActions
            | Self::WarehouseActions
            | Self::Orders
            | Self::Inventory
            | Self::PaymentRequests
            | Self::DeadLetters => PARTITIONS,
        }
    }

    /// Whether plans cut it.
    #[must_use]
    pub const fn is_input(self) -> bool {
        matches!(self, Self::CustomerActions | Self::ProductActions | Self::WarehouseActions)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watermart.{}", self.suffix())
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// From 0.
    pub partition: u16,
}

impl TopicPartition {
    /// The partition of `topic` that holds the keys of `group`.
    #[must_use]
    pub const fn of_group(topic: Topic, group: u16) -> Self {
        Self { topic, partition: group % topic.partitions() }
    }

    /// Topic and partition by the topic's whole name, as [`Topic::named`] has it.
    #[must_use]
    pub fn named(self, namespace: &str) -> String {
        format!("{}/{}", self.topic.named(namespace), self.partition)
    }

    /// All partitions of `topic`.
    pub fn all(topic: Topic) -> impl Iterator<Item = Self> {
        (0..topic.partitions()).map(move |partition| Self { topic, partition })
    }

    /// All partitions that plans cut: customers', products', warehouses'.
    pub fn inputs() -> impl Iterator<Item = Self> {
        Topic::INPUTS.into_iter().flat_map(Self::all)
    }

    /// Its place in [`Self::inputs`]; `None` for a topic that plans do not cut.
    #[must_use]
    pub fn input_index(self) -> Option<usize> {
        let topic = Topic::INPUTS.into_iter().position(|t| t == self.topic)?;
        Some(topic * usize::from(PARTITIONS) + usize::from(self.partition))
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}
