//! Parts of a shop are killed again and again while it sells, at moments that a seed draws: mostly
//! who leads, while another follows, now and then the way in or the way out. At the end the log, the
//! views and the load's ledger agree.

use super::load::{self, ledgers};
use super::{Parts, log, stop_all};
use crate::kills::{drawn, next};
use std::net::TcpListener;

/// Of so many kills one is of the way in, and one of the way out.
const OTHERS: u64 = 12;
/// Decides soon, and saves often: a start goes on behind a checkpoint.
const PROCESS: [&str; 3] = ["--follow", "--checkpoint-interval", "150ms"];

/// A port for a part that comes back where it was.
fn port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn fifty_kills_of_its_parts_lose_and_double_nothing() {
    let (kills, mut seed) = drawn();
    println!("WATERMART_TEST_KILLS={kills} WATERMART_TEST_KILLS_SEED={seed}");
    let (mut parts, ports) = (Parts::new(), [port(), port()]);
    let [way_in_flags, way_out_flags] = [0, 1].map(|n| ["--port", ports[n].as_str()]);
    let mut leads = parts.start("process", &[&PROCESS[1..], &["--take-over"]].concat());
    let (mut way_in, mut way_out) =
        (parts.start("ingest", &way_in_flags), parts.start("query", &way_out_flags));
    let filled = load::fill(&parts, &way_in, &way_out);
    let mut follows = parts.start("process", &PROCESS);
    let sold = parts.root.path().join("sold.ledger");
    let shape = ["--rate", "60", "--seconds", "600"];
    let load = load::start("steady", (&way_in, &way_out), &sold, &shape);
    load::wait_decisions(&parts, 100);
    let (mut of_leaders, mut replayed) = (0, 0);
    for _ in 0..kills {
        way_out.wait_epochs(1 + next(&mut seed) % 20);
        let workers = (1 + next(&mut seed) % 3).to_string();
        match next(&mut seed) % OTHERS {
            0 => {
                let dir = way_in.kill();
                way_in = parts.start_in("ingest", dir, &way_in_flags);
            }
            1 => {
                let dir = way_out.kill();
                way_out = parts.start_in("query", dir, &way_out_flags);
            }
            _ => {
                let known = leads.status()["epoch"].as_u64().unwrap();
                let dir = std::mem::replace(&mut leads, follows).kill();
                let flags = [&PROCESS[..], &["--workers", &workers]].concat();
                follows = parts.start_in("process", dir, &flags);
                let behind = follows.status()["checkpoint"]["epoch"].as_u64().unwrap_or(0);
                replayed += known.saturating_sub(behind);
                of_leaders += 1;
                // Epochs go on: the other has taken over.
                way_out.wait_epochs(1);
            }
        }
    }
    println!("{of_leaders} kills of who leads; {replayed} epochs replayed");
    assert!(of_leaders * 2 > kills && replayed > 0, "{of_leaders} of {kills}, {replayed}");
    assert_eq!(leads.standing(), "leads");
    let report = load.end();
    assert!(report["outcomes"]["confirmed"].as_u64() > Some(500), "{report:#}");
    stop_all([leads, follows, way_in]);
    let views = way_out.stop();
    parts.audited(&views, &["--ledger", &ledgers(&parts, &[filled, sold])]);
    log::held_to_contract(&log::open(&parts.url));
}
