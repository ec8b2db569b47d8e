//! Topic `epochs`: the arbiter. These events have no envelope: their own fields say who and when.

use super::bounds;
use super::lines::bounded;
use crate::id::{EventId, fixed16};
use crate::time::Timestamp;
use crate::topic::{PARTITIONS, Topic};
use serde::{Deserialize, Deserializer, Serialize};

/// What the decisions may read beside their state: part of the claim, so part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long a reservation holds, in milliseconds.
    pub reservation_timeout_ms: i64,
}

/// A process claims to plan. The record's offset is the generation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationClaimed {
    /// Random: tells two claims apart.
    #[serde(with = "fixed16")]
    pub claim_id: EventId,
    /// The generation in force that it follows; -1 is none.
    pub follows: i64,
    /// Grows when history is redone on purpose.
    pub era: u32,
    /// The rules in force.
    pub rules_version: u32,
    /// Key groups.
    pub groups: u32,
    /// Partitions of every input and output topic.
    pub partitions: u32,
    /// What the rules may read.
    pub settings: Settings,
}

/// How far an input partition's records are planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The topic's number.
    pub topic: u8,
    /// The partition.
    pub partition: u16,
    /// The first offset that is not planned yet.
    pub end: u64,
}

/// What one operator did in one epoch, in all workers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochDigest {
    /// The finished epoch.
    pub epoch: u64,
    /// 0 customers, 1 products, 2 warehouses.
    pub operator: u8,
    /// The sum of its hashes, as bits.
    pub digest: i64,
}

/// An input partition that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The topic's number.
    pub topic: u8,
    /// The partition.
    pub partition: u16,
}

/// One epoch's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochPlanned {
    /// The generation it is planned under.
    pub generation: u64,
    /// One more than the last valid plan's, from 1.
    pub epoch: u64,
    /// Hash of the last valid plan's bytes and those of the claim in force.
    #[serde(with = "fixed16")]
    pub previous: EventId,
    /// The planner's clock.
    pub planner_ms: Timestamp,
    /// Nothing older is unplanned.
    pub bound_ms: Timestamp,
    /// The partitions that moved.
    #[serde(deserialize_with = "cuts")]
    pub cut: Vec<Cut>,
    /// Of epochs finished since the last plan.
    #[serde(deserialize_with = "digests")]
    pub digests: Vec<EpochDigest>,
    /// Partitions left out of the bound.
    #[serde(deserialize_with = "held")]
    pub held: Vec<Held>,
}

const PARTITIONS_MAX: usize = Topic::INPUTS.len() * PARTITIONS as usize;

fn cuts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Cut>, D::Error> {
    bounded(d, PARTITIONS_MAX)
}
fn digests<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<EpochDigest>, D::Error> {
    bounded(d, 1024)
}
fn held<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Held>, D::Error> {
    bounded(d, PARTITIONS_MAX)
}

/// An operator's word: this record goes to the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSkipped {
    /// The topic's number.
    pub topic: u8,
    /// The partition.
    pub partition: u16,
    /// The record.
    #[serde(serialize_with = "bounds::asked")]
    pub offset: u64,
}

/// An operator's word: no plan after this.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanningDrained {
    /// The generation that shall stop.
    #[serde(serialize_with = "bounds::asked")]
    pub generation: u64,
}

/// An operator's word: the wall clock is right although it jumped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeAccepted {
    /// The time to go on from.
    pub wall_ms: Timestamp,
}
