//! Callers' ids: text outside, 16 bytes inside.

use super::{PaymentId, inline};
use crate::hash::Hasher;
use crate::limits::ID_MAX;
use crate::topic::GROUPS;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, RwLock};

const INLINE_MAX: usize = 15;
const HASHED: u8 = 0xff;

static LONG_IDS: LazyLock<RwLock<HashMap<Id, Box<str>>>> = LazyLock::new(RwLock::default);

/// A caller's id. The order is that of the bytes, not of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub(super) [u64; 2]);

impl Id {
    /// Takes 1 to 64 characters of `A-Za-z0-9._-`; else `None`.
    #[inline]
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_bytes(text.as_bytes())
    }

    /// The same of bytes, which are text if they are legal.
    pub(crate) fn parse_bytes(text: &[u8]) -> Option<Self> {
        let length = text.len();
        if length == 0 || length > INLINE_MAX {
            return Self::long(text);
        }
        let number = inline::number(text);
        if !inline::is_legal(number, length) {
            return None;
        }
        let number = (length as u128) << 120 | number << (8 * (INLINE_MAX - length));
        Some(Self::from_bytes(number.to_be_bytes()))
    }

    /// One of 16 to 64 bytes, kept as a hash.
    #[cold]
    fn long(text: &[u8]) -> Option<Self> {
        if text.is_empty()
            || text.len() > ID_MAX
            || !text.iter().copied().all(inline::is_legal_byte)
        {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let mut bytes = [0; 16];
        bytes[0] = HASHED;
        bytes[1..].copy_from_slice(&Sha256::digest(text.as_bytes())[..15]);
        let id = Self::from_bytes(bytes);
        let known = LONG_IDS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !known.contains_key(&id) {
            drop(known);
            let mut known = LONG_IDS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.insert(id, text.into());
        }
        Some(id)
    }

    /// The 16 bytes of a payment as a record's key, for sorting and hashing. It is no caller's id
    /// and has no text.
    #[must_use]
    pub const fn of_payment(payment: PaymentId) -> Self {
        Self(payment.words())
    }

    /// What has these [words](Self::words) in another process of this build. The text of a longer id
    /// is known here once it was parsed here.
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self(words)
    }

    pub(super) const fn from_bytes(b: [u8; 16]) -> Self {
        let hi = u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
        let lo = u64::from_be_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]);
        Self([hi, lo])
    }

    /// The 16 bytes.
    #[inline]
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_be_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_be_bytes());
        bytes
    }

    /// The 16 bytes as two words, for hashing.
    #[inline]
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        self.0
    }

    /// The frozen hash of this id.
    #[inline]
    #[must_use]
    pub const fn hash(self) -> u64 {
        Hasher::new(1).word(self.0[0]).word(self.0[1]).finish()
    }

    /// The key group: the first ten bits of the frozen hash.
    #[inline]
    #[must_use]
    pub const fn group(self) -> u16 {
        (self.hash() >> 54) as u16 % GROUPS
    }

    /// Calls `f` with the text.
    pub fn with_text<R>(self, f: impl FnOnce(&str) -> R) -> R {
        let bytes = self.to_bytes();
        if bytes[0] == HASHED {
            let known = LONG_IDS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            return f(known.get(&self).map_or("", |text| text));
        }
        let text = &bytes[1..=usize::from(bytes[0]).min(INLINE_MAX)];
        f(std::str::from_utf8(text).unwrap_or(""))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}
impl Serialize for Id {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| s.serialize_str(text))
    }
}
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Id;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("1 to 64 characters of A-Za-z0-9._-")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Id, E> {
                Id::parse(v).ok_or_else(|| E::invalid_value(de::Unexpected::Other("text"), &self))
            }
        }
        d.deserialize_str(Visitor)
    }
}

macro_rules! callers_id {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Id);

        impl $name {
            /// Takes 1 to 64 characters of `A-Za-z0-9._-`; else `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Id::parse(text).map(Self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
callers_id!(
    /// A product: the thing listed, counted and sold.
    ProductId,
    /// A customer; a guest session is one too.
    CustomerId,
    /// A warehouse.
    WarehouseId,
    /// A seller.
    SellerId,
    /// A region, of a warehouse or an address.
    RegionId,
    /// A payment method's token, as the gateway understands it.
    PaymentMethod
);
