//! Lists inside events: bounded while they are read, and without the heap where they are short.

use super::bounds;
use crate::id::{ProductId, WarehouseId};
use crate::limits::{LINES_MAX, SPLIT_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::marker::PhantomData;

/// Reads a list of at most `max` elements, whatever the count on the wire says.
pub(crate) fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    d: D,
    max: usize,
) -> Result<Vec<T>, D::Error> {
    struct Visitor<T>(usize, PhantomData<T>);
    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {} elements", self.0)
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(4).min(self.0));
            while let Some(element) = seq.next_element()? {
                if list.len() == self.0 {
                    return Err(de::Error::invalid_length(self.0 + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    d.deserialize_seq(Visitor(max, PhantomData))
}

/// [`bounded`] by the lines an order may have.
pub(crate) fn lines<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    d: D,
) -> Result<Vec<T>, D::Error> {
    bounded(d, LINES_MAX)
}

/// A line as the shopper asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// What.
    pub product_id: ProductId,
    /// How many, 1 to 1,000,000.
    #[serde(deserialize_with = "bounds::quantity")]
    pub quantity: u32,
    /// What the shopper saw one unit cost, in minor units.
    #[serde(deserialize_with = "bounds::price")]
    pub price: i64,
}

/// Units of a line at one warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Where.
    pub warehouse_id: WarehouseId,
    /// How many, at least 1.
    #[serde(deserialize_with = "bounds::quantity")]
    pub quantity: u32,
}

/// Where the units of a line come from: one warehouse most of the time, then without the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// All from one.
    One(Level),
    /// From several; each warehouse once.
    Many(Box<[Level]>),
}

impl Split {
    /// The split over `levels`, of which there is at least one.
    #[must_use]
    pub fn of(levels: &[Level]) -> Self {
        match levels {
            [level] => Self::One(*level),
            levels => Self::Many(levels.into()),
        }
    }

    /// The levels.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        match self {
            Self::One(level) => std::slice::from_ref(level),
            Self::Many(levels) => levels,
        }
    }

    /// Units in all.
    #[must_use]
    pub fn quantity(&self) -> u32 {
        self.levels().iter().map(|level| level.quantity).sum()
    }
}

impl Serialize for Split {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.levels().serialize(s)
    }
}
impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Split;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "1 to {SPLIT_MAX} levels")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Split, A::Error> {
                let first: Level =
                    seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let Some(second) = seq.next_element()? else { return Ok(Split::One(first)) };
                let mut levels = vec![first, second];
                while let Some(level) = seq.next_element()? {
                    if levels.len() == SPLIT_MAX {
                        return Err(de::Error::invalid_length(SPLIT_MAX + 1, &self));
                    }
                    levels.push(level);
                }
                Ok(Split::Many(levels.into()))
            }
        }
        d.deserialize_seq(Visitor)
    }
}
