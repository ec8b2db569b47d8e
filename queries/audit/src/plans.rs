//! The plan topic, read again: whose claim is in force, which plans are valid, what time it was.
//!
//! A claim counts if it follows the one in force and its era is not lower; its offset is its
//! generation. A plan counts if it is of that generation, one epoch on, and names the bytes of the
//! plan and of the claim before it. What else stands here counts for nobody.

use crate::verdicts::{Example, Invariant, Place, Verdicts};
use schemas::events::Event;
use schemas::events::epochs::{Cut, EpochDigest, EpochPlanned, GenerationClaimed};
use schemas::hash::hash128;
use schemas::id::EventId;
use schemas::time::Timestamp;
use std::collections::HashMap;

/// What the hash of a plan, and that of what came before it, are seeded with.
const PLAN_SEED: u64 = 3;
const PREVIOUS_SEED: u64 = 2;

/// A plan that counts.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) epoch: u64,
    pub(crate) era: u32,
    pub(crate) hash: EventId,
    pub(crate) now: Timestamp,
    /// When what is asked for in this epoch lapses.
    pub(crate) deadline: Timestamp,
    pub(crate) rules_version: u32,
    pub(crate) cut: Vec<Cut>,
    pub(crate) place: Place,
    pub(crate) appended_at: Timestamp,
    /// Since when this generation could plan, and had not: the plan or claim before.
    pub(crate) waited_since: Timestamp,
}

struct Claim {
    generation: u64,
    words: GenerationClaimed,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Plans {
    claim: Option<Claim>,
    last_bytes: Vec<u8>,
    epoch: u64,
    now: Option<Timestamp>,
    waited_since: Option<Timestamp>,
    digests: HashMap<(u64, u8), i64>,
    digested: u64,
}

impl Plans {
    /// The last epoch of which a plan says how it ended.
    pub(crate) const fn digested(&self) -> u64 {
        self.digested
    }

    /// Takes in a record; gives the plan, if it is one that counts.
    #[expect(clippy::wildcard_enum_match_arm, reason = "operators' words plan nothing")]
    pub(crate) fn read(
        &mut self,
        place: Place,
        appended_at: Timestamp,
        bytes: &[u8],
        event: Event,
        verdicts: &mut Verdicts,
    ) -> Option<Planned> {
        match event {
            Event::GenerationClaimed(claim) => {
                self.claim(place.offset, appended_at, bytes, claim);
                None
            }
            Event::EpochPlanned(plan) => {
                self.compare(&plan.digests, place, verdicts);
                self.plan(place, appended_at, bytes, plan)
            }
            _ => None,
        }
    }

    fn claim(&mut self, offset: u64, at: Timestamp, bytes: &[u8], words: GenerationClaimed) {
        let (generation, era) = self.claim.as_ref().map_or((-1, 0), |claim| {
            (i64::try_from(claim.generation).unwrap_or(i64::MAX), claim.words.era)
        });
        if words.follows == generation && words.era >= era {
            self.claim = Some(Claim { generation: offset, words, bytes: bytes.to_vec() });
            self.waited_since = Some(at);
        }
    }

    fn plan(
        &mut self,
        place: Place,
        appended_at: Timestamp,
        bytes: &[u8],
        plan: EpochPlanned,
    ) -> Option<Planned> {
        let claim = self.claim.as_ref()?;
        let mut before = (self.last_bytes.len() as u64).to_be_bytes().to_vec();
        before.extend_from_slice(&self.last_bytes);
        before.extend_from_slice(&claim.bytes);
        let follows = plan.generation == claim.generation
            && plan.epoch == self.epoch + 1
            && plan.previous == EventId(hash128(PREVIOUS_SEED, &before));
        if !follows {
            return None;
        }
        let told = plan.planner_ms.min(plan.bound_ms).min(appended_at);
        let now = self.now.map_or(told, |before| before.max(told));
        let timeout_ms = claim.words.settings.reservation_timeout_ms;
        let planned = Planned {
            epoch: plan.epoch,
            era: claim.words.era,
            hash: EventId(hash128(PLAN_SEED, bytes)),
            now,
            deadline: now.max(plan.planner_ms).plus_ms(timeout_ms),
            rules_version: claim.words.rules_version,
            cut: plan.cut,
            place,
            appended_at,
            waited_since: self.waited_since.unwrap_or(appended_at),
        };
        (self.epoch, self.now) = (plan.epoch, Some(now));
        self.last_bytes = bytes.to_vec();
        self.waited_since = Some(appended_at);
        Some(planned)
    }

    /// Whoever planned, under whatever claim: an epoch's digest is one.
    fn compare(&mut self, digests: &[EpochDigest], place: Place, verdicts: &mut Verdicts) {
        for EpochDigest { epoch, operator, digest } in digests.iter().copied() {
            self.digested = self.digested.max(epoch);
            let known = *self.digests.entry((epoch, operator)).or_insert(digest);
            verdicts.check(Invariant::I16, known == digest, || {
                let key = format!("epoch {epoch}, operator {operator}");
                Example::new(key, known, digest, Some(place))
            });
        }
    }
}
