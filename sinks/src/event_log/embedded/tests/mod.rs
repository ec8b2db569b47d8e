//! The files under crashes, damage, full disks and strangers.

mod damage;
mod disk;
mod follow;
mod sealed;

use super::journal::Disk;
use super::*;
use crate::clock::Clock;
use crate::event_log::{Appended, OutputId, Record, conformance};
use bytes::Bytes;
use proptest::prelude::*;
use schemas::time::Timestamp;
use schemas::topic::Topic;
use std::collections::BTreeMap;
use std::{fs, io};
use tempfile::TempDir;

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

fn everything() -> Vec<(TopicPartition, u64)> {
    Topic::ALL.into_iter().flat_map(TopicPartition::all).map(|partition| (partition, 0)).collect()
}

fn read_from(log: &FileLog, from: &[(TopicPartition, u64)]) -> Result<Vec<Record>, ReadError> {
    let mut reader = log.reader(from)?;
    let mut records = Vec::new();
    loop {
        let before = records.len();
        reader.read(100, &mut records)?;
        if records.len() == before {
            return Ok(records);
        }
    }
}

/// Values in the order of the journal.
fn values(log: &FileLog) -> Vec<String> {
    let records = read_from(log, &everything()).unwrap();
    records.iter().map(|r| String::from_utf8(r.value.to_vec()).unwrap()).collect()
}

fn append(log: &FileLog, records: Vec<NewRecord>) -> Vec<Appended> {
    log.append(records).wait().into_iter().collect::<Result<_, _>>().unwrap()
}

fn clock() -> Clock {
    Clock::manual(Timestamp(1_000))
}

fn open(dir: &Path) -> Result<FileLog, OpenError> {
    FileLog::open(dir, clock(), Durability::NotDurable)
}

/// A disk with short segments, and zeros ahead or not.
fn small_disk(ahead: u64) -> Disk {
    Disk { ahead, segment_bytes: 500, ..Disk::of(Durability::NotDurable) }
}

/// The files of `from`, as another process would find them.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn keeps_the_contract_on_every_kind_of_disk() {
    let disks: [fn() -> Disk; 3] = [
        || Disk::of(Durability::Durable),
        || Disk::of(Durability::NotDurable),
        || Disk { sync_data: Box::new(File::sync_data), ..small_disk(1 << 10) },
    ];
    for disk in disks {
        let mut dirs = Vec::new();
        conformance::check_all(&mut || {
            let dir = tempfile::tempdir().unwrap();
            let log = FileLog::open_on(dir.path(), Clock::system(), disk()).unwrap();
            dirs.push(dir);
            Arc::new(log)
        });
    }
}

#[test]
fn reopened_it_has_what_was_acknowledged_and_goes_on_there() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let open = || FileLog::open(dir.path(), clock.clone(), Durability::Durable).unwrap();
    let log = open();
    let batch = vec![record(1, "a"), record(2, "b"), record(1, "c")];
    let at = |offset, ms| Appended { offset, appended_at: Timestamp(ms) };
    assert_eq!(append(&log, batch), [at(0, 1_000), at(0, 1_000), at(1, 1_000)]);
    let before = read_from(&log, &everything()).unwrap();
    drop(log);

    clock.advance(std::time::Duration::from_millis(5));
    let log = open();
    assert_eq!(read_from(&log, &everything()).unwrap(), before);
    assert_eq!(log.ends(&[customer(1), customer(2), customer(3)]).unwrap(), [2, 1, 0]);
    assert_eq!(append(&log, vec![record(1, "d")]), [at(2, 1_005)]);
    assert_eq!(values(&log), ["a", "b", "c", "d"]);
}

#[test]
fn append_times_do_not_go_back_when_the_clock_does() {
    let dir = tempfile::tempdir().unwrap();
    let late = Clock::manual(Timestamp(9_000));
    append(&FileLog::open(dir.path(), late, Durability::NotDurable).unwrap(), vec![record(1, "a")]);
    let early = open(dir.path()).unwrap();
    assert_eq!(append(&early, vec![record(1, "b")])[0].appended_at, Timestamp(9_000));
}

