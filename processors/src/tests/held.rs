//! Records whose schema cannot be had: they wait, their partition with them and nothing else, and
//! nothing is decided by the registry's mood.

use super::determinism::{SEED, outputs, replay_with};
use super::history::{Step, steps};
use super::process::{BEGIN, EPOCHS, Process, open, plan_topic, say, say_to_planner};
use crate::engine::{Held, Role};
use crate::standing::Standing;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::compiled;
use schemas::events::dead_letters::DeadLetterCause;
use schemas::events::epochs::{EpochPlanned, RecordSkipped, TimeAccepted};
use schemas::events::{Event, EventKind};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord};
use sinks::schema_registry::embedded::Compiled;
use sinks::schema_registry::{RegistryError, SchemaRegistry, Schemas, Version};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The id that another writer's schema has.
const OTHERS: u32 = 70_000;

/// A registry that is told what others registered, when the test says so.
#[derive(Default)]
struct Told(Mutex<BTreeMap<u32, String>>);

impl Told {
    fn tell(&self, id: u32, text: &str) {
        self.0.lock().unwrap().insert(id, text.to_owned());
    }
}

impl SchemaRegistry for Told {
    fn register(&self, kind: EventKind) -> Result<u32, RegistryError> {
        Compiled.register(kind)
    }
    fn versions(&self, kind: EventKind) -> Result<Vec<Version>, RegistryError> {
        Compiled.versions(kind)
    }
    fn schema(&self, id: u32) -> Result<String, RegistryError> {
        self.0.lock().unwrap().get(&id).cloned().ok_or(RegistryError::Unknown(id))
    }
}

fn registry() -> (Arc<Told>, Schemas) {
    let told = Arc::new(Told::default());
    (Arc::clone(&told), Schemas::over(Codec::compiled(), told))
}

fn with_schema(mut record: NewRecord, schema: u32) -> NewRecord {
    let mut value = record.value.to_vec();
    value[1..5].copy_from_slice(&schema.to_be_bytes());
    record.value = value.into();
    record
}

/// A day on a log: set up, then orders, one of which another writer wrote, with its schema.
struct Day {
    dir: TempDir,
    /// Of the log.
    clock: Clock,
    log: Arc<dyn EventLog>,
    /// How many records there are.
    all: usize,
    /// How many of them lie on the partition of the other writer's record, at it or behind.
    behind: usize,
    held: Held,
    kind: EventKind,
    /// More, for another partition.
    elsewhere: Step,
}

impl Day {
    fn new() -> Self {
        let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 3));
        let clock = Clock::manual(BEGIN);
        let file = FileLog::open(&dir.path().join("log"), clock.clone(), Durability::NotDurable);
        let log: Arc<dyn EventLog> = Arc::new(file.unwrap());
        let mut records: Step = steps[1..3].concat();
        let place = records
            .iter()
            .position(|record| record.partition.topic == Topic::CustomerActions)
            .unwrap();
        let elsewhere = steps[0][..1].to_vec();
        assert_eq!(elsewhere[0].partition.topic, Topic::WarehouseActions);
        let kind = Codec::compiled().kind(&records[place].value).unwrap();
        records[place] = with_schema(records[place].clone(), OTHERS);
        let partition = records[place].partition;
        let later = records.split_off(place);
        // More than an epoch takes of them.
        let again = vec![later[1..].to_vec(); 100].concat();
        let all = say(log.as_ref(), &steps[0]) + say(log.as_ref(), &records);
        let offset = log.ends(&[partition]).unwrap()[0];
        let all = all + say(log.as_ref(), &later) + say(log.as_ref(), &again);
        let end = log.ends(&[partition]).unwrap()[0];
        let held = Held { partition, offset, schema: OTHERS };
        Self {
            dir,
            clock,
            log,
            all,
            behind: usize::try_from(end - offset).unwrap(),
            held,
            kind,
            elsewhere,
        }
    }

    fn skip(&self) -> RecordSkipped {
        let Held { partition: TopicPartition { topic, partition }, offset, .. } = self.held;
        RecordSkipped { topic: topic as u8, partition, offset }
    }

    fn last_plan(&self) -> EpochPlanned {
        let codec = Codec::compiled();
        let records = plan_topic(self.log.as_ref());
        let plans = records.iter().rev().filter_map(|record| {
            match codec.decode_bare(&record.value).unwrap() {
                Event::EpochPlanned(plan) => Some(plan),
                _ => None,
            }
        });
        plans.into_iter().next().unwrap()
    }

    /// Waits until all but the held partition's records are applied.
    fn is_held(&self, process: &Process) {
        process.has_applied(self.all - self.behind);
        assert_eq!(process.engine.status().held, [self.held]);
        assert_eq!(process.engine.status().dead_letters, 0);
        let waits = |state: &crate::hub::State| state.waiting() == 0;
        process.engine.wait_until(waits).expect("nothing is read behind the record");
    }

    /// Waits until all is applied, and gives how many dead letters there are.
    fn is_over(&self, process: &Process) -> u64 {
        process.has_applied(self.all);
        assert_eq!(process.engine.status().held, []);
        process.engine.status().dead_letters
    }
}

