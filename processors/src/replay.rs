//! A start: until the state is loaded, and all that stood on the plan topic at its beginning is
//! done and out.
//!
//! Plans that come meanwhile are not waited for: on a busy log of another process there is always
//! one more.

use crate::failure::{End, Failure};
use crate::hub::{Hub, State};
use crate::standing::Standing;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::EventLog;
use std::sync::MutexGuard;

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// Blocks until then.
///
/// # Errors
/// The log does not say where it ends; or the views, or the outputs that stand on the log, are
/// ahead of its plans.
pub fn wait<'a>(hub: &'a Hub, log: &dyn EventLog) -> Result<MutexGuard<'a, State>, End> {
    // A plan stands on the log before its outputs do: seen after them, none of theirs is missing.
    let outputs_at = hub.wait_until(|state| state.outputs_at.is_some())?.outputs_at;
    let end = log.ends(&[EPOCHS])?[0];
    let state = hub.wait_until(|state| state.plans_read_to >= end)?;
    let epoch = state.plans.epoch();
    let era = state.plans.in_force().map_or(0, |force| force.claim.era);
    let at = state.views_at;
    drop(state);
    if let Some(outputs_at) = outputs_at.filter(|outputs_at| epoch < *outputs_at) {
        return Err(Failure::HistoryRedone(format!(
            "history was redone: the outputs on the log are of epoch {outputs_at}, its plans end \
             with {epoch}; restore the plans that they belong to, or use another log"
        ))
        .into());
    }
    let done = |state: &State| state.restored.is_none() && state.is_out(epoch);
    let mut state = hub.wait_until(done)?;
    if (era, epoch) < at {
        return Err(Failure::HistoryRedone(format!(
            "history was redone: the views are at epoch {}, the plans on the log end with {epoch}; \
             remove the views to rebuild them, or restore the log they belong to",
            at.1
        ))
        .into());
    }
    state.start.replayed();
    let (epoch, records, took) = (state.finished, state.records, state.start.took());
    tracing::info!(epoch, records, ?took, "the log is replayed");
    Ok(state)
}

/// What an engine that never claims waits for: from then on it follows.
///
/// # Errors
/// As [`wait`].
pub fn follow(hub: &Hub, log: &dyn EventLog) -> Result<(), End> {
    wait(hub, log)?.standing = Standing::Follows;
    hub.notify();
    Ok(())
}
