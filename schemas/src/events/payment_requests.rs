//! Topic `payment-requests`: what the payment worker shall ask the gateway; key payment.

use crate::id::{CustomerId, OrderId, PaymentId, PaymentMethod};
use crate::money::Currency;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A verb of the card world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentVerb {
    /// Hold the money.
    Authorize,
    /// Take what is held.
    Capture,
    /// Give up the hold.
    Void,
    /// Give back what was taken.
    Refund,
}

/// One call to the gateway. The record's topic, partition, epoch and n are its idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRequested {
    /// Which payment.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What to do.
    pub verb: PaymentVerb,
    /// In minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// When the order lapses if it is not paid.
    pub expires_at: Timestamp,
}
