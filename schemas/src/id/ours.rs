//! Our own ids: 16 bytes of a hash, of which the first ten bits are a key group.

use super::base32;
use super::callers::Id;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

macro_rules! our_id {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u64; 2]);

        impl $name {
            /// An id in `group`, from 16 bytes of hash.
            #[must_use]
            pub const fn new(group: u16, hash: [u8; 16]) -> Self {
                let [hi, lo] = Id::from_bytes(hash).0;
                Self([hi >> 10 | (group as u64) << 54, lo])
            }

            /// Reads the prefix and 26 characters of base 32; else `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let rest = text.strip_prefix($prefix)?;
                base32::decode(rest.as_bytes()).map(|b| Self(Id::from_bytes(b).0))
            }

            /// The key group of the customer it belongs to.
            #[inline]
            #[must_use]
            pub const fn group(self) -> u16 {
                (self.0[0] >> 54) as u16
            }

            /// The 16 bytes.
            #[inline]
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                Id(self.0).to_bytes()
            }

            /// The 16 bytes as two words, for hashing.
            #[inline]
            #[must_use]
            pub const fn words(self) -> [u64; 2] {
                self.0
            }

            /// Calls `f` with the text.
            pub fn with_text<R>(self, f: impl FnOnce(&str) -> R) -> R {
                let mut text = [0; $prefix.len() + 26];
                text[..$prefix.len()].copy_from_slice($prefix.as_bytes());
                text[$prefix.len()..].copy_from_slice(&base32::encode(self.to_bytes()));
                f(std::str::from_utf8(&text).unwrap_or(""))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.with_text(|text| f.write_str(text))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.with_text(|text| f.write_str(text))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.with_text(|text| s.serialize_str(text))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!($prefix, " and 26 characters of base 32"))
                    }
                    fn visit_str<E: de::Error>(self, v: &str) -> Result<$name, E> {
                        $name::parse(v)
                            .ok_or_else(|| E::invalid_value(de::Unexpected::Other("text"), &self))
                    }
                }
                d.deserialize_str(Visitor)
            }
        }
    )*};
}
our_id!(
    /// An order. Carries its customer's key group.
    OrderId, "ord_";
    /// A payment: the same bytes as its order's id.
    PaymentId, "pay_";
    /// An action that is no checkout: a receipt, a cancellation. Made like an order's id.
    ActionId, "act_";
);

impl OrderId {
    /// The order's payment.
    #[must_use]
    pub const fn payment(self) -> PaymentId {
        PaymentId(self.0)
    }

    /// The checkout as an action: an order is known by the same bytes.
    #[must_use]
    pub const fn action(self) -> ActionId {
        ActionId(self.0)
    }
}
impl PaymentId {
    /// The payment's order.
    #[must_use]
    pub const fn order(self) -> OrderId {
        OrderId(self.0)
    }
}

impl ActionId {
    /// The order that a checkout with this id opens.
    #[must_use]
    pub const fn order(self) -> OrderId {
        OrderId(self.0)
    }
}
