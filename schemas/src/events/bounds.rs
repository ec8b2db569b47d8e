//! Numbers and lists inside events, held to the limits of the contract while they are read: the
//! engine counts on them, whoever wrote the record.

use super::lines::bounded;
use crate::limits::{AMOUNT_MAX, ATTRIBUTES_MAX, PRICE_MAX, QUANTITY_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// Reads the type it gives, so that formats which do not describe themselves read it too.
fn within<'de, T, D>(d: D, range: RangeInclusive<T>) -> Result<T, D::Error>
where
    T: Deserialize<'de> + PartialOrd + fmt::Display,
    D: Deserializer<'de>,
{
    let number = T::deserialize(d)?;
    if !range.contains(&number) {
        let (min, max) = range.into_inner();
        return Err(de::Error::custom(format_args!("{number} is not in {min} to {max}")));
    }
    Ok(number)
}

/// Units of a line or level.
pub(super) fn quantity<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    within(d, 1..=QUANTITY_MAX)
}

/// Units that an item shall have; 0 removes it.
pub(super) fn quantity_or_none<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    within(d, 0..=QUANTITY_MAX)
}

/// Units more or less.
pub(super) fn change<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    within(d, -i64::from(QUANTITY_MAX)..=QUANTITY_MAX.into())
}

/// The price of one unit.
pub(super) fn price<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    within(d, 0..=PRICE_MAX)
}

/// A sum of money.
pub(super) fn amount<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    within(d, 0..=AMOUNT_MAX)
}

/// Pictures of a product.
pub(super) fn image_urls<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    bounded(d, ATTRIBUTES_MAX)
}

/// Names and values of a product. A name given twice counts twice.
pub(super) fn attributes<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = BTreeMap<String, String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {ATTRIBUTES_MAX} attributes")
        }
        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut attributes = BTreeMap::new();
            let mut read = 0;
            while let Some((name, value)) = map.next_entry()? {
                read += 1;
                if read > ATTRIBUTES_MAX {
                    return Err(de::Error::invalid_length(read, &self));
                }
                attributes.insert(name, value);
            }
            Ok(attributes)
        }
    }
    d.deserialize_map(Visitor)
}

/// Avro counts to `i64::MAX`. A version, offset or generation that somebody asks for beyond it
/// exists as little as the greatest one does.
fn counted(number: u64) -> u64 {
    number.min(i64::MAX as u64)
}

/// Writes what somebody asks for as a count.
pub(super) fn asked<S: Serializer>(number: &u64, s: S) -> Result<S::Ok, S::Error> {
    counted(*number).serialize(s)
}

/// Writes what somebody may ask for as a count.
pub(super) fn maybe_asked<S: Serializer>(number: &Option<u64>, s: S) -> Result<S::Ok, S::Error> {
    number.map(counted).serialize(s)
}
