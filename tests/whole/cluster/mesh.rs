//! One mesh of two processes: one of them is killed or paused, and decisions go on when both are
//! there again; other numbers of processes and workers; a mesh that stands by.

use super::load::{self, ledgers};
use super::{Part, Parts, log, stop_all};
use crate::shop::Ask;
use serde_json::json;
use sinks::clock::Clock;
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// A hang is found, and told, within this time.
const BAR: Duration = Duration::from_secs(6);
/// What is not told within this time is not told.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the two processes of a mesh are, and what both are told.
struct Places {
    hosts: [String; 2],
    flags: Vec<String>,
}

impl Places {
    /// On ports that nobody had a moment ago, with these flags.
    fn new(flags: &[&str]) -> Self {
        let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let hosts = sockets.map(|socket| socket.local_addr().unwrap().to_string());
        let mut all = vec!["--hosts".to_owned(), hosts.join(",")];
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Self { hosts, flags: all }
    }

    /// Starts the process of this place, and waits until it is ready: until both are there.
    fn start(&self, parts: &Parts, index: usize, dir: PathBuf) -> Part {
        let index = index.to_string();
        let flags = self.flags.iter().map(String::as_str);
        let flags: Vec<_> = flags.chain(["--host-index", &index]).collect();
        parts.start_in("process", dir, &flags)
    }

    fn start_both(&self, parts: &Parts, dirs: [PathBuf; 2]) -> [Part; 2] {
        let [head, member] = dirs;
        thread::scope(|scope| {
            let member = scope.spawn(|| self.start(parts, 1, member));
            [self.start(parts, 0, head), member.join().unwrap()]
        })
    }
}

/// Asks until it is not ready and says so; gives how long that took.
fn told(part: &Part, words: &str) -> Duration {
    let began = Clock::system();
    loop {
        let said = part.ask(Ask::get("/readyz")).body;
        if said["detail"].as_str().is_some_and(|said| said.contains(words)) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{said:#}");
    }
}

/// The folder in which all of a shop's processes find checkpoints, as a flag's value.
fn shared(parts: &Parts) -> String {
    format!("file://{}/shared", parts.root.path().display())
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_mesh_decides_on_when_one_was_killed_or_paused() {
    let mut parts = Parts::new();
    let (dirs, shared) = ([parts.dir(), parts.dir()], shared(&parts));
    let checkpoints = ["--checkpoints-url", &shared, "--checkpoint-interval", "500ms"];
    let places = Places::new(&[&["--take-over"], &checkpoints[..]].concat());
    let [mut head, mut member] = places.start_both(&parts, dirs);
    assert_eq!([head.ready(), member.ready()], [json!("ok"), json!("member of a mesh")]);
    assert_eq!([head.standing(), member.standing()], [json!("leads"), json!("follows")]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    let filled = load::fill(&parts, &way_in, &way_out);
    let ledger = parts.root.path().join("sold.ledger");
    let shape = ["--rate", "25", "--seconds", "40"];
    let load = load::start("steady", (&way_in, &way_out), &ledger, &shape);
    load::wait_decisions(&parts, 100);

    let dir = member.kill();
    told(&head, &format!("waits for {}", places.hosts[1]));
    member = places.start(&parts, 1, dir);
    load::wait_decisions(&parts, 100);

    let dir = head.kill();
    told(&member, &places.hosts[0]);
    head = places.start(&parts, 0, dir);
    load::wait_decisions(&parts, 100);
    assert!(head.status()["checkpoint"]["epoch"].as_u64() > Some(0), "{:#}", head.status());

    member.signal("STOP");
    let found = told(&head, &places.hosts[1]);
    println!("a paused member was found after {found:?}");
    assert!(found < BAR, "{found:?}");
    member.signal("CONT");
    load::wait_decisions(&parts, 100);
    assert_eq!([head.ready(), member.ready()], [json!("ok"), json!("member of a mesh")]);

    load::all_taken(&load.finish());
    stop_all([head, member, way_in]);
    let views = way_out.stop();
    let ledger = ledgers(&parts, &[filled, ledger]);
    parts.audited(&views, &["--ledger", &ledger]);
    log::held_to_contract(&log::open(&parts.url));
    println!("longest times without a decision: {:?} ms", &log::gaps(&log::open(&parts.url))[..4]);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn one_process_of_two_workers_becomes_two_of_one_and_one_again() {
    let mut parts = Parts::new();
    let (alone, dirs, shared) = (parts.dir(), [parts.dir(), parts.dir()], shared(&parts));
    let checkpoints = ["--checkpoints-url", &shared, "--checkpoint-interval", "200ms"];
    let flags = [&["--take-over"], &checkpoints[..]].concat();
    let two_workers = [&["--workers", "2"], &flags[..]].concat();
    let first = parts.start_in("process", alone, &two_workers);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    let mut sold = vec![load::fill(&parts, &way_in, &way_out)];
    let mut sell = |name: &str, parts: &Parts| {
        let ledger = parts.root.path().join(name);
        let shape = ["--rate", "25", "--seconds", "4"];
        load::all_taken(&load::start("steady", (&way_in, &way_out), &ledger, &shape).finish());
        sold.push(ledger);
    };
    sell("first", &parts);
    let alone = first.stop();

    let both = Places::new(&flags).start_both(&parts, dirs);
    let goes_on = |part: &Part| {
        let started = &part.status()["checkpoint"]["epoch"];
        assert!(started.as_u64() > Some(0), "{:#}", part.status());
    };
    sell("second", &parts);
    goes_on(&both[0]);
    stop_all(both);

    let last = parts.start_in("process", alone, &two_workers);
    sell("third", &parts);
    goes_on(&last);
    stop_all([last, way_in]);
    let views = way_out.stop();
    let ledger = ledgers(&parts, &sold);
    parts.audited(&views, &["--ledger", &ledger]);
    log::held_to_contract(&log::open(&parts.url));
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_mesh_that_stands_by_takes_over() {
    let mut parts = Parts::new();
    let none = ["--checkpoints-url", "none:"];
    let dirs = [parts.dir(), parts.dir()];
    let [leads, its_member] =
        Places::new(&[&["--take-over"], &none[..]].concat()).start_both(&parts, dirs);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    let filled = load::fill(&parts, &way_in, &way_out);
    let dirs = [parts.dir(), parts.dir()];
    let [standby, its_other] =
        Places::new(&[&["--follow"], &none[..]].concat()).start_both(&parts, dirs);
    assert_eq!([leads.standing(), standby.standing()], [json!("leads"), json!("follows")]);
    assert_eq!(standby.ready(), "standing by");
    let ledger = parts.root.path().join("sold.ledger");
    let shape = ["--rate", "25", "--seconds", "10"];
    let load = load::start("steady", (&way_in, &way_out), &ledger, &shape);
    load::wait_decisions(&parts, 100);
    leads.kill();
    load::wait_decisions(&parts, 100);
    assert_eq!(standby.standing(), "leads");
    load::all_taken(&load.finish());
    stop_all([its_member, standby, its_other, way_in]);
    let views = way_out.stop();
    let ledger = ledgers(&parts, &[filled, ledger]);
    parts.audited(&views, &["--ledger", &ledger]);
    log::held_to_contract(&log::open(&parts.url));
}
