//! The view writer: one thread that judges finished epochs' rows and applies them and their marks,
//! in order. While a replay is at or behind the store's mark, nothing is applied.

use crate::hub::Hub;
use crate::invariants::judge::Judge;
use sinks::view_store::{Mark, ViewError, ViewStore};
use std::sync::Arc;

/// Applies until the hub fails, or stops and nothing is left.
///
/// # Errors
/// The store does not take them, or does not tell what they replace.
pub fn run(hub: &Arc<Hub>, store: &Arc<dyn ViewStore>, mark: &Mark) -> Result<(), ViewError> {
    let mut judge = Judge::default();
    loop {
        let (info, rows) = {
            let mut state = hub.lock();
            loop {
                if state.failed() {
                    return Ok(());
                }
                if let Some(next) = state.to_view.pop_front() {
                    break next;
                }
                if state.stopping && state.worker_done() {
                    return store.flush();
                }
                state = hub.wait(state);
            }
        };
        let (epoch, count) = (info.context.epoch, rows.len());
        judge.epoch(&info, &rows, &**store)?;
        if (info.era, epoch) > (mark.era, mark.epoch) {
            let mark = Mark {
                era: info.era,
                epoch,
                plan_hash: info.hash,
                now: info.context.now,
                applied: info.applied.to_vec(),
            };
            store.apply(rows, mark)?;
        }
        {
            let mut state = hub.lock();
            state.invariants.catch_up(&judge.counts);
            state.set_viewed(epoch, count);
        }
        hub.notify();
    }
}
