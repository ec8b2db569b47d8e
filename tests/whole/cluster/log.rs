//! The log of a shop, read and changed as a test needs it.

use crate::shop::Answer;
use schemas::codec::Codec;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::kafka::{KafkaLog, Options};
use sinks::event_log::{EventLog, Location, OutputId, Record};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Opens the log at this URL to read it.
pub(super) fn open(url: &str) -> KafkaLog {
    let Ok(Location::Cluster(cluster)) = url.parse() else { panic!("{url}") };
    let connect_timeout = Duration::from_secs(30);
    let options = Options { connect_timeout, single_broker: true, append_timeout: None };
    KafkaLog::open_read_only(&cluster, options).unwrap()
}

/// All that stands on these partitions, in the order of append times.
pub(super) fn records(log: &dyn EventLog, of: impl Iterator<Item = TopicPartition>) -> Vec<Record> {
    let from: Vec<_> = of.map(|at| (at, 0)).collect();
    let partitions: Vec<_> = from.iter().map(|(at, _)| *at).collect();
    let ends = log.ends(&partitions).unwrap();
    let mut reader = log.reader(&from).unwrap();
    let mut records = Vec::new();
    let all = |reader: &dyn sinks::event_log::Reader| {
        partitions.iter().zip(&ends).all(|(at, end)| reader.position(*at) >= *end)
    };
    while !all(&*reader) {
        reader.read(1 << 20, &mut records).unwrap();
        if !all(&*reader) {
            reader.wait(Duration::from_secs(1));
        }
    }
    records.sort_by_key(|record| (record.appended_at, record.partition, record.offset));
    records
}

pub(super) fn outputs() -> impl Iterator<Item = TopicPartition> {
    Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all)
}

/// The ends of all partitions there are.
pub(super) fn ends(url: &str) -> Vec<u64> {
    let all: Vec<_> = Topic::ALL.into_iter().flat_map(TopicPartition::all).collect();
    open(url).ends(&all).unwrap()
}

/// Holds output topics to their contract: who skips ids that are not above the largest seen in a
/// partition misses nothing and sees nothing twice, and what is skipped says the same as what was
/// not. Gives how many were skipped.
pub(super) fn held_to_contract(log: &dyn EventLog) -> usize {
    let mut tails: HashMap<TopicPartition, OutputId> = HashMap::new();
    let mut seen = HashMap::new();
    let mut skipped = 0;
    for record in records(log, outputs()) {
        let id = record.output_id.unwrap();
        let tail = tails.get(&record.partition).copied();
        if tail.is_some_and(|tail| id <= tail) {
            let first = seen.get(&(record.partition, id));
            assert_eq!(first, Some(&record.value), "{} {id:?} is new or other", record.partition);
            skipped += 1;
            continue;
        }
        let in_epoch = tail.filter(|tail| tail.epoch == id.epoch).map_or(0, |tail| tail.n + 1);
        assert_eq!(id.n, in_epoch, "{} misses one before {id:?}", record.partition);
        tails.insert(record.partition, id);
        seen.insert((record.partition, id), record.value);
    }
    assert!(!seen.is_empty());
    skipped
}

/// The longest times without an order being opened, in milliseconds, the longest first.
pub(super) fn gaps(log: &dyn EventLog) -> Vec<i64> {
    let codec = Codec::compiled();
    let opened = records(log, TopicPartition::all(Topic::Orders))
        .into_iter()
        .filter(|record| codec.decode(&record.value).unwrap().1.kind().name() == "OrderRequested");
    let times: Vec<_> = opened.map(|record| record.appended_at.0).collect();
    let mut gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    gaps
}

/// Changes topics of the log at this URL behind the shop's back, with the client from PyPI.
pub(super) fn change(url: &str, verb: &str, topic: Topic, more: &[&str]) {
    let Ok(Location::Cluster(cluster)) = url.parse() else { panic!("{url}") };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/topics.py");
    let output = Command::new(crate::servers::python())
        .arg(program)
        .args([verb, &cluster.brokers, &cluster.topic(topic)])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The id of what was asked for.
pub(super) fn id(answer: &Answer) -> String {
    answer.body["id"].as_str().unwrap().to_owned()
}
