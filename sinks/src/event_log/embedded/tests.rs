//! The files under crashes, damage and strangers.

use super::*;
use crate::event_log::{Answers, Appended, Record};
use bytes::Bytes;
use schemas::time::Timestamp;
use schemas::topic::Topic;

fn customer(partition: u16) -> TopicPartition {
    TopicPartition { topic: Topic::CustomerActions, partition }
}

fn record(partition: u16, value: &str) -> NewRecord {
    NewRecord {
        partition: customer(partition),
        key: Bytes::from_static(b"shopper"),
        value: Bytes::copy_from_slice(value.as_bytes()),
        output_id: None,
    }
}

fn read_all(log: &FileLog) -> Vec<Record> {
    let from: Vec<_> =
        Topic::ALL.into_iter().flat_map(TopicPartition::all).map(|p| (p, 0)).collect();
    let mut reader = log.reader(&from).unwrap();
    let mut records = Vec::new();
    loop {
        let before = records.len();
        reader.read(1000, &mut records).unwrap();
        if records.len() == before {
            return records;
        }
    }
}

fn offsets(answers: Answers) -> Vec<u64> {
    answers.into_iter().map(|a| a.map(|Appended { offset, .. }| offset).unwrap()).collect()
}

#[test]
fn reopened_it_has_what_was_acknowledged_and_goes_on_there() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_000));
    let log = FileLog::open(dir.path(), clock.clone(), Durability::Durable).unwrap();
    assert_eq!(
        offsets(log.append(vec![record(1, "a"), record(2, "b"), record(1, "c")]).wait()),
        [0, 0, 1]
    );
    let before = read_all(&log);
    drop(log);
    let log = FileLog::open(dir.path(), clock, Durability::Durable).unwrap();
    assert_eq!(read_all(&log), before);
    assert_eq!(log.ends(&[customer(1), customer(2), customer(3)]).unwrap(), [2, 1, 0]);
    assert_eq!(offsets(log.append(vec![record(1, "d")]).wait()), [2]);
    assert_eq!(read_all(&log).len(), 4);
}
