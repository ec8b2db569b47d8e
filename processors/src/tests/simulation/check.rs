//! What must be true at the end of a world: whatever happened in it, it comes to the very bytes of
//! an engine to which nothing happened.

use super::super::process::EPOCHS;
use super::line::Line;
use super::views::Views;
use super::world::{Life, TIMEOUT_MS, World};
use crate::engine::{Engine, Options, Parts, Role};
use crate::epoch::OPERATORS;
use schemas::events::epochs::Settings;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{OutputId, Record};
use std::collections::BTreeMap;
use std::sync::Arc;

type Digests = BTreeMap<u64, [u64; OPERATORS]>;
type Outputs = BTreeMap<TopicPartition, Vec<(OutputId, Vec<u8>, Vec<u8>)>>;

/// Outputs as one reads them who keeps the contract: ids that are not above the largest seen are
/// skipped.
pub(super) fn read(records: &[Record]) -> Outputs {
    let mut outputs = Outputs::new();
    for record in records.iter().filter(|r| Topic::OUTPUTS.contains(&r.partition.topic)) {
        let id = record.output_id.expect("an output has an id");
        let seen = outputs.entry(record.partition).or_default();
        if seen.last().is_none_or(|(last, ..)| id > *last) {
            seen.push((id, record.key.to_vec(), record.value.to_vec()));
        }
    }
    outputs
}

/// What a process came to.
pub(super) struct Ended {
    node: usize,
    epoch: u64,
    digests: Digests,
    state: Vec<String>,
    rows: Vec<(usize, Vec<u8>, i64, String)>,
}

impl Ended {
    /// Ends it when it has done all that is planned.
    pub(super) fn of(world: &World, node: usize, life: Life) -> Self {
        let engine = life.engine;
        engine.wait_replayed(world.log.end(EPOCHS)).unwrap();
        let digests = engine.digests();
        let state = state_of(engine);
        let views = &world.nodes[node].views;
        Self { node, epoch: views.epoch(), digests, state, rows: views.rows() }
    }
}

/// Compares what these processes came to, the last of which led.
pub(super) fn world(world: &World, ended: &[Ended]) {
    let all = world.log.all();
    let stands: BTreeMap<_, _> = all.iter().map(|r| ((r.partition, r.offset), &r.value)).collect();
    for (record, appended) in &world.said {
        let found = stands.get(&(record.partition, appended.offset));
        assert_eq!(found, Some(&&record.value), "a record that was acknowledged");
    }
    let reference = Reference::of(world);
    if reference.state.iter().any(|line| line.starts_with("past ")) {
        world.count("orders past");
    }
    let outputs = read(&all);
    for (partition, expected) in &reference.outputs {
        let found = outputs.get(partition).map_or(&[][..], Vec::as_slice);
        equal(&format!("outputs on {partition}"), found, expected);
    }
    assert_eq!(outputs.len(), reference.outputs.len(), "partitions with outputs");
    let last = ended.last().expect("one led at the end");
    assert_eq!(last.epoch, reference.epoch, "epochs that were decided");
    for Ended { node, epoch, digests, state, rows } in ended {
        for (epoch, digest) in digests {
            if let Some(expected) = reference.digests.get(epoch) {
                assert_eq!(digest, expected, "process {node}, digests of epoch {epoch}");
            }
        }
        // Who ended before may not have seen all.
        if *epoch < reference.epoch {
            continue;
        }
        world.count("process compared");
        equal(&format!("state of process {node}"), state, &reference.state);
        equal(&format!("rows of process {node}"), rows, &reference.rows);
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ours: &[T], theirs: &[T]) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours, theirs, "{what}");
    }
    assert_eq!(ours.len(), theirs.len(), "{what}");
}

/// Lines of all state, whatever the workers.
fn state_of(engine: Engine) -> Vec<String> {
    let dumps = engine.stop_with_dump().unwrap();
    let text = |dump: &Vec<u8>| std::str::from_utf8(dump).unwrap().to_owned();
    let mut lines: Vec<String> = dumps
        .iter()
        .map(text)
        .flat_map(|dump| dump.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.sort_unstable();
    lines
}

/// What an engine comes to that follows the same log from its beginning, without a fault.
struct Reference {
    outputs: Outputs,
    rows: Vec<(usize, Vec<u8>, i64, String)>,
    digests: Digests,
    state: Vec<String>,
    epoch: u64,
}

impl Reference {
    fn of(world: &World) -> Self {
        let log = world.log.without_outputs();
        let (views, line) = (Views::new(), Arc::new(Line::new(world.seed, u64::MAX)));
        let parts = Parts {
            log: log.over(Arc::clone(&line)),
            views: Some(views.over(line)),
            schemas: world.schemas.clone(),
            checkpoints: None,
            clock: Clock::manual(Timestamp(0)),
        };
        let workers = 1 + (world.seed % 2) as usize;
        let settings = Settings { reservation_timeout_ms: TIMEOUT_MS };
        let hash_seed = u64::MAX - world.seed;
        let engine =
            Engine::start(&parts, Options { workers, settings, hash_seed, role: Role::Replays })
                .unwrap();
        engine.wait_replayed(log.end(EPOCHS)).unwrap();
        let invariants = engine.status().invariants;
        assert!(invariants.iter().all(|(_, count)| count.breaches == 0), "{invariants:?}");
        let digests = engine.digests();
        let state = state_of(engine);
        let (outputs, rows) = (read(&log.all()), views.rows());
        Self { outputs, rows, digests, state, epoch: views.epoch() }
    }
}
