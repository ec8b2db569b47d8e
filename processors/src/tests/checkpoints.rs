//! A start from a checkpoint comes to the very bytes of a start from the log's beginning, with any
//! number of workers, wherever it was made.

use super::determinism::{AS_WRITTEN, Outcome, SEED, STEPS, replay, replay_behind, written};
use super::history::{Scribe, steps};
use crate::failure::Failure;
use sinks::schema_registry::Schemas;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// As often as the keeper can.
const ALWAYS: Option<Duration> = Some(Duration::ZERO);

fn replay_from_checkpoints(dir: &Path, workers: usize) -> Result<Outcome, Failure> {
    replay_behind(dir, workers, workers as u64, Schemas::embedded(), ALWAYS)
}

/// Digests are of the epochs that this engine did: those behind its checkpoint.
fn check(outcome: &Outcome, reference: &Outcome, what: &str) {
    for (epoch, digests) in &outcome.digests {
        assert_eq!(reference.digests.get(epoch), Some(digests), "epoch {epoch}, {what}");
    }
    for (ours, theirs) in outcome.state.iter().zip(&reference.state) {
        assert_eq!(ours, theirs, "state, {what}");
    }
    assert_eq!(outcome.state.len(), reference.state.len(), "state, {what}");
    for (ours, theirs) in outcome.outputs.iter().zip(&reference.outputs) {
        assert_eq!(ours, theirs, "outputs, {what}");
    }
    assert!(outcome.outputs == reference.outputs, "outputs, {what}");
    assert!(outcome.rows == reference.rows, "rows, {what}");
}

#[test]
fn a_start_from_a_checkpoint_changes_nothing_with_any_number_of_workers() {
    let steps = steps(SEED, STEPS);
    let reference = replay(written(&steps, AS_WRITTEN).path(), 1, 0).unwrap();
    for stops in [vec![1], vec![30], vec![2, 10, 11, 12, 37, 50]] {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        let (mut scribe, mut from) = (Scribe::new(), 0);
        let mut epochs_done = 0;
        for (round, stop) in stops.iter().enumerate() {
            scribe.write(&log, &steps[from..*stop], AS_WRITTEN);
            let outcome = replay_from_checkpoints(dir.path(), 1 + round % 3).unwrap();
            epochs_done += outcome.digests.len();
            from = *stop;
        }
        scribe.write(&log, &steps[from..], AS_WRITTEN);
        let outcome = replay_from_checkpoints(dir.path(), 2).unwrap();
        check(&outcome, &reference, &format!("stops at {stops:?}"));
        epochs_done += outcome.digests.len();
        assert!(
            epochs_done < steps.len() + 6 * stops.len(),
            "{epochs_done} epochs were done of {}: the log was replayed",
            steps.len()
        );
        let again = replay_from_checkpoints(dir.path(), 3).unwrap();
        check(&again, &reference, &format!("again, stops at {stops:?}"));
    }
}
