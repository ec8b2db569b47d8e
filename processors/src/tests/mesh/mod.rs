//! Several processes of one mesh, in one test process: each with a hub of its own, real sockets
//! between them, and one log under all.

mod checkpoints;
mod hangs;
mod road;

use super::determinism::{AS_WRITTEN, SEED, STEPS, outputs, replay, written};
use super::history::steps;
use super::process::EPOCHS;
use crate::engine::{Engine, Options, Parts, Role};
use crate::epoch::OPERATORS;
use crate::failure::Failure;
use crate::mesh::{Mesh, Plan};
use schemas::events::epochs::Settings;
use schemas::time::Timestamp;
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::schema_registry::Schemas;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

/// What makes a mesh on this machine, and a socket for each of its places.
fn planned(processes: usize, workers: usize) -> (Plan, Vec<TcpListener>) {
    let sockets: Vec<_> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let hosts = sockets.iter().map(|socket| socket.local_addr().unwrap().to_string()).collect();
    (Plan { cluster: "test".to_owned(), hosts, index: 0, workers }, sockets)
}

fn open(dir: &Path) -> Arc<dyn EventLog> {
    let clock = Clock::manual(Timestamp(0));
    Arc::new(FileLog::open(&dir.join("log"), clock, Durability::NotDurable).unwrap())
}

/// What a process works on that has this log and no more.
fn on(log: &Arc<dyn EventLog>) -> Parts {
    let (log, schemas, clock) = (Arc::clone(log), Schemas::embedded(), Clock::system());
    Parts { log, views: None, schemas, checkpoints: None, clock }
}

/// Starts a process at this place; the first of them publishes.
fn start(parts: &Parts, plan: Plan, socket: TcpListener) -> Engine {
    let settings = Settings { reservation_timeout_ms: 1 };
    let options = Options { workers: plan.workers, settings, hash_seed: 3, role: Role::Replays };
    Engine::start_in(Arc::new(Mesh::over(plan, socket).unwrap()), parts, options).unwrap()
}

/// Starts all of them, each on its parts.
fn start_all(
    (plan, sockets): (Plan, Vec<TcpListener>),
    parts: impl Fn(usize) -> Parts,
) -> Vec<Engine> {
    let places = sockets.into_iter().enumerate();
    let at = |index| Plan { index, ..plan.clone() };
    places.map(|(index, socket)| start(&parts(index), at(index), socket)).collect()
}

/// The same, on this log alone, and waits until all have replayed it.
fn replayed(log: &Arc<dyn EventLog>, processes: usize, workers: usize) -> Vec<Engine> {
    let engines = start_all(planned(processes, workers), |_| on(log));
    let end = log.ends(&[EPOCHS]).unwrap()[0];
    engines.iter().for_each(|engine| engine.wait_replayed(end).unwrap());
    engines
}

/// Replays the log in `dir`; gives the digests of all epochs.
fn digests(dir: &Path, processes: usize, workers: usize) -> BTreeMap<u64, [u64; OPERATORS]> {
    let log = open(dir);
    let digests = replayed(&log, processes, workers)[0].digests();
    log.close();
    digests
}

#[test]
fn several_processes_decide_the_same_as_one() {
    let steps = steps(SEED, STEPS);
    let alone = replay(written(&steps, AS_WRITTEN).path(), 1, 0).unwrap();
    for (processes, workers) in [(2, 1), (2, 2), (3, 1)] {
        let dir = written(&steps, AS_WRITTEN);
        let digests = digests(dir.path(), processes, workers);
        assert_eq!(digests, alone.digests, "{processes} processes of {workers}");
        let outputs = outputs(open(dir.path()).as_ref());
        assert!(outputs == alone.outputs, "{processes} processes of {workers}");
    }
}

#[test]
fn when_one_ends_so_do_the_others() {
    for ends in 0..3 {
        let dir = written(&steps(SEED, 5), AS_WRITTEN);
        let log = open(dir.path());
        let mut engines = replayed(&log, 3, 1);
        engines.remove(ends).stop().unwrap();
        for engine in engines {
            let ended = engine.wait_until(|_| false).unwrap_err();
            assert!(matches!(ended, Failure::Unavailable(_)), "{ended}");
            assert!(ended.to_string().contains("is gone from the mesh"), "{ended}");
        }
    }
}

#[test]
fn a_stranger_is_told_what_differs_and_disturbs_nobody() {
    let dir = written(&steps(SEED, 5), AS_WRITTEN);
    let log = open(dir.path());
    let end = log.ends(&[EPOCHS]).unwrap()[0];
    let (plan, mut sockets) = planned(2, 1);
    let member = Plan { index: 1, ..plan.clone() };
    let other = Plan { cluster: "other".to_owned(), ..member.clone() };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let head = start(&on(&log), plan.clone(), sockets.remove(0));
    let waits = |engine: &Engine, said: &str| {
        engine.wait_until(|state| state.waits_for.iter().any(|host| host.contains(said))).unwrap();
    };
    waits(&head, &plan.hosts[1]);
    let stranger = start(&on(&log), other, socket);
    waits(&stranger, "which refuses this process: its log is other, here it is test");
    let status = head.status();
    assert_eq!(status.not_ready(), Some(format!("waits for {}", plan.hosts[1])));
    stranger.stop().unwrap();
    let member = start(&on(&log), member, sockets.remove(0));
    head.wait_replayed(end).unwrap();
    member.wait_replayed(end).unwrap();
}
