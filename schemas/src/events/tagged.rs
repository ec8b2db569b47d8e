//! An event with its kind in front, for `#[serde(with = "..")]`: between processes of one build, which
//! need no schema to read it.

use super::{Event, EventKind};
use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserializer, Serializer};
use std::fmt;

/// Writes the kind's number, then the body.
///
/// # Errors
/// As the serializer.
pub fn serialize<S: Serializer>(event: &Event, s: S) -> Result<S::Ok, S::Error> {
    let mut tuple = s.serialize_tuple(2)?;
    tuple.serialize_element(&(event.kind() as u8))?;
    tuple.serialize_element(event)?;
    tuple.end()
}

/// Reads what [`serialize`] wrote.
///
/// # Errors
/// As the deserializer, or there is no such kind.
pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Event, D::Error> {
    d.deserialize_tuple(2, Tagged)
}

struct Tagged;

impl<'de> Visitor<'de> for Tagged {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's kind and its body")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Event, A::Error> {
        let number: u8 = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let kind = EventKind::ALL.get(usize::from(number));
        let kind = kind.ok_or_else(|| de::Error::custom(format!("no event {number}")))?;
        seq.next_element_seed(Body(*kind))?.ok_or_else(|| de::Error::invalid_length(1, &self))
    }
}

struct Body(EventKind);

impl<'de> DeserializeSeed<'de> for Body {
    type Value = Event;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Event, D::Error> {
        Event::deserialize_body(self.0, d)
    }
}
