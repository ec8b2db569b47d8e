//! Plans that stand on the log twice, and plans of long ago: void for every reader, for ever.

use super::{Brokers, PATIENCE, Site, say};
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::kafka::{KafkaLog, Options};
use sinks::event_log::{EventLog as _, NewRecord, Record};
use std::time::Duration;

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// All that stands on the plan topic now.
fn plans(log: &KafkaLog) -> Vec<Record> {
    let end = log.ends(&[EPOCHS]).unwrap()[0];
    let mut reader = log.reader(&[(EPOCHS, 0)]).unwrap();
    let mut records = Vec::new();
    let clock = Clock::system();
    while reader.position(EPOCHS) < end {
        reader.read(1 << 20, &mut records).unwrap();
        reader.wait(Duration::from_millis(10));
        assert!(clock.elapsed() < PATIENCE);
    }
    records
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn plans_sent_again_by_whomever_change_nothing() {
    let brokers = Brokers::start(1);
    let mut site = Site::open(&brokers.url(), &["--single-broker"]);
    let load = site.selling(50);
    let cluster = format!("{}/faults", brokers.addresses()).parse().unwrap();
    let options =
        Options { connect_timeout: PATIENCE, single_broker: true, append_timeout: Some(PATIENCE) };
    let log = KafkaLog::open(&cluster, options).unwrap();
    let mut copies = 0;
    for _ in 0..20 {
        site.decides();
        let plans = plans(&log);
        // The newest as one who lost its acknowledgement would send it; the claim, and some of old.
        let newest = plans.iter().rev().take(3);
        let again = newest.chain(plans.first()).chain(plans.iter().step_by(7));
        let again = again.map(|plan| NewRecord {
            partition: EPOCHS,
            key: plan.key.clone(),
            value: plan.value.clone(),
            output_id: None,
        });
        let again: Vec<_> = again.collect();
        copies += again.len();
        assert!(log.append(again).wait().iter().all(Result::is_ok));
    }
    site.takes(100);
    let outcomes = load.end();
    say(format_args!("{copies} plans were sent again: {outcomes}"));
    assert!(outcomes["confirmed"].as_u64() > Some(100), "{outcomes}");
    let before = site.audited();
    // A start reads them all, and comes to what was told before, or does not start.
    site.reopen(&["--single-broker"]);
    site.decides();
    let after = site.audited();
    assert_eq!(before["totals"]["units"], after["totals"]["units"]);
    assert!(copies as u64 > after["epoch"].as_u64().unwrap() / 2, "{after:#}");
}
