//! The broker stands still for longer than callers wait.

use super::{Brokers, PATIENCE, RETURN_MAX, Site, say, small_checkout};
use serde_json::json;
use sinks::clock::Clock;

#[test]
#[ignore = "needs servers: compose/servers test"]
fn what_a_paused_broker_may_have_taken_is_said_to_be_unknown_and_happens_once_or_not() {
    let brokers = Brokers::start(1);
    let site = Site::open(&brokers.url(), &["--single-broker"]);
    let load = site.selling(30);
    site.decides();
    brokers.signal(0, "-STOP");
    let ask = |n: usize| small_checkout(&format!("paused-{n}"), "only");
    let answers = site.shop.ask_all((0..30).map(ask).collect());
    brokers.signal(0, "-CONT");
    let unknown = "it is not known whether the action was taken; send it again with the same \
                   Idempotency-Key and body";
    let mut counted = 0;
    for answer in answers.into_iter().flatten() {
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("log_unavailable")));
        counted += usize::from(answer.body["detail"] == unknown);
    }
    say(format_args!("{counted} of 30 outcomes were unknown"));
    assert!(counted > 0);
    let took = site.decides();
    say(format_args!("decided {} ms after the broker went on", took.as_millis()));
    assert!(took < RETURN_MAX, "{took:?}");
    // Asked again, each is one order; a partition may hear of its broker a moment after another.
    let clock = Clock::system();
    let mut open: Vec<usize> = (0..30).collect();
    while !open.is_empty() {
        assert!(clock.elapsed() < PATIENCE, "{open:?}");
        let answers = site.shop.ask_all(open.iter().map(|n| ask(*n).and_wait()).collect());
        let mut answers = answers.into_iter().map(Option::unwrap);
        open.retain(|_| match answers.next().unwrap().status {
            201 => false,
            503 => true,
            status => panic!("{status}"),
        });
    }
    site.takes(50);
    let outcomes = load.end();
    say(format_args!("{outcomes}"));
    let report = site.audited();
    assert!(report["totals"]["orders"]["requested"].is_u64());
}
