//! History that is redone under a next era, without a record that a plan has taken.

use super::determinism::SEED;
use super::history::steps;
use super::process::{BEGIN, EPOCHS, Process, open, say, say_to_planner};
use super::scribe::{Dealt, Scribe};
use crate::checkpoints::manifest::{FORMAT, InputPosition, Manifest};
use crate::engine::{Engine, Options, Parts, Role};
use crate::eras::{Eras, taken_by};
use crate::failure::Failure;
use crate::plan_history::PlanHistory;
use crate::standing::Standing;
use machines::rules::Rules;
use schemas::codec::Codec;
use schemas::events::epochs::{GenerationClaimed, RecordSkipped, Settings};
use schemas::id::EventId;
use schemas::topic::{GROUPS, PARTITIONS, TopicPartition};
use sinks::checkpoint_store::CheckpointStore;
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const SETTINGS: Settings = Settings { reservation_timeout_ms: 900_000 };

/// The claim of an era, as the command makes it.
fn begin(log: &dyn EventLog, era: u32, follows: i64) {
    let claim = GenerationClaimed {
        claim_id: EventId([9; 16]),
        follows,
        era,
        rules_version: Rules::NEWEST.version(),
        groups: GROUPS.into(),
        partitions: PARTITIONS.into(),
        settings: SETTINGS,
    };
    say_to_planner(log, claim);
}

/// The word for the first record of this partition.
fn skip(log: &dyn EventLog, at: TopicPartition) {
    let word = RecordSkipped { topic: at.topic as u8, partition: at.partition, offset: 0 };
    say_to_planner(log, word);
}

/// A partition of actions on which something stands.
fn spoken_to(log: &dyn EventLog) -> TopicPartition {
    let stands = |at: &TopicPartition| log.ends(&[*at]).unwrap()[0] > 0;
    TopicPartition::inputs().find(stands).unwrap()
}

fn first_of(at: TopicPartition) -> BTreeSet<(usize, u64)> {
    BTreeSet::from([(at.input_index().unwrap(), 0)])
}

/// Has a process apply two steps and stop, with a checkpoint in `folder`. Gives its views, and the
/// generation in force.
fn stopped(log: &Arc<dyn EventLog>, folder: &Path) -> (Option<Arc<dyn ViewStore>>, i64) {
    let steps = steps(SEED, 2);
    let process = Process::saving(log, Role::Leads, folder);
    process.is(Standing::Leads);
    process.has_applied(say(log.as_ref(), &steps[0]) + say(log.as_ref(), &steps[1]));
    let generation = process.engine.status().generation;
    let views = process.views.clone();
    process.engine.stop().unwrap();
    (views, generation)
}

#[test]
fn who_runs_when_an_era_begins_ends_and_who_starts_goes_on() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let process = Process::start(&log, Role::Leads);
    process.is(Standing::Leads);
    let mut said = say(log.as_ref(), &steps[0]);
    process.has_applied(said);
    begin(log.as_ref(), 1, process.engine.status().generation);
    let failure = process.engine.wait_until(|_| false).unwrap_err();
    assert!(matches!(failure, Failure::HistoryRedone(_)), "{failure:?}");
    assert!(failure.to_string().contains("has begun era 1; start this process"), "{failure}");
    assert_eq!(process.engine.stop(), Err(failure));

    let next = Process::start(&log, Role::Leads);
    next.is(Standing::Leads);
    said += say(log.as_ref(), &steps[1]);
    next.has_applied(said);
    next.engine.wait_until(|state| state.finished_era == 1).unwrap();
    next.engine.stop().unwrap();
}

