//! Who leads is killed or paused, and another takes over.

use super::load::{self, ledgers};
use super::{Part, Parts, log, stop_all};
use serde_json::json;

/// A process that leads, one that follows, the ways in and out, and a load under way.
struct Sale {
    parts: Parts,
    leads: Part,
    follows: Part,
    way_in: Part,
    way_out: Part,
    filled: std::path::PathBuf,
}

impl Sale {
    /// With these flags of who follows.
    fn open(standby: &[&str]) -> Self {
        let mut parts = Parts::new();
        let leads = parts.start("process", &["--take-over"]);
        let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
        let filled = load::fill(&parts, &way_in, &way_out);
        let follows = parts.start("process", standby);
        assert_eq!([leads.standing(), follows.standing()], [json!("leads"), json!("follows")]);
        Self { parts, leads, follows, way_in, way_out, filled }
    }

    fn load(&self, seconds: &str) -> (load::Load, std::path::PathBuf) {
        let ledger = self.parts.root.path().join("sold.ledger");
        let shape = ["--rate", "60", "--seconds", seconds];
        let load = load::start("steady", (&self.way_in, &self.way_out), &ledger, &shape);
        load::wait_decisions(&self.parts, 100);
        (load, ledger)
    }

    /// Stops all, and holds the log and the views to be what was asked and told.
    fn close(self, ledger: std::path::PathBuf) -> usize {
        let Self { parts, leads, follows, way_in, way_out, filled } = self;
        stop_all([leads, follows, way_in]);
        let views = way_out.stop();
        let ledger = ledgers(&parts, &[filled, ledger]);
        let report = parts.audited(&views, &["--ledger", &ledger]);
        let money = &report["totals"]["money"][0];
        assert!(money["captured"].as_u64().unwrap() > 0, "{report:#}");
        assert!(report["ledger"]["answered"].as_u64().unwrap() > 500, "{report:#}");
        log::held_to_contract(&log::open(&parts.url))
    }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_follower_decides_soon_after_the_kill_of_who_leads() {
    decides_after_kills(&[], 2_000, 6_000);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_hot_standby_decides_before_another_would_claim() {
    decides_after_kills(&["--follow"], 700, 3_000);
}

/// From the last decision of each that is killed to the first of another: between these times, in
/// milliseconds.
#[expect(clippy::print_stdout, reason = "a measurement")]
fn decides_after_kills(standby: &[&str], min: i64, max: i64) {
    let mut sale = Sale::open(standby);
    let (load, ledger) = sale.load("22");
    for _ in 0..3 {
        let dir = std::mem::replace(&mut sale.leads, sale.follows).kill();
        load::wait_decisions(&sale.parts, 100);
        assert_eq!(sale.leads.standing(), "leads");
        // Who was killed and is started again follows, though it led before.
        sale.follows = sale.parts.start_in("process", dir, standby);
        assert_eq!(
            [sale.follows.standing(), sale.follows.ready()],
            [json!("follows"), json!("standing by")]
        );
    }
    let report = load.finish();
    load::all_taken(&report);
    let url = sale.parts.url.clone();
    sale.close(ledger);
    let gaps = log::gaps(&log::open(&url));
    println!("takeovers of three kills, in ms without a decision: {:?}", &gaps[..3]);
    assert!(gaps[0] < max, "{gaps:?}");
    assert!(gaps[2] > min, "nobody was missed: {gaps:?}");
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn who_led_and_was_paused_meanwhile_follows_and_says_nothing_new() {
    let mut sale = Sale::open(&[]);
    let (load, ledger) = sale.load("12");
    sale.leads.signal("STOP");
    load::wait_decisions(&sale.parts, 100);
    assert_eq!(sale.follows.standing(), "leads");
    sale.leads.signal("CONT");
    // It reads the claim of the other among the epochs of which the views hear, too.
    while sale.leads.ready() != "standing by" {
        sale.way_out.wait_epochs(1);
    }
    assert_eq!(sale.leads.standing(), "follows");
    load::wait_decisions(&sale.parts, 50);
    assert_eq!(sale.follows.standing(), "leads");
    // It is as good as any other that follows.
    std::mem::swap(&mut sale.leads, &mut sale.follows);
    let dir = std::mem::replace(&mut sale.leads, sale.follows).kill();
    sale.follows = sale.parts.start_in("process", dir, &[]);
    assert_eq!(
        [sale.leads.standing(), sale.follows.standing()],
        [json!("leads"), json!("follows")]
    );
    load::all_taken(&load.finish());
    sale.close(ledger);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn take_over_leads_at_once_and_who_led_follows() {
    let mut parts = Parts::new();
    let first = parts.start("process", &["--take-over"]);
    let way_out = parts.start("query", &[]);
    let second = parts.start("process", &["--take-over"]);
    way_out.wait_epochs(2);
    assert_eq!([second.standing(), first.standing()], [json!("leads"), json!("follows")]);
    assert_eq!([second.ready(), first.ready()], [json!("ok"), json!("standing by")]);
    assert!(second.status()["generation"].as_u64() == first.status()["generation"].as_u64());
    stop_all([first, second, way_out]);
}
