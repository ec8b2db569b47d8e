//! A log read while another holds its lock and writes it.

use super::*;
use std::thread;

/// A log whose segments are short, so that many begin while it is read.
fn short_segments(dir: &Path) -> FileLog {
    let disk = Disk { segment_bytes: 4 << 10, ..Disk::of(Durability::NotDurable) };
    FileLog::open_on(dir, clock(), disk).unwrap()
}

#[test]
fn what_the_writer_appends_comes_to_be_seen_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(FileLog::open_beside_writer(dir.path()), Err(OpenError::Io { .. })));
    let writer = open(dir.path()).unwrap();
    append(&writer, vec![record(1, "before")]);
    let beside = FileLog::open_beside_writer(dir.path()).unwrap();
    let mut reader = beside.reader(&everything()).unwrap();
    let mut seen = Vec::new();
    for value in ["before", "after", "last"] {
        reader.read(100, &mut seen).unwrap();
        assert_eq!(seen.last().map(|record| &*record.value), Some(value.as_bytes()));
        reader.read(100, &mut seen).unwrap();
        append(&writer, vec![record(1, if value == "before" { "after" } else { "last" })]);
    }
    let before = contents(dir.path());
    assert!(matches!(
        beside.append(vec![record(1, "no")]).wait()[..],
        [Err(crate::event_log::AppendError::NotAppended(_))]
    ));
    drop(beside);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_reader_beside_a_busy_writer_sees_each_record_once_and_takes_nothing_for_damage() {
    const RECORDS: usize = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let writer = short_segments(dir.path());
    append(&writer, vec![record(1, "0")]);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..RECORDS {
                append(&writer, vec![record(1, &n.to_string())]);
            }
        });
        let beside = FileLog::open_beside_writer(dir.path()).unwrap();
        let mut reader = beside.reader(&everything()).unwrap();
        let mut seen = Vec::new();
        while seen.len() < RECORDS {
            let before = seen.len();
            reader.read(1 << 20, &mut seen).unwrap();
            if seen.len() == before {
                reader.wait(std::time::Duration::from_secs(1));
            }
        }
        let values = seen.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned());
        assert!(values.eq((0..RECORDS).map(|n| n.to_string())));
    });
    assert!(segment::count(dir.path()).unwrap() > 10);
}

#[test]
fn damage_that_stays_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path()).unwrap();
    append(&writer, vec![record(1, "one")]);
    let beside = FileLog::open_beside_writer(dir.path()).unwrap();
    let mut reader = beside.reader(&everything()).unwrap();
    let mut seen = Vec::new();
    reader.read(100, &mut seen).unwrap();
    append(&writer, vec![record(1, "two")]);
    append(&writer, vec![record(1, "three")]);
    let journal = segment::path(dir.path(), 0);
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes.windows(3).position(|window| window == b"two").unwrap();
    bytes[at] ^= 1;
    fs::write(&journal, bytes).unwrap();
    assert!(matches!(reader.read(100, &mut seen), Err(ReadError::Damaged { .. })));
}
