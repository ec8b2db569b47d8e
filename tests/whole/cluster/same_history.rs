//! The same history on files and on brokers is decided alike, byte for byte (I16).

use super::load;
use super::{Parts, log, stop_all};
use processors::engine::{Engine, Options, Parts as EngineParts, Role};
use schemas::events::epochs::Settings;
use schemas::id::EventId;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, Record};
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::EmbeddedViews;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const PLANS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// What is decided by, and not made by deciding.
fn history() -> impl Iterator<Item = TopicPartition> {
    TopicPartition::inputs().chain([PLANS])
}

fn new(record: &Record) -> NewRecord {
    NewRecord {
        partition: record.partition,
        key: record.key.clone(),
        value: record.value.clone(),
        output_id: record.output_id,
    }
}

/// Files that took the same records at the same times.
fn copied(records: &[Record], dir: &Path) -> FileLog {
    let clock = Clock::manual(records[0].appended_at);
    let files = FileLog::open(dir, clock.clone(), Durability::NotDurable).unwrap();
    for at_once in records.chunk_by(|one, next| one.appended_at == next.appended_at) {
        let ahead = at_once[0].appended_at.0 - clock.now().0;
        clock.advance(Duration::from_millis(u64::try_from(ahead).unwrap()));
        let answers = files.append(at_once.iter().map(new).collect()).wait();
        for (record, answer) in at_once.iter().zip(answers) {
            let there = answer.unwrap();
            assert_eq!((there.offset, there.appended_at), (record.offset, record.appended_at));
        }
    }
    files
}

/// What an engine made of the log: its state, its digests that were compared, where its views are.
#[derive(Debug, PartialEq)]
struct Made {
    state: Vec<Vec<u8>>,
    compared: u64,
    plan_hash: EventId,
    applied: Vec<u64>,
}

fn decided(log: Arc<dyn EventLog>, role: Role, workers: usize) -> Made {
    let dir = TempDir::new().unwrap();
    let views = Arc::new(EmbeddedViews::open(dir.path()).unwrap());
    let end = log.ends(&[PLANS]).unwrap()[0];
    let (schemas, clock) = (Schemas::embedded(), Clock::system());
    let parts = EngineParts {
        log,
        views: Some(Arc::<EmbeddedViews>::clone(&views)),
        schemas,
        checkpoints: None,
        clock,
    };
    let settings = Settings { reservation_timeout_ms: 1 };
    let hash_seed = u64::from(role == Role::Follows);
    let options = Options { workers, settings, hash_seed, role };
    let engine = Engine::start(&parts, options).unwrap();
    engine.wait_replayed(end).unwrap();
    let status = engine.status();
    let mut judged = status.invariants.iter();
    let (_, count) = judged.find(|(id, _)| *id == "I16").unwrap();
    assert_eq!(count.breaches, 0);
    let state = engine.stop_with_dump().unwrap();
    let mark = views.marks().borrow().clone();
    Made {
        state,
        compared: count.checked,
        plan_hash: mark.plan_hash,
        applied: mark.applied.clone(),
    }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn files_and_brokers_give_the_same_state_digests_and_outputs() {
    let mut parts = Parts::new();
    let process = parts.start("process", &["--take-over", "--workers", "2"]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    let filled = load::fill(&parts, &way_in, &way_out);
    load::start("steady", (&way_in, &way_out), &filled, &["--rate", "80", "--seconds", "3"])
        .finish();
    stop_all([process, way_in, way_out]);

    let brokers = Arc::new(log::open(&parts.url));
    let (history, outputs) =
        (log::records(&*brokers, history()), log::records(&*brokers, log::outputs()));
    let dir = TempDir::new().unwrap();
    let files = Arc::new(copied(&history, dir.path()));
    let by_files = decided(Arc::<FileLog>::clone(&files), Role::Replays, 1);
    let by_brokers = decided(brokers, Role::Follows, 1);
    assert!(by_files.compared > 50 && outputs.len() > 500);
    assert_eq!(by_files, by_brokers);

    let place = |record: &Record| (record.partition, record.offset);
    let bytes = |mut records: Vec<Record>| {
        records.sort_by_key(place);
        records.iter().map(|record| (record.offset, new(record))).collect::<Vec<_>>()
    };
    assert_eq!(bytes(log::records(&*files, log::outputs())), bytes(outputs));
}