#[test]
fn views_and_checkpoints_that_saw_the_record_applied_are_refused() {
    let (dir, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(dir.path());
    let (views, generation) = stopped(&log, folder.path());
    let at = spoken_to(log.as_ref());
    let codec = Codec::compiled();
    let taken = taken_by(&first_of(at), log.as_ref(), &codec).unwrap();
    let epoch = taken.into_values().next().unwrap();
    skip(log.as_ref(), at);
    begin(log.as_ref(), 1, generation);

    let eras = Eras::read(log.as_ref(), &codec, None).unwrap();
    assert_eq!(eras.skips(), &first_of(at));
    assert_eq!([epoch - 1, epoch, epoch + 1].map(|epoch| eras.of(epoch, 0)), [0, 1, 1]);
    assert_eq!(eras.check("views", (0, epoch - 1)), Ok(()));
    assert_eq!(eras.check("views", (1, epoch)), Ok(()));
    assert!(matches!(eras.check("views", (0, epoch)), Err(Failure::HistoryRedone(_))));

    let store = Arc::new(CheckpointStore::open_folder(folder.path()).unwrap());
    let kept = Some((store, Duration::MAX));
    for (views, checkpoints, named) in
        [(views, None, "the views are of era 0"), (None, kept, "the checkpoints")]
    {
        let clock = Clock::manual(BEGIN);
        let (log, schemas) = (Arc::clone(&log), Schemas::embedded());
        let parts = Parts { log, views, schemas, checkpoints, clock };
        let options = Options { workers: 1, settings: SETTINGS, hash_seed: 0, role: Role::Leads };
        let refused = Engine::start(&parts, options).err().unwrap();
        assert!(matches!(refused, Failure::HistoryRedone(_)), "{refused:?}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
}

#[test]
fn a_word_after_which_plans_went_on_is_no_eras() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let process = Process::start(&log, Role::Leads);
    process.is(Standing::Leads);
    let mut said = say(log.as_ref(), &steps[0]);
    process.has_applied(said);
    skip(log.as_ref(), spoken_to(log.as_ref()));
    process.has_read(log.ends(&[EPOCHS]).unwrap()[0]);
    said += say(log.as_ref(), &steps[1]);
    process.has_applied(said);
    let generation = process.engine.status().generation;
    process.engine.stop().unwrap();
    begin(log.as_ref(), 1, generation);
    let eras = Eras::read(log.as_ref(), &Codec::compiled(), None).unwrap();
    assert_eq!((eras.skips(), eras.of(1, 0)), (&BTreeSet::new(), 0));
    assert!(!eras.is_newer(1) && eras.is_newer(2));
}

/// As one that is made when an epoch that is redone is out, and no plan of the era is yet.
#[test]
fn a_checkpoint_of_the_era_goes_on_in_it_and_one_of_before_does_not() {
    let (dir, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(dir.path());
    let (_, generation) = stopped(&log, folder.path());
    let (at, codec) = (spoken_to(log.as_ref()), Codec::compiled());
    let plans = PlanHistory::read(log.as_ref(), &codec).unwrap().plans;
    skip(log.as_ref(), at);
    begin(log.as_ref(), 1, generation);
    let epoch = plans.epoch();
    let manifest = |era| Manifest {
        format: FORMAT,
        era,
        epoch,
        written_at: BEGIN,
        plans: plans.clone(),
        inputs: vec![InputPosition { partition: at, next: 1, appended_at: Some(BEGIN) }],
        published: true,
        outputs: Vec::new(),
        skips: Vec::new(),
        drained: None,
        runs: Vec::new(),
    };
    let (before, after) = (manifest(0), manifest(1));
    let eras = Eras::read(log.as_ref(), &codec, Some(&after)).unwrap();
    assert_eq!(eras.skips(), &BTreeSet::new(), "it is a dead letter already");
    assert_eq!(eras.of(epoch + 1, 0), 1);
    assert_eq!(eras.check_stored(None, Some(&after)), Ok(()));
    let eras = Eras::read(log.as_ref(), &codec, Some(&before)).unwrap();
    let refused = eras.check_stored(None, Some(&before));
    assert!(matches!(refused, Err(Failure::HistoryRedone(_))), "{refused:?}");
}

#[test]
fn what_is_redone_is_shown_under_the_era_though_its_plan_stands_under_an_older_claim() {
    let dir = TempDir::new().unwrap();
    // Its plans tell no digests: nobody has finished an epoch.
    let dealt = Dealt { batch: 10, arrival: 0 };
    Scribe::new().write(dir.path(), &steps(SEED, 2), dealt);
    let log = open(dir.path());
    let history = PlanHistory::read(log.as_ref(), &Codec::compiled()).unwrap();
    skip(log.as_ref(), spoken_to(log.as_ref()));
    begin(log.as_ref(), 1, history.plans.generation());
    let process = Process::start(&log, Role::Follows);
    process.is(Standing::Follows);
    assert_eq!(process.engine.status().dead_letters, 1);
    let mark = Arc::clone(&process.views.as_ref().unwrap().marks().borrow());
    assert_eq!((mark.era, mark.epoch), (1, history.plans.epoch()));
    process.engine.stop().unwrap();
}
