//! I16: the same log gives the same digests and the same bytes of outputs, rows and state, whatever
//! the number of workers, the batches and arrival order of the records, the hash seeds, and wherever
//! the engine was stopped and started again.

use super::history::{Step, steps};
use super::scribe::{Dealt, Scribe};
use crate::engine::{Engine, Options, Parts, Role};
use crate::epoch::OPERATORS;
use crate::failure::Failure;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::epochs::Settings;
use schemas::events::orders::Reason;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::checkpoint_store::CheckpointStore;
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, OutputId};
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::EmbeddedViews;
use sinks::view_store::rows::View;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(super) const SEED: u64 = 20_261_123;
pub(super) const STEPS: usize = 60;
pub(super) const AS_WRITTEN: Dealt = Dealt { batch: usize::MAX, arrival: 0 };

pub(super) type Output = (TopicPartition, Option<OutputId>, Bytes, Bytes);

/// Everything that must not change.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) digests: BTreeMap<u64, [u64; OPERATORS]>,
    pub(super) outputs: Vec<Output>,
    pub(super) rows: Vec<(View, Vec<u8>, i64, String)>,
    pub(super) state: Vec<String>,
}

/// Runs the engine over what stands in `dir` until all plans are done.
pub(super) fn replay(dir: &Path, workers: usize, hash_seed: u64) -> Result<Outcome, Failure> {
    replay_with(dir, workers, hash_seed, Schemas::embedded())
}

/// The same, with these schemas.
pub(super) fn replay_with(
    dir: &Path,
    workers: usize,
    hash_seed: u64,
    schemas: Schemas,
) -> Result<Outcome, Failure> {
    replay_behind(dir, workers, hash_seed, schemas, None)
}

/// The same, with checkpoints made this often, if at all.
pub(super) fn replay_behind(
    dir: &Path,
    workers: usize,
    hash_seed: u64,
    schemas: Schemas,
    every: Option<Duration>,
) -> Result<Outcome, Failure> {
    let checkpoints = every.map(|every| {
        let store = CheckpointStore::open_folder(&dir.join("checkpoints")).unwrap();
        (Arc::new(store), every)
    });
    let clock = Clock::manual(Timestamp(0));
    let log: Arc<dyn EventLog> =
        Arc::new(FileLog::open(&dir.join("log"), clock.clone(), Durability::NotDurable).unwrap());
    let views: Arc<dyn ViewStore> = Arc::new(EmbeddedViews::open(&dir.join("views")).unwrap());
    let plans_end = log.ends(&[TopicPartition { topic: Topic::Epochs, partition: 0 }]).unwrap()[0];
    let parts = Parts {
        log: Arc::clone(&log),
        views: Some(Arc::clone(&views)),
        schemas,
        checkpoints,
        clock,
    };
    let settings = Settings { reservation_timeout_ms: 1 };
    let options = Options { workers, settings, hash_seed, role: Role::Replays };
    let engine = Engine::start(&parts, options)?;
    engine.wait_replayed(plans_end)?;
    let invariants = engine.status().invariants;
    assert!(invariants.iter().all(|(_, count)| count.breaches == 0), "{invariants:?}");
    let digests = engine.digests();
    let dumps = engine.stop_with_dump()?;
    let mut state: Vec<String> = dumps
        .iter()
        .flat_map(|dump| std::str::from_utf8(dump).unwrap().lines().map(str::to_owned))
        .collect();
    state.sort_unstable();
    let (outputs, rows) = (outputs(log.as_ref()), rows(views.as_ref()));
    let outcome = Outcome { digests, outputs, rows, state };
    log.close();
    Ok(outcome)
}

pub(super) fn outputs(log: &dyn EventLog) -> Vec<Output> {
    let from: Vec<_> =
        Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0)).collect();
    let mut reader = log.reader(&from).unwrap();
    let (mut all, mut records) = (Vec::new(), Vec::new());
    loop {
        reader.read(1 << 20, &mut records).unwrap();
        if records.is_empty() {
            break;
        }
        all.extend(records.drain(..).map(|r| (r.partition, r.output_id, r.key, r.value)));
    }
    // By partition; within it, as it stands there.
    all.sort_by_key(|(partition, ..)| *partition);
    all
}

pub(super) fn rows(views: &dyn ViewStore) -> Vec<(View, Vec<u8>, i64, String)> {
    let mut all = Vec::new();
    for view in View::ALL {
        for (key, stored) in views.scan(*view, &[], None, usize::MAX).unwrap() {
            all.push((*view, key, stored.version, format!("{:?}", stored.row)));
        }
    }
    all
}

/// Writes the history into a new directory, dealt out in this way.
pub(super) fn written(steps: &[Step], dealt: Dealt) -> TempDir {
    let dir = TempDir::new().unwrap();
    Scribe::new().write(&dir.path().join("log"), steps, dealt);
    dir
}

