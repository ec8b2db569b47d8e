//! What was found: for each invariant how often it was checked, how often it did not hold, and
//! the first few cases, told so that a person finds them on the log.

use schemas::topic::TopicPartition;
use serde::Serialize;
use std::fmt;

/// Cases that are told of one invariant; the others are counted.
const EXAMPLES_MAX: usize = 10;

/// A record's place on the log: `watermart.orders/3@17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset)
    }
}

macro_rules! invariants {
    ($($id:ident $name:literal;)*) => {
        /// The invariants, numbered as everywhere in the shop.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant { $(#[doc = $name] $id),* }

        impl Invariant {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$id),*];

            /// `I1`
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$id => stringify!($id)),* }
            }

            /// What holds, in a few words.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name),* }
            }
        }
    };
}
invariants! {
    I1 "units are conserved";
    I2 "no sum is below zero, nothing is promised twice";
    I3 "sums are the sums of their claims";
    I4 "a reservation ends exactly once";
    I5 "expiry at its deadline";
    I6 "confirmed is allocated, ended holds nothing";
    I7 "no undersell";
    I8 "legal order states";
    I9 "money matches what is owed";
    I10 "one key, one effect";
    I11 "every effect has a cause, every accepted action is there";
    I12 "views equal the fold";
    I13 "versions, epochs, now and ids never go back";
    I14 "stars equal the reviews";
    I15 "consumed is applied, deduplicated or set aside";
    I16 "the same log gives the same digests";
    I17 "while input waits, epochs advance";
}

/// A case in which an invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// What it is about: an id, or two.
    pub key: String,
    /// What should be.
    pub expected: String,
    /// What is.
    pub found: String,
    /// The record that shows it, if one does.
    pub position: Option<String>,
}

impl Example {
    /// A case about `key`.
    pub fn new(
        key: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
        position: Option<Place>,
    ) -> Self {
        Self {
            key: key.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
            position: position.map(|place| place.to_string()),
        }
    }
}

/// One invariant's part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// `I1`
    pub id: &'static str,
    /// What holds, in a few words.
    pub name: &'static str,
    /// How often it was looked at.
    pub checked: u64,
    /// How often it did not hold.
    pub breaches: u64,
    /// The first cases.
    pub examples: Vec<Example>,
}

/// All invariants' parts of the report.
#[derive(Clone, Debug)]
pub struct Verdicts(Vec<Verdict>);

impl Default for Verdicts {
    fn default() -> Self {
        let fresh = |invariant: &Invariant| Verdict {
            id: invariant.id(),
            name: invariant.name(),
            checked: 0,
            breaches: 0,
            examples: Vec::new(),
        };
        Self(Invariant::ALL.iter().map(fresh).collect())
    }
}

impl Verdicts {
    /// Counts one check; `tell` is asked for the case if it does not hold.
    pub fn check(&mut self, invariant: Invariant, holds: bool, tell: impl FnOnce() -> Example) {
        let verdict = &mut self.0[invariant as usize];
        verdict.checked += 1;
        if !holds {
            verdict.breaches += 1;
            if verdict.examples.len() < EXAMPLES_MAX {
                verdict.examples.push(tell());
            }
        }
    }

    /// Counts checks that hold.
    pub fn held(&mut self, invariant: Invariant, times: u64) {
        self.0[invariant as usize].checked += times;
    }

    /// Checks that two values agree.
    pub fn same<T: PartialEq + fmt::Debug>(
        &mut self,
        invariant: Invariant,
        place: Option<Place>,
        key: impl FnOnce() -> String,
        expected: &T,
        found: &T,
    ) {
        self.check(invariant, expected == found, || {
            Example::new(key(), format_args!("{expected:?}"), format_args!("{found:?}"), place)
        });
    }

    /// One invariant's part.
    #[must_use]
    pub fn of(&self, invariant: Invariant) -> &Verdict {
        &self.0[invariant as usize]
    }

    /// All parts, by number.
    #[must_use]
    pub fn into_parts(self) -> Vec<Verdict> {
        self.0
    }
}
