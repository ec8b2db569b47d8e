//! The plan topic, read: which claim is in force, which plans are valid.
//!
//! Validity depends on the topic's prefix alone, never on a clock, a lease, or who reads:
//! - A *claim*'s offset is its generation. It is void unless the generation it follows is the one
//!   in force (-1 before the first) and its era is not lower.
//! - A *plan* is valid if its generation is the one in force, its epoch is one more than the last
//!   valid plan's (the first is 1), and `previous` is the hash of the last valid plan's bytes and
//!   of the bytes of the claim in force. Void plans use up no epoch.
//!
//! So a plan that arrives twice, late, or from a process that should be dead is void for every
//! reader, for ever.

use crate::failure::Failure;
use crate::protection::{Protection, is_off};
use machines::rules::Rules;
use schemas::events::Event;
use schemas::events::epochs::{EpochPlanned, GenerationClaimed, RecordSkipped, Settings};
use schemas::hash::hash128;
use schemas::id::EventId;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

const PREVIOUS: u64 = 2;
const PLAN: u64 = 3;

/// The claim in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InForce {
    /// Its offset.
    pub generation: u64,
    /// What it says.
    pub claim: GenerationClaimed,
    #[serde(with = "hex")]
    bytes: Vec<u8>,
}

/// What a record on the plan topic meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// A valid claim: it is in force from here on.
    Claimed(GenerationClaimed),
    /// A valid plan.
    Planned(ValidPlan),
    /// Void for every reader.
    Void,
    /// An operator sends a record to the dead letters.
    Skip(RecordSkipped),
    /// An operator ends planning under this generation.
    Drain(u64),
    /// An operator says that the wall clock is right.
    TimeAccepted(Timestamp),
}

/// A valid plan and what its place on the topic adds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidPlan {
    /// The plan.
    pub plan: EpochPlanned,
    /// Hash of its bytes, which views keep with their marks.
    pub hash: EventId,
    /// `now` of its epoch.
    pub now: Timestamp,
    /// `now` of the epoch before.
    pub before: Timestamp,
    /// When what its epoch reserves lapses.
    pub deadline: Timestamp,
    /// The era of the claim in force.
    pub era: u32,
    /// The version of its rules.
    pub rules_version: u32,
}

/// The rules by which plans under a claim of this version are decided.
///
/// # Errors
/// This build does not have them.
pub(crate) fn rules_of(version: u32) -> Result<Rules, Failure> {
    Rules::of(version).ok_or_else(|| {
        Failure::Damaged(format!(
            "the plans on the log are decided by rules version {version}, and this build, {}, has \
             versions 1 to {}; run the build that made the claim, or a later one",
            env!("CARGO_PKG_VERSION"),
            Rules::NEWEST.version(),
        ))
    })
}

/// The state of the plan topic up to some offset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanTopic {
    in_force: Option<InForce>,
    #[serde(with = "hex")]
    last_bytes: Vec<u8>,
    last_epoch: u64,
    last_offset: u64,
    now: Option<Timestamp>,
}

impl PlanTopic {
    /// The claim in force.
    #[must_use]
    pub const fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_ref()
    }

    /// The generation in force, -1 before the first: what a claim must follow.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.in_force.as_ref().map_or(-1, |c| i64::try_from(c.generation).unwrap_or(i64::MAX))
    }

    /// The epoch of the last valid plan; 0 before the first.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.last_epoch
    }

    /// `now` of the last valid plan.
    #[must_use]
    pub const fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// Where the last valid plan stands; 0 before the first.
    #[must_use]
    pub const fn last_offset(&self) -> u64 {
        self.last_offset
    }

    /// Bytes of the last valid plan.
    #[must_use]
    pub fn last_bytes(&self) -> &[u8] {
        &self.last_bytes
    }

    /// Hash of the last valid plan's bytes, as [`ValidPlan::hash`]; none before the first.
    #[must_use]
    pub fn hash(&self) -> Option<EventId> {
        (self.last_epoch > 0).then(|| EventId(hash128(PLAN, &self.last_bytes)))
    }

    /// What the next plan's `previous` must be.
    #[must_use]
    pub fn previous(&self) -> EventId {
        let claim = self.in_force.as_ref().map_or(&[][..], |claim| &claim.bytes);
        let mut bytes = Vec::with_capacity(8 + self.last_bytes.len() + claim.len());
        bytes.extend_from_slice(&(self.last_bytes.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&self.last_bytes);
        bytes.extend_from_slice(claim);
        EventId(hash128(PREVIOUS, &bytes))
    }

    /// Takes in the next record.
    pub fn read(
        &mut self,
        offset: u64,
        appended_at: Timestamp,
        bytes: &[u8],
        event: Event,
    ) -> Read {
        if let Event::GenerationClaimed(claim) = event {
            return self.claim(offset, bytes, claim);
        }
        if let Event::EpochPlanned(plan) = event {
            return self.plan(offset, appended_at, bytes, plan);
        }
        if let Event::RecordSkipped(skip) = event {
            return Read::Skip(skip);
        }
        if let Event::PlanningDrained(drain) = event {
            return Read::Drain(drain.generation);
        }
        if let Event::TimeAccepted(time) = event {
            return Read::TimeAccepted(time.wall_ms);
        }
        Read::Void
    }

    fn claim(&mut self, offset: u64, bytes: &[u8], claim: GenerationClaimed) -> Read {
        let era = self.in_force.as_ref().map_or(0, |c| c.claim.era);
        if claim.follows != self.generation() || claim.era < era {
            return Read::Void;
        }
        self.in_force = Some(InForce { generation: offset, claim, bytes: bytes.to_vec() });
        Read::Claimed(claim)
    }

    fn plan(
        &mut self,
        offset: u64,
        appended_at: Timestamp,
        bytes: &[u8],
        plan: EpochPlanned,
    ) -> Read {
        let Some(in_force) = &self.in_force else { return Read::Void };
        let next = plan.epoch == self.last_epoch + 1;
        let follows = plan.generation == in_force.generation && plan.previous == self.previous();
        // Without the rule, what one might write at first: "of the last epoch or the next".
        let naive = || is_off(Protection::Validity) && (next || plan.epoch == self.last_epoch);
        if !(next && follows || naive()) {
            return Read::Void;
        }
        let GenerationClaimed { era, rules_version, settings, .. } = in_force.claim;
        let Settings { reservation_timeout_ms } = settings;
        let earliest = plan.planner_ms.min(plan.bound_ms).min(appended_at);
        let before = self.now.unwrap_or(Timestamp::MIN);
        let now = before.max(earliest);
        let deadline = now.max(plan.planner_ms).plus_ms(reservation_timeout_ms);
        self.now = Some(now);
        self.last_epoch = plan.epoch;
        self.last_bytes = bytes.to_vec();
        self.last_offset = offset;
        let hash = EventId(hash128(PLAN, bytes));
        Read::Planned(ValidPlan { hash, now, before, deadline, era, rules_version, plan })
    }
}

/// Bytes as hex digits, for people who read them in a manifest.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        s.serialize_str(&digits)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let digits = String::deserialize(d)?;
        let byte = |at| digits.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom("these are no bytes in hex"))
    }
}
