//! Event ids: hex where people read, `fixed(16)` on the log.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The id of an event: 16 bytes, shown in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId(pub [u8; 16]);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}
impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl EventId {
    /// Reads 32 hex digits; else `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|n| Self(n.to_be_bytes()))
    }
}
impl Serialize for EventId {
    /// Hex where people read it. On the log it is `fixed(16)`: see `fixed16`.
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
    }
}
impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = EventId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 bytes, or 32 hex digits")
            }
            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<EventId, E> {
                v.try_into().ok().map(EventId).ok_or_else(|| E::invalid_length(v.len(), &self))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<EventId, E> {
                EventId::parse(v)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Other("text"), &self))
            }
        }
        if d.is_human_readable() {
            d.deserialize_str(Visitor)
        } else {
            d.deserialize_bytes(Visitor)
        }
    }
}

/// An event id as a field of an event: 16 bytes whatever the format, as the Avro crate counts
/// itself among those that people read.
pub(crate) mod fixed16 {
    use super::{Deserializer, EventId, Serializer, de, fmt};

    pub(crate) fn serialize<S: Serializer>(id: &EventId, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&id.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<EventId, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = EventId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 bytes")
            }
            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<EventId, E> {
                v.try_into().ok().map(EventId).ok_or_else(|| E::invalid_length(v.len(), &self))
            }
            /// In JSON bytes are a list of numbers.
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<EventId, A::Error> {
                let mut id = EventId::default();
                for (place, byte) in id.0.iter_mut().enumerate() {
                    let next = seq.next_element()?;
                    *byte = next.ok_or_else(|| de::Error::invalid_length(place, &self))?;
                }
                Ok(id)
            }
        }
        d.deserialize_bytes(Visitor)
    }
}
