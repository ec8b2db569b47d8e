//! What an engine says of itself, read under the hub's lock.

use crate::checkpoints::pace::Kept;
use crate::failure::Failure;
use crate::hub::State;
use crate::invariants::Counts;
use crate::standing::Standing;
use crate::start::Took;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use std::sync::Arc;

/// How the engine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub standing: Standing,
    /// Why it ended, if it did.
    pub failure: Option<Failure>,
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
    /// What came of orders that were settled long ago.
    pub late: u64,
    /// Partitions that are held.
    pub held: Vec<Held>,
    /// The schema of the next plan, if it is not known.
    pub plans_held: Option<u32>,
    /// What was judged since the start.
    pub invariants: Counts,
    /// Of each input, the first offset that is not in a finished epoch; empty is all 0.
    pub applied: Arc<Vec<u64>>,
    /// The newest checkpoint.
    pub checkpoint: Option<Kept>,
    /// The other processes of its mesh that are waited for.
    pub waits_for: Vec<String>,
    /// How long its start took.
    pub started: Took,
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

impl Status {
    /// As it is now.
    pub(crate) fn of(state: &State) -> Self {
        Self {
            standing: state.standing,
            failure: state.failure.clone(),
            generation: state.plans.generation(),
            epoch: state.finished,
            now: state.plans.now(),
            records: state.records,
            dead_letters: state.dead_letters,
            late: state.late,
            held: held(state),
            plans_held: state.plans_held,
            invariants: state.invariants.clone(),
            applied: Arc::clone(&state.applied),
            checkpoint: state.checkpoints.kept,
            waits_for: state.waits_for.clone(),
            started: state.start.took(),
        }
    }

    /// Why what is asked now is decided late, or not at all.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        let failure = self.failure.as_ref().map(ToString::to_string);
        failure
            .or_else(|| self.plans_held.map(plans_held))
            .or_else(|| waits_for(&self.waits_for))
            .or_else(|| self.standing.not_ready().map(str::to_owned))
    }
}

fn waits_for(hosts: &[String]) -> Option<String> {
    (!hosts.is_empty()).then(|| format!("waits for {}", hosts.join(", ")))
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
