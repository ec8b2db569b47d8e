//! What the engine's threads hand to each other: records, epochs, and what came of them.

use crate::checkpoints::snapshot::Snapshot;
use crate::shards::Decided;
use machines::message::{Cause, Context, ToCustomer, ToProduct};
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sinks::view_store::rows::Row;
use std::collections::VecDeque;
use std::sync::Arc;

/// Operators with a digest: customers, products.
pub const OPERATORS: usize = 2;

/// An input record, decoded.
#[derive(Debug)]
pub struct Input {
    /// Its offset.
    pub offset: u64,
    /// Its append time, clamped so that it never falls within the partition.
    pub appended_at: Timestamp,
    /// Bytes of its value, for the plan's budget.
    pub bytes: usize,
    /// Lines it asks for, at least 1, for the plan's budget.
    pub lines: usize,
    /// What it does.
    pub action: Action,
}

/// What an input record does.
#[derive(Debug)]
pub enum Action {
    /// A message to the customers operator's shard of this key group.
    Customer(u16, ToCustomer),
    /// A message to the products operator's shard of this key group.
    Product(u16, ToProduct),
    /// A message to every products shard.
    Warehouse(Cause, EventId, Box<Event>),
    /// A record that is set aside.
    Dead(Box<Dead>),
}

/// A dead letter, before it has its output id.
#[derive(Debug)]
pub struct Dead {
    /// Where the record lies that is set aside.
    pub cause: Cause,
    /// The letter's id: causes nothing, belongs to nothing else.
    pub id: EventId,
    /// The letter.
    pub event: Event,
}

/// One input partition's records that no valid plan has taken.
#[derive(Debug, Default)]
pub struct Partition {
    /// Read and not planned, in offset order.
    pub waiting: VecDeque<Input>,
    /// Everything below is read or does not exist.
    pub reached: u64,
    /// Everything below is planned.
    pub planned: u64,
    /// Append time of the last record read, clamped; what comes behind it is not older.
    pub read_at: Option<Timestamp>,
    /// Append time of the last record planned, clamped.
    pub planned_at: Option<Timestamp>,
    /// The partition is held: the schema id of its record at `reached`, which is not known here.
    /// Nothing behind that is read.
    pub held: Option<u32>,
}

/// An epoch for one worker.
#[derive(Debug)]
pub struct EpochInput {
    /// What its decisions may read.
    pub context: Context,
    /// Of the customers this worker owns.
    pub customers: Vec<ToCustomer>,
    /// Of the products this worker owns, and every warehouse record.
    pub products: Vec<ToProduct>,
    /// Whether rows are wanted: not while a replay is behind the store's mark.
    pub rows: bool,
    /// Whether what changed is to be saved at its end.
    pub save: bool,
    /// Empty vectors to be filled with events, by operator: memory that is warm already.
    pub spare: [Vec<Decided>; OPERATORS],
}

/// What one worker did in one epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// By customers, then by products; within each, in the order of the decisions.
    pub events: [Vec<Decided>; OPERATORS],
    /// Rows that changed.
    pub rows: Vec<Row>,
    /// A digest per operator.
    pub digests: [u64; OPERATORS],
    /// Messages that enter the next epoch.
    pub left: usize,
    /// What came of orders that were settled long ago.
    pub late: u64,
    /// The earliest open timer.
    pub next_deadline: Option<Timestamp>,
    /// What changed since the last one, if it is to be saved.
    pub snapshot: Option<Snapshot>,
}

/// What all that read a finished epoch need to know of its plan.
#[derive(Clone, Debug)]
pub struct EpochInfo {
    /// Its decisions' context.
    pub context: Context,
    /// Its era.
    pub era: u32,
    /// Hash of its plan.
    pub hash: EventId,
    /// Per input partition, the first offset not planned.
    pub applied: Arc<Vec<u64>>,
}

/// A finished epoch: the parts of all workers, by worker.
#[derive(Debug)]
pub struct Finished {
    /// Its plan.
    pub info: EpochInfo,
    /// Events, by worker and operator.
    pub events: Vec<[Vec<Decided>; OPERATORS]>,
    /// Records that the plan set aside.
    pub dead: Vec<Dead>,
}

/// How many events there are, for the spool's bound.
#[must_use]
pub fn weight(events: &[[Vec<Decided>; OPERATORS]]) -> usize {
    events.iter().flatten().map(Vec::len).sum()
}
