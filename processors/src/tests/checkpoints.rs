//! A start from a checkpoint comes to the very bytes of a start from the log's beginning, with any
//! number of workers, wherever it was made, and whatever of it was lost since.

use super::determinism::{AS_WRITTEN, Outcome, SEED, STEPS, replay, replay_behind, written};
use super::history::{Step, steps};
use super::process::{Process, SILENCE, WithoutOutputs, each_output_once, open, say};
use super::scribe::{Dealt, Scribe};
use crate::checkpoints::restored::Restored;
use crate::engine::Role;
use crate::failure::Failure;
use crate::shards::products::Products;
use crate::shards::saved::Saved;
use crate::standing::Standing;
use sinks::checkpoint_store::CheckpointStore;
use sinks::event_log::EventLog;
use sinks::event_log::embedded::FileLog;
use sinks::schema_registry::Schemas;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Behind each epoch.
pub(super) const ALWAYS: Option<Duration> = Some(Duration::ZERO);
/// At each stop alone.
const AT_STOPS: Option<Duration> = Some(Duration::MAX);

pub(super) fn replay_from(
    dir: &Path,
    workers: usize,
    every: Option<Duration>,
) -> Result<Outcome, Failure> {
    replay_behind(dir, workers, workers as u64, Schemas::embedded(), every)
}

pub(super) fn reference(steps: &[Step]) -> Outcome {
    replay(written(steps, AS_WRITTEN).path(), 1, 0).unwrap()
}

/// Digests are of the epochs that this engine did: those behind its checkpoint.
pub(super) fn check(outcome: &Outcome, reference: &Outcome, what: &str) {
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
    let reference = reference(&steps);
    let (each, all): (Vec<usize>, Vec<usize>) =
        ((2..40).collect(), (1..STEPS).step_by(7).collect());
    for (every, stops) in [(ALWAYS, vec![1]), (ALWAYS, vec![30]), (ALWAYS, all), (AT_STOPS, each)] {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        let (mut scribe, mut from) = (Scribe::new(), 0);
        let mut epochs_done = 0;
        for (round, stop) in stops.iter().enumerate() {
            scribe.write(&log, &steps[from..*stop], AS_WRITTEN);
            let outcome = replay_from(dir.path(), 1 + round % 3, every).unwrap();
            epochs_done += outcome.digests.len();
            from = *stop;
        }
        scribe.write(&log, &steps[from..], AS_WRITTEN);
        let outcome = replay_from(dir.path(), 2, every).unwrap();
        check(&outcome, &reference, &format!("stops at {stops:?}"));
        epochs_done += outcome.digests.len();
        let again = replay_from(dir.path(), 3, every).unwrap();
        check(&again, &reference, &format!("again, stops at {stops:?}"));
        epochs_done += again.digests.len();
        // Each start goes on where the last one stopped, unless messages were left over there.
        assert!(epochs_done < 2 * steps.len(), "{epochs_done} epochs done, stops at {stops:?}");
    }
}

/// One sequence of plans, and nothing else alike: workers, batches, order of arrival, hash seed, and
/// where the engine began.
#[test]
fn twins_under_the_same_plans_come_to_the_same() {
    let steps = steps(SEED, STEPS);
    let one = written(&steps, Dealt { batch: 5, arrival: 3 });
    let one = replay_behind(one.path(), 2, 11, Schemas::embedded(), None).unwrap();
    let (dir, mut scribe) = (TempDir::new().unwrap(), Scribe::new());
    let (log, other) = (dir.path().join("log"), Dealt { batch: 1, arrival: 5 });
    scribe.write(&log, &steps[..STEPS / 2], other);
    replay_behind(dir.path(), 1, 12, Schemas::embedded(), ALWAYS).unwrap();
    scribe.write(&log, &steps[STEPS / 2..], other);
    let behind = replay_behind(dir.path(), 3, 13, Schemas::embedded(), ALWAYS).unwrap();
    check(&behind, &one, "the twin");
    assert_eq!(behind.digests.len(), steps.len() - STEPS / 2, "it goes on midway");
}

