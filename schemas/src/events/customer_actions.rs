//! Topic `customer-actions`: what customers ask, and what payments became.

use super::bounds;
use super::lines::OrderLine;
use crate::id::{
    ActionId, CustomerId, KeyHash, OrderId, PaymentId, PaymentMethod, ProductId, RegionId,
};
use crate::limits::{IDEMPOTENCY_KEY_MAX, LINES_MAX};
use crate::money::Currency;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// An idempotency key: its text on the way to the log, its hash on the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdempotencyKey {
    /// To be written.
    Text(Box<str>),
    /// As read.
    Hash(KeyHash),
}

impl IdempotencyKey {
    /// The hash, by which keys are compared.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        match self {
            Self::Text(text) => KeyHash::of(text),
            Self::Hash(hash) => *hash,
        }
    }
}
impl Serialize for IdempotencyKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => s.serialize_str(text),
            Self::Hash(KeyHash([hi, lo])) => s.collect_str(&format_args!("#{hi:016x}{lo:016x}")),
        }
    }
}
impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = IdempotencyKey;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "1 to {IDEMPOTENCY_KEY_MAX} visible ASCII characters")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<IdempotencyKey, E> {
                let legal = (1..=IDEMPOTENCY_KEY_MAX).contains(&v.len())
                    && v.bytes().all(|b| b.is_ascii_graphic());
                if !legal {
                    return Err(E::invalid_value(de::Unexpected::Other("text"), &self));
                }
                Ok(IdempotencyKey::Hash(KeyHash::of(v)))
            }
        }
        d.deserialize_str(Visitor)
    }
}

/// A checkout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckoutRequested {
    /// The order it opens.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// The caller's key.
    pub idempotency_key: IdempotencyKey,
    /// What is bought; null means the cart.
    #[serde(deserialize_with = "optional_lines")]
    pub lines: Option<Vec<OrderLine>>,
    /// Of all prices.
    pub currency: Currency,
    /// Where it goes.
    pub region: RegionId,
    /// How it is paid.
    pub payment_method: PaymentMethod,
}

fn optional_lines<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<OrderLine>>, D::Error> {
    struct Lines(Vec<OrderLine>);
    impl<'de> Deserialize<'de> for Lines {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            super::lines::bounded(d, LINES_MAX).map(Lines)
        }
    }
    Ok(Option::<Lines>::deserialize(d)?.map(|Lines(lines)| lines))
}

/// More of a product into the cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartItemAddRequested {
    /// This action.
    pub action_id: ActionId,
    /// Whose cart.
    pub customer_id: CustomerId,
    /// The caller's key.
    pub idempotency_key: IdempotencyKey,
    /// What.
    pub product_id: ProductId,
    /// How many more.
    #[serde(deserialize_with = "bounds::quantity")]
    pub quantity: u32,
}

/// A cart item set to a quantity; 0 removes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartItemSetRequested {
    /// This action.
    pub action_id: ActionId,
    /// Whose cart.
    pub customer_id: CustomerId,
    /// What.
    pub product_id: ProductId,
    /// How many there shall be.
    #[serde(deserialize_with = "bounds::quantity_or_none")]
    pub quantity: u32,
}

/// A whole order called off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancellationRequested {
    /// This action.
    pub action_id: ActionId,
    /// Which order.
    pub order_id: OrderId,
    /// The caller's key.
    pub idempotency_key: IdempotencyKey,
    /// In the caller's words.
    pub reason: String,
}

/// What a payment became, in the provider's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentOutcome {
    /// The money is held for us.
    Authorized,
    /// The provider says no.
    Declined,
    /// The money is ours.
    Captured,
    /// The hold is given up.
    Voided,
    /// The money went back.
    Refunded,
}

/// A payment result, from the provider's webhook or from asking it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentReported {
    /// The provider's id of this event, up to 255 characters.
    pub provider_event_id: String,
    /// Which payment.
    pub payment_id: PaymentId,
    /// Which order.
    pub order_id: OrderId,
    /// What it became.
    pub outcome: PaymentOutcome,
    /// In minor units.
    #[serde(deserialize_with = "bounds::amount")]
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Why, if declined.
    pub decline_code: Option<String>,
}
