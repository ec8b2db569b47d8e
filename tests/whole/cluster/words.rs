//! Operators' words to a shop that runs on brokers.

use super::{Parts, load, log, stop_all};
use crate::shop::run;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::topic::{Topic, TopicPartition};
use serde_json::Value;
use sinks::event_log::EventLog;
use std::path::Path;

/// Says a word: the exit code, the document that is printed, and what is complained of.
fn said(parts: &Parts, data: &Path, word: &[&str]) -> (Option<i32>, Value, String) {
    let outside = ["--json", "--log-url", &parts.url, "--single-broker"];
    let output = run(data, &[&["epochs"], word, &outside].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), document, String::from_utf8(output.stderr).unwrap())
}

/// How many plans of this generation stand behind this offset.
fn plans_behind(log: &dyn EventLog, offset: u64, generation: u64) -> usize {
    let epochs = TopicPartition { topic: Topic::Epochs, partition: 0 };
    let records = log::records(log, std::iter::once(epochs));
    let codec = Codec::compiled();
    let behind = records.iter().filter(|record| record.offset > offset);
    let planned = behind.filter(|record| {
        let Event::EpochPlanned(plan) = codec.decode_bare(&record.value).unwrap() else {
            return false;
        };
        plan.generation == generation
    });
    planned.count()
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn who_leads_drains_and_the_next_goes_on() {
    let mut parts = Parts::new();
    let old = parts.start("process", &["--take-over"]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    load::fill(&parts, &way_in, &way_out);
    let data = parts.dir();
    let (code, time, told) = said(&parts, &data, &["time"]);
    assert_eq!(code, Some(0), "{told}");
    let effect = time["effect"].as_str().unwrap();
    assert!(effect.contains("goes on from 20") && effect.contains("last plan's"), "{effect}");

    let (code, drained, told) = said(&parts, &data, &["drain"]);
    assert_eq!(code, Some(0), "{told}");
    let generation = drained["event"]["generation"].as_u64().unwrap();
    assert_eq!(Some(generation), old.status()["generation"].as_u64());
    let new = parts.start("process", &["--take-over"]);
    way_out.wait_epochs(2);
    assert!(new.status()["generation"].as_u64() > Some(generation));

    // A process that runs may have finished what a plan has taken.
    let log = log::open(&parts.url);
    let stands = |at: &TopicPartition| log.ends(&[*at]).unwrap()[0] > 0;
    let taken = TopicPartition::all(Topic::ProductActions).find(stands).unwrap();
    let partition = taken.partition.to_string();
    let skip = ["skip", "product-actions", &*partition, "0"];
    let (code, _, told) = said(&parts, &data, &skip);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("say so with --all-stopped"), "{told}");
    stop_all([old, new, way_in, way_out]);
    let (code, _, told) = said(&parts, &data, &[&skip[..], &["--all-stopped"]].concat());
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("it cannot be skipped any more"), "{told}");

    let offset = drained["appended"]["offset"].as_u64().unwrap();
    let late = plans_behind(&log, offset, generation);
    assert!(late <= 1, "{late} plans stand behind the word: one may have been on its way");
    log::held_to_contract(&log);
}
