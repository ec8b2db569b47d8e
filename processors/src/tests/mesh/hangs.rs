//! A process that hangs, or whose host vanishes, closes nothing: each of the others finds it by its
//! silence, within the bar, and none waits for ever.

use super::super::process::{each_output_once, say};
use super::road::{Road, Swallows};
use super::*;
use crate::engine::Handle;
use crate::supervisor::{Supervisor, Supplies};
use sinks::payment_gateway::manual::Manual;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A hang is found within this time.
const BAR: Duration = Duration::from_secs(6);

/// A mesh of two whose processes reach each other by such roads.
fn by_roads(swallows: Swallows) -> ((Plan, Vec<TcpListener>), Vec<Road>) {
    let (plan, sockets) = planned(2, 1);
    let to = |socket: &TcpListener| Road::to(socket.local_addr().unwrap(), swallows);
    let roads: Vec<_> = sockets.iter().map(to).collect();
    let hosts = roads.iter().map(Road::address).collect();
    ((Plan { hosts, ..plan }, sockets), roads)
}

/// Holds each of them to end within the bar, with these words; `began` runs since the hang.
fn end_in_time(engines: &[Engine], began: &Clock, words: &str) {
    let ends: Vec<_> = thread::scope(|scope| {
        let ends = |engine: Handle| {
            let ended = engine.wait_until(|_| false).unwrap_err();
            assert!(matches!(ended, Failure::Unavailable(_)), "{ended}");
            assert!(ended.to_string().contains(words), "{ended}");
            began.elapsed()
        };
        let handles = engines.iter().map(Engine::handle);
        let waits: Vec<_> = handles.map(|engine| scope.spawn(move || ends(engine))).collect();
        waits.into_iter().map(|wait| wait.join().unwrap()).collect()
    });
    println!("a hang was found after {ends:?}: {words}");
    assert!(ends.iter().all(|end| *end < BAR), "{ends:?}");
}

#[test]
fn a_host_that_vanishes_is_found_in_time_by_its_silence() {
    let dir = written(&steps(SEED, 5), AS_WRITTEN);
    let log = open(dir.path());
    let (place, roads) = by_roads(Swallows::WhenAsked);
    let engines = start_all(place, |_| on(&log));
    let end = log.ends(&[EPOCHS]).unwrap()[0];
    engines.iter().for_each(|engine| engine.wait_replayed(end).unwrap());
    let began = Clock::system();
    roads.iter().for_each(Road::swallow);
    end_in_time(&engines, &began, "was not heard for 4 s");
    // Nor does what still waits for the other hold up their end.
    let began = Clock::system();
    for engine in engines {
        engine.stop().unwrap_err();
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// It lives, and says so; but what its workers tell does not arrive.
#[test]
fn an_epoch_that_hangs_is_found_in_time_though_all_are_heard() {
    let dir = written(&steps(SEED, 5), AS_WRITTEN);
    let log = open(dir.path());
    let (place, _roads) = by_roads(Swallows::Messages);
    let engines = start_all(place, |_| on(&log));
    for engine in &engines {
        engine.wait_until(|state| state.open_epochs() > 0).unwrap();
    }
    end_in_time(&engines, &Clock::system(), "is not finished: a process of the mesh hangs");
}

/// A supervised process of a mesh that decides what comes to `log`.
fn supervised(log: &Arc<dyn EventLog>, plan: Plan, socket: TcpListener) -> Supervisor {
    let settings = Settings { reservation_timeout_ms: 900_000 };
    let role = Role::Leads;
    let reopened = Arc::clone(log);
    Supervisor::start(Supplies {
        options: Options { workers: plan.workers, settings, hash_seed: 0, role },
        mesh: Some(Arc::new(Mesh::over(plan, socket).unwrap())),
        parts: on(log),
        role_again: role,
        reopen: Box::new(move || Ok(Arc::clone(&reopened))),
        gateway: Box::new(|| Ok(Arc::new(Manual))),
    })
    .unwrap()
}

#[test]
fn supervisors_bring_a_mesh_together_again() {
    let dir = TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(
        FileLog::open(&dir.path().join("log"), Clock::system(), Durability::NotDurable).unwrap(),
    );
    let ((plan, sockets), roads) = by_roads(Swallows::WhenAsked);
    let both: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(index, socket)| supervised(&log, Plan { index, ..plan.clone() }, socket))
        .collect();
    let ready = || both.iter().for_each(|one| one.ready_source()().unwrap());
    ready();
    let first = both[0].report_source()().engine;
    for _ in 0..2 {
        let hung: Vec<_> = both.iter().map(Supervisor::engine).collect();
        roads.iter().for_each(Road::swallow);
        for engine in hung {
            let ended = engine.wait_until(|_| false).unwrap_err();
            assert!(matches!(ended, Failure::Unavailable(_)), "{ended}");
        }
        ready();
    }
    let again = both[0].report_source()().engine;
    assert!(again.generation > first.generation, "{again:?}");
    say(log.as_ref(), &steps(SEED, 1)[0]);
    for one in &both {
        one.engine().wait_until(|state| state.records > 0 && state.settled()).unwrap();
    }
    let mut both = both.into_iter();
    both.next().unwrap().stop().unwrap();
    // The other waits for the head when it is asked to stop, or is about to.
    both.next().unwrap().stop().unwrap();
    assert!(each_output_once(log.as_ref()) > 0);
}
