//! A JSON text as a tree that borrows from it: what every body is read into before its fields are
//! looked at, because only a tree lets us name all bad fields at once.
//!
//! Names given twice are kept twice, so that they can be refused. Nesting is bounded by serde_json
//! (128), the number of values by the caller's budget.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Whole(i128),
    /// A number with a fraction or an exponent, or beyond 64 bits.
    Fraction(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Reads one JSON text of at most `values_max` values, names included.
pub(crate) fn parse(text: &[u8], values_max: usize) -> Result<Json<'_>, serde_json::Error> {
    let left = Cell::new(values_max);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let json = Tree { left: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(json)
}

#[derive(Clone, Copy)]
struct Tree<'b> {
    left: &'b Cell<usize>,
}

impl Tree<'_> {
    fn take<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Json<'de>, D::Error> {
        self.take()?;
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Json<'de>, E> {
        Ok(Json::Fraction(v))
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(v)))
    }

    fn visit_str<E>(self, v: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(v.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::with_capacity(4);
        while let Some(name) = map.next_key_seed(Name)? {
            self.take()?;
            fields.push((name, map.next_value_seed(self)?));
        }
        Ok(Json::Object(fields))
    }
}

/// A field's name, borrowed unless it is escaped.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Cow<'de, str>, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(v.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_whether_they_are_whole() {
        for (text, json) in [
            ("7", Json::Whole(7)),
            ("-7", Json::Whole(-7)),
            ("18446744073709551615", Json::Whole(u64::MAX.into())),
            ("1.0", Json::Fraction(1.0)),
            ("1e3", Json::Fraction(1000.0)),
            ("18446744073709551616", Json::Fraction(18_446_744_073_709_551_616.0)),
        ] {
            assert_eq!(parse(text.as_bytes(), 1).expect(text), json, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_one_json_value_is_refused() {
        let deep = "[".repeat(200);
        for text in ["", "{", "nul", "{} {}", "\u{feff}{}", "{\"a\":1,}", "NaN", deep.as_str()] {
            parse(text.as_bytes(), 1000).expect_err(text);
        }
        parse(b"\"\xff\"", 1000).expect_err("not UTF-8");
    }

    #[test]
    fn more_values_than_the_budget_are_refused() {
        parse(b"[1,2,{\"a\":3}]", 6).expect("a list, three values in it, a name, a value");
        let error = parse(b"[1,2,{\"a\":3}]", 5).expect_err("one too many");
        assert!(error.to_string().starts_with("too many values"), "{error}");
    }
}