fn check(outcome: Result<Outcome, Failure>, reference: &Outcome, what: &str) {
    let outcome = outcome.unwrap();
    assert_eq!(outcome.digests, reference.digests, "digests, {what}");
    for (ours, theirs) in outcome.state.iter().zip(&reference.state) {
        assert_eq!(ours, theirs, "state, {what}");
    }
    for (ours, theirs) in outcome.outputs.iter().zip(&reference.outputs) {
        assert_eq!(ours, theirs, "outputs, {what}");
    }
    for (ours, theirs) in outcome.rows.iter().zip(&reference.rows) {
        assert_eq!(ours, theirs, "rows, {what}");
    }
    assert!(outcome == *reference, "{what}");
}

#[test]
fn the_same_log_gives_the_same_bytes() {
    let steps = steps(SEED, STEPS);
    let reference = replay(written(&steps, AS_WRITTEN).path(), 1, 0).unwrap();
    has_everything(&reference);
    for workers in [2, 3, 7] {
        let again = replay(written(&steps, AS_WRITTEN).path(), workers, 0);
        check(again, &reference, &format!("{workers} workers"));
    }
    for hash_seed in [1, u64::MAX] {
        let again = replay(written(&steps, AS_WRITTEN).path(), 2, hash_seed);
        check(again, &reference, &format!("hash seed {hash_seed}"));
    }
    for dealt in [Dealt { batch: 1, arrival: 1 }, Dealt { batch: 7, arrival: 2 }] {
        let again = replay(written(&steps, dealt).path(), 1, 0);
        check(again, &reference, &format!("{dealt:?}"));
    }
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    let steps = steps(SEED, STEPS);
    let reference = replay(written(&steps, AS_WRITTEN).path(), 1, 0).unwrap();
    for stops in [vec![1], vec![30], vec![10, 11, 50]] {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        let (mut scribe, mut from) = (Scribe::new(), 0);
        for (workers, stop) in stops.iter().enumerate() {
            scribe.write(&log, &steps[from..*stop], AS_WRITTEN);
            replay(dir.path(), 1 + workers, 5).unwrap();
            from = *stop;
        }
        scribe.write(&log, &steps[from..], AS_WRITTEN);
        check(replay(dir.path(), 2, 9), &reference, &format!("stops at {stops:?}"));
        // Once more over all that is there: nothing is written again.
        check(replay(dir.path(), 3, 1), &reference, &format!("again, stops at {stops:?}"));
    }
}

/// The history exercises what it is meant to; counted in its outputs.
fn has_everything(outcome: &Outcome) {
    let codec = Codec::compiled();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut open_orders = BTreeSet::new();
    let mut by_epoch: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
    for (_, id, _, value) in &outcome.outputs {
        let (_, event) = codec.decode(value).unwrap();
        by_epoch.entry(id.unwrap().epoch).or_default().push(event);
    }
    let mut epochs_without_timers = 0;
    for (epoch, events) in &by_epoch {
        for event in events {
            *counts.entry(event.kind().name()).or_default() += 1;
            match event {
                Event::OrderAwaitingPayment(e) => {
                    open_orders.insert(e.order_id);
                }
                Event::OrderConfirmed(e) => {
                    open_orders.remove(&e.order_id);
                }
                Event::OrderCancelled(e) => {
                    open_orders.remove(&e.order_id);
                    *counts.entry(e.reason.as_str()).or_default() += 1;
                }
                Event::OrderRejected(e) => *counts.entry(e.reason.as_str()).or_default() += 1,
                _ => {}
            }
        }
        epochs_without_timers += usize::from(
            (2..u64::try_from(STEPS).unwrap()).contains(epoch) && open_orders.is_empty(),
        );
    }
    assert_eq!(epochs_without_timers, 0, "timers are open at every cut");
    let reasons = [
        Reason::OutOfStock,
        Reason::PriceChanged,
        Reason::LimitExceeded,
        Reason::IdempotencyKeyReused,
        Reason::ReservationExpired,
        Reason::PaymentDeclined,
        Reason::CancelledByCustomer,
    ];
    let events = [
        "OrderConfirmed",
        "OrderRejected",
        "StockRefused",
        "StockReleased",
        "ReservationExpired",
        "ReservationRevoked",
        "CartChanged",
        "CartCleared",
        "StockAdjusted",
        "PaymentChanged",
        "PaymentRequested",
        "CustomerActionRejected",
    ];
    for name in reasons.iter().map(|reason| reason.as_str()).chain(events) {
        assert!(counts.get(name).is_some_and(|n| *n > 0), "no {name} in {counts:?}");
    }
}
