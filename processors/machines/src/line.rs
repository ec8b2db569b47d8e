//! A line of an order, and what the order has of it. An order has each product once.

use crate::message::Place;
use schemas::events::lines::{OrderLine, Split};
use schemas::events::orders::Reason;
use schemas::id::ProductId;
use serde::{Deserialize, Serialize};

/// What an order has of one of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub product: ProductId,
    /// What one costs, in minor units.
    pub price: i64,
    /// How many.
    pub quantity: u32,
    /// What the order has of it.
    pub claim: Claim,
    /// Where the product keeps the claim, as far as it was told.
    pub place: Place,
}

impl Line {
    /// A line as it was ordered.
    pub(crate) const fn new(ordered: &OrderLine, claim: Claim) -> Self {
        let OrderLine { product_id, quantity, price } = *ordered;
        Self { product: product_id, price, quantity, claim, place: Place::UNKNOWN }
    }

    /// Nothing is claimed any more; it is asked for again.
    pub(crate) fn ask_again(&mut self) {
        (self.claim, self.place) = (Claim::Waiting, Place::UNKNOWN);
    }
}