#[test]
fn what_was_acknowledged_outlives_a_process_that_never_closes() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::open_on(dir.path(), clock(), small_disk(1 << 10)).unwrap();
    for n in 0..20 {
        append(&log, vec![record(n % 16, &n.to_string())]);
        let left_behind = copy(dir.path());
        let reopened = open(left_behind.path()).unwrap();
        assert_eq!(values(&reopened), (0..=n).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    assert!(contents(dir.path()).len() > 4, "the story needs several segments");
}

#[test]
fn a_second_opener_is_told_who_was_first() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    append(&log, vec![record(1, "mine")]);
    for second in [open(dir.path()), FileLog::open_read_only(dir.path())] {
        match second.err() {
            Some(OpenError::InUse { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
    }
    log.close();
    assert!(matches!(open(dir.path()).err(), Some(OpenError::InUse { .. })), "still there");
    drop(log);
    assert_eq!(values(&open(dir.path()).unwrap()), ["mine"]);
}

#[test]
fn other_formats_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let format = dir.path().join("FORMAT");
    let written = fs::read(&format).unwrap();
    let refused = |dir: &Path| {
        for opened in [open(dir), FileLog::open_read_only(dir)] {
            match opened.err() {
                Some(OpenError::UnknownFormat { file, .. }) => assert_eq!(file, format),
                other => panic!("{other:?}"),
            }
        }
    };
    fs::write(&format, "watermart event log 2 00000000 00000000\n").unwrap();
    refused(dir.path());
    for byte in 0..written.len() {
        let mut flipped = written.clone();
        flipped[byte] ^= 1;
        fs::write(&format, flipped).unwrap();
        refused(dir.path());
    }
    fs::remove_file(&format).unwrap();
    refused(dir.path());
    assert!(!format.exists(), "a journal without its salt gets no new one");
}

#[test]
fn read_only_changes_nothing_and_appends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(FileLog::open_read_only(dir.path()), Err(OpenError::Io { .. })));
    assert_eq!(contents(dir.path()).len(), 0);

    append(&open(dir.path()).unwrap(), vec![record(1, "whole")]);
    append(&open(dir.path()).unwrap(), vec![record(1, "torn")]);
    let journal = segment::path(dir.path(), 0);
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 1]).unwrap();
    let before = contents(dir.path());

    let log = FileLog::open_read_only(dir.path()).unwrap();
    assert_eq!(values(&log), ["whole"]);
    assert!(matches!(
        log.append(vec![record(1, "no")]).wait()[..],
        [Err(super::super::AppendError::NotAppended(_))]
    ));
    let another = FileLog::open_read_only(dir.path()).unwrap();
    assert_eq!(log.ends(&[customer(1)]), another.ends(&[customer(1)]));
    assert_eq!(contents(dir.path()), before);
}

/// What a caller may do, for the comparison with plain lists.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(u16, Vec<u8>, Option<OutputId>)>),
    Reopen,
    Read(u16, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = proptest::option::of((any::<u64>(), any::<u32>()))
        .prop_map(|id| id.map(|(epoch, n)| OutputId { epoch, n }));
    let value = proptest::collection::vec(any::<u8>(), 0..200);
    let batch = proptest::collection::vec((0..16_u16, value, id), 1..20);
    let step = prop_oneof![
        6 => batch.prop_map(Step::Append),
        1 => Just(Step::Reopen),
        3 => (0..16_u16, 0..40_usize).prop_map(|(partition, from)| Step::Read(partition, from)),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reads_what_plain_lists_would(steps in steps(), ahead in prop_oneof![Just(0), Just(1 << 10)]) {
        let dir = tempfile::tempdir().unwrap();
        let open = || FileLog::open_on(dir.path(), clock(), small_disk(ahead)).unwrap();
        let mut log = open();
        let mut lists: Vec<Vec<NewRecord>> = vec![Vec::new(); 16];
        for step in steps {
            match step {
                Step::Append(batch) => {
                    let record = |(partition, value, output_id)| NewRecord {
                        value: Bytes::from(value), output_id, ..record(partition, "")
                    };
                    let batch: Vec<_> = batch.into_iter().map(record).collect();
                    let appended = append(&log, batch.clone());
                    for (record, Appended { offset, .. }) in batch.into_iter().zip(appended) {
                        let list = &mut lists[usize::from(record.partition.partition)];
                        prop_assert_eq!(offset, list.len() as u64);
                        list.push(record);
                    }
                }
                Step::Reopen => {
                    drop(log);
                    log = open();
                }
                Step::Read(partition, from) => {
                    let read = read_from(&log, &[(customer(partition), from as u64)]).unwrap();
                    let list = &lists[usize::from(partition)];
                    let expected: Vec<_> = list.iter().enumerate().skip(from).map(|(n, r)| Record {
                        partition: r.partition,
                        offset: n as u64,
                        appended_at: Timestamp(1_000),
                        key: r.key.clone(),
                        value: r.value.clone(),
                        output_id: r.output_id,
                    }).collect();
                    prop_assert_eq!(read, expected);
                }
            }
        }
    }
}
