//! A line of an order, and what the order has of it. An order has each product once.

use schemas::events::lines::Split;
use schemas::events::orders::Reason;
use schemas::id::ProductId;

/// What an order has of one of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Asked for.
    Waiting,
    /// Claimed.
    Reserved(Split),
    /// Sold.
    Allocated(Split),
    /// Refused, or taken away by an adjustment.
    Refused {
        /// Why.
        reason: Reason,
        /// Units that firm claims left.
        available: u32,
    },
    /// Given back, or never asked for.
    Released,
}

/// A line of an order.
#[derive(Clone, Debug)]
pub struct Line {
    /// What.
    pub product: ProductId,
    /// What one costs, in minor units.
    pub price: i64,
    /// How many.
    pub quantity: u32,
    /// What the order has of it.
    pub claim: Claim,
}
