//! What an engine says of itself, read under the hub's lock.

use crate::hub::{Hub, State};
use crate::invariants::Counts;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;

/// How the engine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Why nothing can be decided now.
    pub not_ready: Option<String>,
    /// The generation in force, -1 before the first.
    pub generation: i64,
    /// The last finished epoch.
    pub epoch: u64,
    /// `now` of the last plan.
    pub now: Option<Timestamp>,
    /// Input records applied.
    pub records: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Partitions that are held.
    pub held: Vec<Held>,
    /// What was judged since the start.
    pub invariants: Counts,
}

/// A partition that is read no further, until it is known what its next record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The partition.
    pub partition: TopicPartition,
    /// Where the record is.
    pub offset: u64,
    /// The schema that is not known.
    pub schema: u32,
}

/// As it is now.
pub(crate) fn status(hub: &Hub) -> Status {
    let state = hub.lock();
    Status {
        not_ready: state
            .failure
            .clone()
            .or_else(|| state.plans_held.map(plans_held))
            .or_else(|| state.not_ready.clone()),
        generation: state.plans.generation(),
        epoch: state.finished,
        now: state.plans.now(),
        records: state.records,
        dead_letters: state.dead_letters,
        held: held(&state),
        invariants: state.invariants.clone(),
    }
}

fn plans_held(schema: u32) -> String {
    format!("the next plan has schema {schema}, which the schema registry does not tell")
}

fn held(state: &State) -> Vec<Held> {
    let all = TopicPartition::inputs().zip(&state.inputs);
    all.filter_map(|(partition, input)| {
        Some(Held { partition, offset: input.reached, schema: input.held? })
    })
    .collect()
}
