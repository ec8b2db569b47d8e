//! Where a claim is kept, as it is told from operator to operator.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Where a product keeps a claim: told with the claim and told back, so that nobody has to look
/// for it. It shows nowhere: it is no part of what is hashed, all places are equal, none prints. A
/// checkpoint keeps no numbers, but whether a place was told: that decides what is found by it.
#[derive(Clone, Copy)]
pub struct Place(u32);

impl Place {
    /// Not told yet.
    pub const UNKNOWN: Self = Self(u32::MAX);
    /// Told before the state was restored: the claim lies elsewhere now.
    pub const RESTORED: Self = Self(u32::MAX - 1);

    /// The place of this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number, if it is known.
    #[must_use]
    pub fn number(self) -> Option<u32> {
        (self.0 < Self::RESTORED.0).then_some(self.0)
    }

    /// As a word, for another process of the same run.
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// What was [a word](Self::word) there.
    #[must_use]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// Whether it was told before the state was restored.
    #[must_use]
    pub const fn is_restored(self) -> bool {
        self.0 == Self::RESTORED.0
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bool(self.0 != Self::UNKNOWN.0)
    }
}
impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(if bool::deserialize(d)? { Self::RESTORED } else { Self::UNKNOWN })
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Place {}
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}