/// As a crash leaves it that comes before any later checkpoint: outputs and rows are further on.
#[test]
fn every_checkpoint_leads_to_the_same() {
    let steps = steps(SEED, STEPS);
    let reference = reference(&steps);
    let dir = TempDir::new().unwrap();
    Scribe::new().write(&dir.path().join("log"), &steps, AS_WRITTEN);
    let first = replay_from(dir.path(), 2, ALWAYS).unwrap();
    check(&first, &reference, "the run that made them");
    let manifests = dir.path().join("checkpoints/manifests");
    let mut names: Vec<_> =
        fs::read_dir(&manifests).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort_unstable();
    assert_eq!(names.len(), steps.len(), "one behind each epoch");
    let (mut with_messages, mut with_lines) = (0, 0);
    for (round, newest) in names.iter().enumerate().rev().step_by(2) {
        for later in &names[round + 1..] {
            fs::remove_file(later).ok();
        }
        let (messages, lines) = waiting_in(dir.path());
        with_messages += usize::from(messages);
        with_lines += usize::from(lines);
        let outcome = replay_from(dir.path(), 1 + round % 3, AT_STOPS).unwrap();
        check(&outcome, &reference, &format!("from {}", newest.display()));
        assert_eq!(outcome.digests.len(), steps.len() - round - 1, "it goes on from there");
        // Its own, at its stop.
        for file in fs::read_dir(&manifests).unwrap() {
            let file = file.unwrap().path();
            if file > *newest {
                fs::remove_file(file).unwrap();
            }
        }
    }
    assert!(
        with_messages > 1 && with_lines > 1,
        "{with_messages} and {with_lines} of {}",
        names.len()
    );
}

/// Whether the newest checkpoint has messages that enter the next epoch, and lines that wait for
/// units.
fn waiting_in(dir: &Path) -> (bool, bool) {
    let store = CheckpointStore::open_folder(&dir.join("checkpoints")).unwrap();
    let log = FileLog::open_read_only(&dir.join("log")).unwrap();
    let restored = Restored::newest(&store, &log, None, true).unwrap().unwrap();
    let mut products = Products::new(0, 0, 1);
    for saved in restored.of_worker((0, 1)).flat_map(Result::unwrap) {
        if let Saved::Products(saved) = saved {
            products.load(saved);
        }
    }
    products.end_load(restored.manifest.plans.now().unwrap());
    let dump = String::from_utf8(products.dump()).unwrap();
    (!restored.left.is_empty(), dump.contains(" waiting "))
}

/// A shop that was stopped after 20, 30 and 40 steps, with a checkpoint each time.
fn stopped(steps: &[Step]) -> (TempDir, Scribe) {
    let (dir, mut scribe, mut from) = (TempDir::new().unwrap(), Scribe::new(), 0);
    for stop in [20, 30, 40] {
        scribe.write(&dir.path().join("log"), &steps[from..stop], AS_WRITTEN);
        replay_from(dir.path(), 2, AT_STOPS).unwrap();
        from = stop;
    }
    (dir, scribe)
}

fn newest(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .max_by_key(|file| (fs::metadata(file).unwrap().modified().unwrap(), file.clone()))
        .unwrap()
}

/// Turns one bit of a file.
fn flip(file: &Path, place: usize) {
    let mut bytes = fs::read(file).unwrap();
    let place = place % bytes.len();
    bytes[place] ^= 4;
    fs::write(file, bytes).unwrap();
}

/// Done to the folders of manifests and of state.
type Damage = fn(&Path, &Path);

