//! What every event carries beside its body.

pub(crate) mod datum;

use crate::id::{EventId, Id, fixed16};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys; the subject is the customer id.
    Shopper,
    /// Lists and stocks; the subject is the seller id.
    Seller,
    /// Runs the shop.
    Operator,
    /// The payment provider.
    Provider,
    /// The engine itself: every decided event.
    Engine,
}

impl Role {
    /// All of them, in the order of the schema's symbols.
    pub(crate) const ALL: [Self; 5] =
        [Self::Shopper, Self::Seller, Self::Operator, Self::Provider, Self::Engine];
}

/// The common part of all events but those on the plan topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// This event.
    #[serde(with = "fixed16")]
    pub event_id: EventId,
    /// When it happened: an action's arrival, a decision's `now`.
    pub occurred_at: Timestamp,
    /// Who acted.
    pub role: Role,
    /// Under which id, if any.
    pub subject: Option<Id>,
    /// The event that caused this one; an action causes itself.
    #[serde(with = "fixed16")]
    pub causation_id: EventId,
    /// The journey: the order's or action's id in bytes.
    #[serde(with = "fixed16")]
    pub correlation_id: EventId,
}
