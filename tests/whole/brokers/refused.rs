//! The broker is there and refuses what is appended.

use super::{Brokers, PATIENCE, Site, say, small_checkout};
use crate::shop::Ask;
use serde_json::json;
use sinks::clock::Clock;
use std::time::Duration;

/// Outputs that were taken in part end the engine: it waits up to 5 s before it looks at the topics
/// again, and 3 s whether another leads.
const STARTED_ANEW_MAX: Duration = Duration::from_secs(15);

/// Sets the largest record that a topic takes.
fn limit(brokers: &Brokers, topic: &str, bytes: u32) {
    brokers.administer(&format!(
        "entry = ConfigEntry('max.message.bytes', '{bytes}', \
         incremental_operation=AlterConfigOpType.SET)\n\
         topic = ConfigResource(ResourceType.TOPIC, 'faults.{topic}', \
         incremental_configs=[entry])\n\
         [done.result() for done in admin.incremental_alter_configs([topic]).values()]"
    ));
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn what_brokers_refuse_is_not_taken_and_goes_on_when_they_take_it_again() {
    let brokers = Brokers::start(1);
    let site = Site::open(&brokers.url(), &["--single-broker"]);
    let load = site.selling(30);
    site.decides();
    limit(&brokers, "customer-actions", 40);
    let clock = Clock::system();
    let refused = loop {
        let answer = site.shop.ask(small_checkout("C1", "refused"));
        if answer.status != 202 {
            break answer;
        }
        assert!(clock.elapsed() < PATIENCE, "{answer:?}");
    };
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("log_unavailable")));
    assert_eq!(refused.body["detail"], "the action was not taken; send it again");
    limit(&brokers, "customer-actions", 4 << 20);
    await_taken(&site);

    // What the engine appends is refused: it sends it again, and says so once.
    let lines = site.lines_logged();
    for topic in ["epochs", "orders"] {
        limit(&brokers, topic, 40);
        let clock = Clock::system();
        while site.shop.ask(waits_a_second()).status != 202 {
            assert!(clock.elapsed() < PATIENCE, "{topic}");
        }
        limit(&brokers, topic, 4 << 20);
        let took = site.decides();
        say(format_args!("decided {} ms after {topic} was mended", took.as_millis()));
        assert!(took < STARTED_ANEW_MAX, "{took:?}");
    }
    let lines = site.lines_logged() - lines;
    assert!(lines < 50, "{lines} lines were logged");
    site.takes(50);
    let outcomes = load.end();
    say(format_args!("{outcomes}"));
    site.audited();
}

fn await_taken(site: &Site) {
    let clock = Clock::system();
    while site.shop.ask(small_checkout("C1", "taken")).status != 202 {
        assert!(clock.elapsed() < PATIENCE);
    }
}

/// A checkout whose decision is waited for, a second at most.
fn waits_a_second() -> Ask {
    small_checkout("C2", "decided").and_wait_at_most(1)
}
