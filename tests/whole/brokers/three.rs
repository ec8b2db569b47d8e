//! Three brokers: the leader of the plan topic is killed, then a second one.

use super::{Brokers, Site, say, stands_without_the_log, told_either};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// A broker that is gone is missed after 4 s here; then its partitions have other leaders.
const MOVED_MAX: Duration = Duration::from_secs(15);

#[test]
#[ignore = "needs servers: compose/servers test"]
fn one_of_three_brokers_killed_is_made_good_and_two_are_not_durable() {
    let brokers = Brokers::start(3);
    let mut site = Site::open(&brokers.url(), &[]);
    let load = site.selling(30);
    site.decides();
    let first = leader(&brokers);
    brokers.kill(first);
    let took = site.decides();
    say(format_args!("decided {} ms after the leader was killed", took.as_millis()));
    assert!(took < MOVED_MAX, "{took:?}");
    let second = leader(&brokers);
    assert_ne!(first, second);
    brokers.kill(second);
    let waiting = stands_without_the_log(&site.shop);
    brokers.start_again(&[first, second]);
    let took = site.decides();
    let sold = site.sells();
    say(format_args!(
        "decided {} ms after both answered, and an order in further {} ms",
        took.as_millis(),
        sold.as_millis()
    ));
    assert!(sold < MOVED_MAX, "{sold:?}");
    told_either(waiting);
    site.takes(50);
    let outcomes = load.end();
    say(format_args!("{outcomes}"));
    assert!(outcomes["confirmed"].as_u64() > Some(50), "{outcomes}");
    site.audited();
    site.reopen(&[]);
    site.audited();
}

/// The broker that leads the plan topic, as `brokers` counts.
fn leader(brokers: &Brokers) -> usize {
    let output = Command::new("kcat")
        .args(["-b", &brokers.addresses(), "-L", "-J", "-t", "faults.epochs"])
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let leader = told["topics"][0]["partitions"][0]["leader"].as_u64().unwrap();
    usize::try_from(leader).unwrap() - 1
}