#[test]
fn a_damaged_checkpoint_is_passed_over_and_the_one_before_it_serves() {
    let steps = steps(SEED, STEPS);
    let reference = reference(&steps);
    let damages: [(&str, Damage); 6] = [
        ("manifest flipped", |manifests, _| flip(&newest(manifests), 777)),
        ("manifest cut", |manifests, _| fs::write(newest(manifests), "{").unwrap()),
        ("manifest empty", |manifests, _| fs::write(newest(manifests), "").unwrap()),
        ("state flipped", |_, state| flip(&newest(state), 99)),
        ("state cut", |_, state| fs::write(newest(state), "WMSTATE1").unwrap()),
        ("state gone", |_, state| fs::remove_file(newest(state)).unwrap()),
    ];
    for (what, damage) in damages {
        let (dir, mut scribe) = stopped(&steps);
        let store = dir.path().join("checkpoints");
        damage(&store.join("manifests"), &store.join("state"));
        scribe.write(&dir.path().join("log"), &steps[40..], AS_WRITTEN);
        let outcome = replay_from(dir.path(), 3, AT_STOPS).unwrap();
        check(&outcome, &reference, what);
        let done = outcome.digests.len();
        assert!((steps.len() - 39..=steps.len() - 20).contains(&done), "{what}: {done} done");
    }
    // Nothing of it left: the log has it all.
    let (dir, mut scribe) = stopped(&steps);
    fs::remove_dir_all(dir.path().join("checkpoints/state")).unwrap();
    scribe.write(&dir.path().join("log"), &steps[40..], AS_WRITTEN);
    let outcome = replay_from(dir.path(), 1, AT_STOPS).unwrap();
    check(&outcome, &reference, "no state left");
    assert_eq!(outcome.digests.len(), steps.len());
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

#[test]
fn views_that_are_behind_are_made_whole_from_a_checkpoint_that_is_no_newer() {
    let steps = steps(SEED, STEPS);
    let reference = reference(&steps);
    let (dir, mut scribe, log) = (TempDir::new().unwrap(), Scribe::new(), "log");
    let [log, views, older] = [log, "views", "older"].map(|name| dir.path().join(name));
    scribe.write(&log, &steps[..25], AS_WRITTEN);
    replay_from(dir.path(), 1, AT_STOPS).unwrap();
    copy(&views, &older);
    scribe.write(&log, &steps[25..], AS_WRITTEN);
    check(&replay_from(dir.path(), 2, AT_STOPS).unwrap(), &reference, "no copy yet");
    for (what, replace) in [("an older copy", true), ("none", false)] {
        fs::remove_dir_all(&views).unwrap();
        if replace {
            copy(&older, &views);
        }
        let outcome = replay_from(dir.path(), 3, AT_STOPS).unwrap();
        check(&outcome, &reference, what);
        let expected = if replace { steps.len() - 25 } else { steps.len() };
        assert_eq!(outcome.digests.len(), expected, "{what}");
    }
}

#[test]
fn checkpoints_of_another_log_stop_the_start() {
    let steps = steps(SEED, STEPS);
    let (dir, _) = stopped(&steps);
    let other = written(&super::history::steps(SEED + 1, STEPS), AS_WRITTEN);
    let short = written(&steps[..3], AS_WRITTEN);
    for (what, log) in [("another", other.path()), ("a shorter one", short.path())] {
        for name in ["log", "views"] {
            fs::remove_dir_all(dir.path().join(name)).ok();
        }
        copy(&log.join("log"), &dir.path().join("log"));
        // The views are those of the checkpoints: without them it would be rebuilt from 0.
        let (whole, _) = stopped(&steps);
        copy(&whole.path().join("views"), &dir.path().join("views"));
        let refused = replay_from(dir.path(), 1, AT_STOPS).map(drop).unwrap_err();
        assert!(matches!(refused, Failure::HistoryRedone(_)), "{what}: {refused:?}");
    }
}

/// What it has decided is not all on the log: whoever led from there would never publish the rest.
#[test]
fn a_follower_whose_leaders_outputs_do_not_come_stops_and_leaves_no_checkpoint() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let (log, folder) = (open(&dir.path().join("log")), dir.path().join("checkpoints"));
    let cut_off: Arc<dyn EventLog> = Arc::new(WithoutOutputs(Arc::clone(&log)));
    let first = Process::start(&cut_off, Role::Leads);
    first.is(Standing::Leads);
    let second = Process::saving(&log, Role::StandsBy, &folder);
    let said = say(log.as_ref(), &steps[0]) + say(log.as_ref(), &steps[1]);
    second.has_applied(said);
    second.engine.stop().unwrap();
    assert!(!folder.join("manifests").exists(), "a start from it would miss outputs");
    drop(second.views);
    // As soon as it leads itself it publishes what it has, and may save.
    let third = Process::saving(&log, Role::Leads, &folder);
    third.has_applied(said);
    third.engine.stop().unwrap();
    assert_eq!(fs::read_dir(folder.join("manifests")).unwrap().count(), 1);
}

#[test]
fn who_may_lead_does_not_go_on_from_one_that_never_publishes() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let (log, folder) = (open(&dir.path().join("log")), dir.path().join("checkpoints"));
    let leader = Process::start(&log, Role::Leads);
    leader.is(Standing::Leads);
    let follower = Process::saving(&log, Role::Follows, &folder);
    let said = say(log.as_ref(), &steps[0]) + say(log.as_ref(), &steps[1]);
    follower.has_applied(said);
    follower.engine.stop().unwrap();
    let store = CheckpointStore::open_folder(&folder).unwrap();
    let newest = |may_publish| Restored::newest(&store, log.as_ref(), None, may_publish).unwrap();
    assert!(newest(false).is_some() && newest(true).is_none());
    leader.engine.stop().unwrap();
}

/// Its checkpoint behind the first epoch waits for outputs that nobody publishes but itself, when it
/// leads; and it leads only when the epochs behind that one are done.
#[test]
fn who_saves_behind_each_epoch_takes_over_from_one_that_did_not_publish() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 3));
    let (log, folder) = (open(&dir.path().join("log")), dir.path().join("checkpoints"));
    let cut_off: Arc<dyn EventLog> = Arc::new(WithoutOutputs(Arc::clone(&log)));
    let first = Process::start(&cut_off, Role::Leads);
    first.is(Standing::Leads);
    let mut said = 0;
    for step in &steps[..3] {
        said += say(log.as_ref(), step);
        first.engine.wait_until(|state| state.records == said as u64).unwrap();
    }
    let second = Process::saving_every(&log, Role::StandsBy, &folder, Duration::ZERO);
    second.has_applied(said);
    second.is(Standing::Waits);
    second.passes(SILENCE);
    second.is(Standing::Leads);
    second.engine.wait_until(|state| state.spooled == 0).unwrap();
    assert!(each_output_once(log.as_ref()) > 0);
    second.engine.stop().unwrap();
}