#[test]
fn an_unknown_schema_holds_its_partition_alone_until_it_is_learned() {
    let (day, (told, schemas)) = (Day::new(), registry());
    let process = Process::start_with(&day.log, Role::Leads, schemas);
    day.is_held(&process);
    process.is(Standing::Leads);

    // Time goes on with what else comes, and the plan says that it leaves the partition out.
    let wall = Timestamp(process.engine.status().now.unwrap().0 + 5_000);
    day.clock.advance(Duration::from_secs(5));
    process.passes(Duration::from_secs(5));
    let more = say(day.log.as_ref(), &day.elsewhere);
    process.has_applied(day.all - day.behind + more);
    assert!(process.engine.status().now.unwrap() >= wall);
    let TopicPartition { topic, partition } = day.held.partition;
    let held = schemas::events::epochs::Held { topic: topic as u8, partition };
    assert_eq!(day.last_plan().held, [held]);

    told.tell(OTHERS, compiled::schema(day.kind));
    process.has_applied(day.all + more);
    let again = say(day.log.as_ref(), &day.elsewhere);
    process.has_applied(day.all + more + again);
    assert_eq!((process.engine.status().held, process.engine.status().dead_letters), (vec![], 0));
    assert_eq!(day.last_plan().held, []);
    process.engine.stop().unwrap();
    replays_the_same(day, &told);
}

/// Whatever the workers, and however late the registry told.
fn replays_the_same(day: Day, told: &Arc<Told>) {
    let published = outputs(day.log.as_ref());
    day.log.close();
    let Day { dir, log, .. } = day;
    drop(log);
    for workers in [1, 3] {
        let registry: Arc<dyn SchemaRegistry> = Arc::clone(told) as _;
        let schemas = Schemas::over(Codec::compiled(), registry);
        let again = replay_with(dir.path(), workers, 1, schemas).unwrap();
        assert_eq!(again.outputs, published);
    }
}

#[test]
fn a_start_is_held_as_the_one_before_it_was() {
    let (day, (told, schemas)) = (Day::new(), registry());
    let first = Process::start_with(&day.log, Role::Leads, schemas.clone());
    day.is_held(&first);
    first.engine.stop().unwrap();
    let second = Process::start_with(&day.log, Role::Leads, schemas);
    day.is_held(&second);
    told.tell(OTHERS, compiled::schema(day.kind));
    assert_eq!(day.is_over(&second), 0);
    second.engine.stop().unwrap();
    replays_the_same(day, &told);
}

#[test]
fn an_operators_word_sets_a_held_record_aside() {
    let (day, (told, schemas)) = (Day::new(), registry());
    let process = Process::start_with(&day.log, Role::Leads, schemas);
    day.is_held(&process);
    say_to_planner(day.log.as_ref(), day.skip());
    assert_eq!(day.is_over(&process), 1);
    process.engine.stop().unwrap();

    let codec = Codec::compiled();
    let published = outputs(day.log.as_ref());
    let letter = published.iter().find_map(|(.., value)| match codec.decode(value).unwrap().1 {
        Event::DeadLetter(letter) => Some(letter),
        _ => None,
    });
    let letter = letter.expect("a letter");
    let place = (letter.topic, letter.partition, letter.offset);
    assert_eq!(place, (day.skip().topic, day.skip().partition, day.skip().offset));
    assert_eq!(letter.cause, DeadLetterCause::Skipped);
    // Who knows the schema by now sets the record aside all the same.
    told.tell(OTHERS, compiled::schema(day.kind));
    replays_the_same(day, &told);
}

#[test]
fn a_schema_of_none_of_our_events_makes_a_dead_letter_and_holds_nothing() {
    let (day, (told, schemas)) = (Day::new(), registry());
    told.tell(OTHERS, r#"{"type": "record", "name": "other.Thing", "fields": []}"#);
    let process = Process::start_with(&day.log, Role::Leads, schemas);
    assert_eq!(day.is_over(&process), 1);
    process.engine.stop().unwrap();
    replays_the_same(day, &told);
}

#[test]
fn a_follower_waits_for_a_schema_that_the_leader_knew() {
    let day = Day::new();
    let ((leaders, knows), (followers, lags)) = (registry(), registry());
    leaders.tell(OTHERS, compiled::schema(day.kind));
    let leader = Process::start_with(&day.log, Role::Leads, knows);
    assert_eq!(day.is_over(&leader), 0);
    let follower = Process::start_with(&day.log, Role::StandsBy, lags);
    // It has the record, and the plan that takes it.
    let index = day.held.partition.input_index().unwrap();
    let plans_end = day.log.ends(&[EPOCHS]).unwrap()[0];
    follower.engine.wait_until(|state| state.inputs[index].held.is_some()).unwrap();
    follower
        .engine
        .wait_until(|state| state.open_epochs() == 0 && state.plans.epoch() > 0)
        .unwrap();
    assert!(follower.engine.status().epoch < leader.engine.status().epoch);
    assert_eq!(follower.engine.status().dead_letters, 0);
    followers.tell(OTHERS, compiled::schema(day.kind));
    follower.engine.wait_until(|state| state.plans_read_to >= plans_end).unwrap();
    assert_eq!(day.is_over(&follower), 0);
    follower.is(Standing::Waits);
    let states = [leader, follower].map(|process| process.engine.stop_with_dump().unwrap());
    assert!(states[0] == states[1], "the follower's state is the leader's");
}

#[test]
fn the_plan_topic_waits_for_a_schema_too() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let (told, schemas) = registry();
    let mut value = Vec::new();
    let word = TimeAccepted { wall_ms: Timestamp(0) };
    Codec::compiled().encode_bare(&word.into(), &mut value);
    let word =
        NewRecord { partition: EPOCHS, key: Bytes::new(), value: value.into(), output_id: None };
    say(log.as_ref(), &vec![with_schema(word, OTHERS)]);
    let process = Process::start_with(&log, Role::Leads, schemas);
    process.engine.wait_until(|state| state.plans_held == Some(OTHERS)).unwrap();
    let why = process.engine.status().not_ready().unwrap();
    assert!(why.contains("schema 70000"), "{why}");
    told.tell(OTHERS, compiled::schema(EventKind::TimeAccepted));
    process.is(Standing::Leads);
    process.has_applied(say(log.as_ref(), &steps[0]));
    process.engine.stop().unwrap();
}
