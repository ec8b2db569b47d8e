//! The event log's contract as a suite: one function a clause, by the names in the port.
//!
//! An adapter passes if [`check_all`] returns. Nothing is assumed of what is on the log already,
//! nor of offsets but that they grow; but while a clause runs nobody else may append to
//! [`QUIET`] and [`BUSY`].

use super::{
    Answers, AppendError, Appended, BATCH_BYTES_MAX, EventLog, NewRecord, OutputId, ReadError,
    Reader, Record,
};
use crate::clock::Clock;
use bytes::Bytes;
use schemas::limits::RECORD_BYTES_MAX;
use schemas::topic::{Topic, TopicPartition};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// The partition that most clauses append to.
pub const QUIET: TopicPartition = TopicPartition { topic: Topic::DeadLetters, partition: 3 };
/// A partition of another topic.
pub const BUSY: TopicPartition = TopicPartition { topic: Topic::Orders, partition: 11 };

/// How long a reader waits for what was acknowledged: no adapter is so slow unless it has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the contract promises a waiting reader.
const WAKE_MAX: Duration = Duration::from_millis(10);
/// Bytes asked for at once: little, so that a story takes several reads.
const READ_BYTES: usize = 1000;

/// Checks every clause, each on a log of its own from `open`.
pub fn check_all(open: &mut dyn FnMut() -> Arc<dyn EventLog>) {
    answers(&*open());
    order(&*open());
    start(&*open());
    size(&*open());
    append_time(&*open());
    durable(&*open());
    durable_in_a_crowd(&*open());
    wake(&*open());
    close(&*open());
    close_in_a_crowd(&*open());
}

/// An append answers record by record, and what it called durable is read as it was appended.
pub fn answers(log: &dyn EventLog) {
    let mut reader = reader_at_end(log, &[QUIET, BUSY]);
    let id = Some(OutputId { epoch: u64::MAX, n: u32::MAX });
    let batch = vec![
        record(QUIET, "first"),
        NewRecord { output_id: id, ..record(BUSY, "second") },
        NewRecord { key: Bytes::new(), ..record(QUIET, "") },
    ];
    let appended = all_durable(log.append(batch.clone()).wait());
    assert_eq!(appended.len(), batch.len(), "one answer per record");
    let mut read = read(&mut *reader, batch.len());
    read.sort_by_key(|record| (record.partition != QUIET, record.offset));
    let expected = [0, 2, 1].map(|i| as_read(&batch[i], appended[i]));
    assert_eq!(read, expected);
    assert_eq!(log.append(Vec::new()).wait(), Vec::new(), "an empty batch has no answers");
}

/// A reader sees offset order, which is each caller's order, also of appends in flight together.
pub fn order(log: &dyn EventLog) {
    let mut reader = reader_at_end(log, &[QUIET]);
    let callers = ["left", "right"];
    thread::scope(|scope| {
        for caller in callers {
            scope.spawn(move || {
                let value = |n: u32| format!("{caller} {n:03}");
                let batches = (0..100).map(|n| vec![record(QUIET, &value(n))]);
                let in_flight: Vec<_> = batches.map(|batch| log.append(batch)).collect();
                let appended = in_flight.into_iter().flat_map(|a| all_durable(a.wait()));
                let offsets: Vec<_> = appended.map(|appended| appended.offset).collect();
                assert!(offsets.is_sorted_by(|a, b| a < b), "{caller}: {offsets:?}");
            });
        }
    });
    let read = read(&mut *reader, 200);
    assert!(read.is_sorted_by(|a, b| a.offset < b.offset), "offsets grow");
    for caller in callers {
        let expected: Vec<_> = (0..100).map(|n| format!("{caller} {n:03}")).collect();
        let of_caller = read.iter().filter(|record| record.value.starts_with(caller.as_bytes()));
        let values: Vec<_> = of_caller.map(|r| String::from_utf8_lossy(&r.value)).collect();
        assert_eq!(values, expected);
    }
}

/// Reading from 0 reads, or says where the partition starts; from there it reads.
pub fn start(log: &dyn EventLog) {
    let appended = all_durable(log.append(vec![record(QUIET, "kept")]).wait());
    let first_read = |offset| {
        let mut reader = log.reader(&[(QUIET, offset)])?;
        let mut records = Vec::new();
        reader.read(1, &mut records)?;
        Ok(records)
    };
    let from_start = match first_read(0) {
        Err(ReadError::BelowStart { partition, asked, start }) => {
            assert_eq!((partition, asked), (QUIET, 0));
            assert!((1..=appended[0].offset).contains(&start), "starts at {start}");
            first_read(start)
        }
        other => other,
    };
    let records = from_start.expect("a partition can be read from its start");
    assert!(!records.is_empty(), "what was acknowledged is there");
}

/// What is too large is refused, and nothing of its batch is sent; what is just not, is taken.
pub fn size(log: &dyn EventLog) {
    let ends = || log.ends(&[QUIET, BUSY]).expect("the ends are known");
    let value = Bytes::from(vec![b'v'; RECORD_BYTES_MAX + 1]);
    let sized =
        |bytes| NewRecord { key: Bytes::new(), value: value.slice(..bytes), ..record(QUIET, "") };
    let too_large = |bytes, max| Err(AppendError::TooLarge { bytes, max });
    let before = ends();

    let batch = vec![record(BUSY, "small"), sized(RECORD_BYTES_MAX + 1)];
    let answers = log.append(batch).wait();
    assert!(matches!(answers[0], Err(AppendError::NotAppended(_))), "{:?}", answers[0]);
    assert_eq!(answers[1..], [too_large(RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX)]);

    let largest = vec![sized(RECORD_BYTES_MAX); BATCH_BYTES_MAX / RECORD_BYTES_MAX];
    let mut larger = largest.clone();
    larger.push(sized(1));
    let answers = log.append(larger).wait();
    let refused = too_large(BATCH_BYTES_MAX + 1, BATCH_BYTES_MAX);
    assert_eq!(answers, vec![refused; largest.len() + 1]);
    let full = vec![sized(RECORD_BYTES_MAX); BATCH_BYTES_MAX / RECORD_BYTES_MAX - 1];
    let key = Bytes::from_static(b"key");
    let with_key = NewRecord { key, ..sized(RECORD_BYTES_MAX - 2) };
    let answers = log.append([full, vec![with_key]].concat()).wait();
    let one_byte_over = too_large(BATCH_BYTES_MAX + 1, BATCH_BYTES_MAX);
    assert!(answers.iter().all(|answer| *answer == one_byte_over), "keys count: {answers:?}");
    assert_eq!(ends(), before, "nothing of what was refused was sent");

    let records = largest.len();
    let mut reader = reader_at_end(log, &[QUIET]);
    all_durable(log.append(largest).wait());
    let read = read(&mut *reader, records);
    assert!(read.iter().all(|record| record.value.len() == RECORD_BYTES_MAX));
}

/// A record's append time is the one answered, wherever a reader starts, and never goes back.
pub fn append_time(log: &dyn EventLog) {
    let from = log.ends(&[QUIET]).expect("the ends are known")[0];
    let mut appended = Vec::new();
    for batch in 0..3 {
        let records = (0..4).map(|n| record(QUIET, &format!("{batch} {n}"))).collect();
        appended.extend(all_durable(log.append(records).wait()));
    }
    assert!(appended.is_sorted_by_key(|appended| appended.appended_at), "{appended:?}");
    for (skipped, first) in appended.iter().enumerate() {
        let from = if skipped == 0 { from } else { first.offset };
        let mut reader = log.reader(&[(QUIET, from)]).expect("a reader opens");
        let read = read(&mut *reader, appended.len() - skipped);
        let read: Vec<_> = read
            .into_iter()
            .map(|Record { offset, appended_at, .. }| Appended { offset, appended_at })
            .collect();
        assert_eq!(read, appended[skipped..]);
    }
}

/// Everything acknowledged lies below the ends, a reader gets there, and nothing lies beyond.
pub fn durable(log: &dyn EventLog) {
    let mut reader = reader_at_end(log, &[QUIET, BUSY]);
    for n in 0..20 {
        let batch = vec![record(QUIET, &n.to_string()), record(BUSY, &n.to_string())];
        let appended = all_durable(log.append(batch).wait());
        let ends = log.ends(&[QUIET, BUSY]).expect("the ends are known");
        assert!(appended[0].offset < ends[0] && appended[1].offset < ends[1], "{ends:?}");
        let read = read(&mut *reader, 2);
        let mut offsets = read.iter().map(|record| (record.partition, record.offset));
        assert!(offsets.clone().any(|at| at == (QUIET, appended[0].offset)));
        assert!(offsets.any(|at| at == (BUSY, appended[1].offset)));
        assert_nothing_more(&mut *reader);
        let positions = [reader.position(QUIET), reader.position(BUSY)];
        assert!(positions[0] >= ends[0] && positions[1] >= ends[1], "{positions:?} {ends:?}");
        let ends = log.ends(&[QUIET, BUSY]).expect("the ends are known");
        assert!(positions[0] <= ends[0] && positions[1] <= ends[1], "{positions:?} {ends:?}");
    }
}

/// The same while others append: what was acknowledged before the ends were asked for lies below
/// them, and no reader is beyond.
pub fn durable_in_a_crowd(log: &dyn EventLog) {
    const APPENDS: usize = 200;
    let mut reader = reader_at_end(log, &[QUIET]);
    let end = || log.ends(&[QUIET]).expect("the ends are known")[0];
    // The first offset that nobody has been told of.
    let told = AtomicU64::new(end());
    let mut seen = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..APPENDS {
                let appended = all_durable(log.append(vec![record(QUIET, &n.to_string())]).wait());
                told.store(appended[0].offset + 1, Ordering::Release);
            }
        });
        while seen.len() < APPENDS {
            let told_before = told.load(Ordering::Acquire);
            let asked = end();
            assert!(told_before <= asked, "told of {told_before}, which is beyond {asked}");
            let before = seen.len();
            reader.read(READ_BYTES, &mut seen).expect("a log in good health is read");
            let (position, asked) = (reader.position(QUIET), end());
            assert!(position <= asked, "read to {position}, which is beyond {asked}");
            if seen.len() == before {
                reader.wait(PATIENCE);
            }
        }
    });
    let expected: Vec<_> = (0..APPENDS).map(|n| n.to_string()).collect();
    let values: Vec<_> = seen.iter().map(|r| String::from_utf8_lossy(&r.value)).collect();
    assert_eq!(values, expected);
}

/// A waiting reader is woken in time, and a wait with nothing to come ends.
///
/// The median of several tries is taken: one try may be late because the machine is busy.
pub fn wake(log: &dyn EventLog) {
    let clock = Clock::system();
    let mut reader = reader_at_end(log, &[QUIET]);
    assert_nothing_more(&mut *reader);
    reader.wait(Duration::from_millis(1));
    assert_nothing_more(&mut *reader);

    let about_to_wait = Barrier::new(2);
    let mut late: Vec<_> = (0..9)
        .map(|n| {
            thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    about_to_wait.wait();
                    let read = read(&mut *reader, 1);
                    assert_nothing_more(&mut *reader);
                    assert_eq!(read[0].value, n.to_string());
                    clock.elapsed()
                });
                about_to_wait.wait();
                all_durable(log.append(vec![record(QUIET, &n.to_string())]).wait());
                let durable = clock.elapsed();
                waiting.join().expect("the reader reads").saturating_sub(durable)
            })
        })
        .collect();
    late.sort_unstable();
    assert!(late[late.len() / 2] < WAKE_MAX, "woken late: {late:?}");
}

/// Closing answers what is in flight, and later appends are not appended.
pub fn close(log: &dyn EventLog) {
    // What a first connection takes is not for closing to wait for.
    all_durable(log.append(vec![record(QUIET, "up"), record(BUSY, "up")]).wait());
    let batches = (0..50).map(|n| vec![record(QUIET, &n.to_string()), record(BUSY, "too")]);
    let mut in_flight: Vec<_> = batches.map(|batch| log.append(batch)).collect();
    log.close();
    for appending in &mut in_flight {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(appending).poll(&mut context) {
            Poll::Ready(answers) => assert_eq!(all_durable(answers).len(), 2),
            Poll::Pending => panic!("closed before all in flight was answered"),
        }
    }
    let answers = log.append(vec![record(QUIET, "late"), record(BUSY, "late")]).wait();
    assert!(
        answers.len() == 2
            && answers.iter().all(|answer| matches!(answer, Err(AppendError::NotAppended(_)))),
        "{answers:?}"
    );
    log.close();
}

/// Whoever appends while it is being closed is told what is so: what was called durable is there,
/// what was called not appended is not, and only what is called unknown may be either.
pub fn close_in_a_crowd(log: &dyn EventLog) {
    let mut reader = reader_at_end(log, &[QUIET]);
    let begun = Barrier::new(3);
    let told: Vec<(String, Answers)> = thread::scope(|scope| {
        let callers = ["left", "right"].map(|caller| {
            let begun = &begun;
            scope.spawn(move || {
                let mut in_flight = Vec::new();
                for n in 0..200 {
                    let value = format!("{caller} {n}");
                    in_flight.push((value.clone(), log.append(vec![record(QUIET, &value)])));
                    if n == 20 {
                        begun.wait();
                    }
                }
                in_flight.into_iter().map(|(value, appending)| (value, appending.wait()))
            })
        });
        begun.wait();
        log.close();
        callers.into_iter().flat_map(|caller| caller.join().expect("it appends")).collect()
    });
    let end = log.ends(&[QUIET]).expect("what stands can still be read")[0];
    let mut records = Vec::new();
    while reader.position(QUIET) < end {
        reader.read(READ_BYTES, &mut records).expect("what stands can still be read");
    }
    for (value, answers) in told {
        let found = records.iter().find(|record| record.value == value);
        match &answers[..] {
            [Ok(appended)] => assert_eq!(found.map(|r| r.offset), Some(appended.offset), "{value}"),
            [Err(AppendError::NotAppended(_))] => assert_eq!(found, None, "{value}"),
            [Err(AppendError::Unknown(_))] => {}
            other => panic!("{value}: {other:?}"),
        }
    }
}

fn record(partition: TopicPartition, value: &str) -> NewRecord {
    NewRecord {
        partition,
        key: Bytes::from_static(b"key"),
        value: Bytes::copy_from_slice(value.as_bytes()),
        output_id: None,
    }
}

fn as_read(record: &NewRecord, appended: Appended) -> Record {
    let NewRecord { partition, key, value, output_id } = record.clone();
    let Appended { offset, appended_at } = appended;
    Record { partition, offset, appended_at, key, value, output_id }
}

fn all_durable(answers: Answers) -> Vec<Appended> {
    answers.into_iter().map(|answer| answer.expect("a log in good health appends")).collect()
}

fn reader_at_end(log: &dyn EventLog, partitions: &[TopicPartition]) -> Box<dyn Reader> {
    let ends = log.ends(partitions).expect("the ends are known");
    let from: Vec<_> = partitions.iter().copied().zip(ends).collect();
    log.reader(&from).expect("a reader opens at the ends")
}

/// Reads so many records that were, or soon will be, acknowledged.
fn read(reader: &mut dyn Reader, records: usize) -> Vec<Record> {
    let mut read = Vec::new();
    let clock = Clock::system();
    while read.len() < records {
        let before = read.len();
        reader.read(READ_BYTES, &mut read).expect("a log in good health is read");
        if read.len() == before {
            let left = PATIENCE.checked_sub(clock.elapsed());
            reader.wait(left.unwrap_or_else(|| panic!("only {before} of {records} were read")));
        }
    }
    assert_eq!(read.len(), records, "nothing else was appended");
    read
}

fn assert_nothing_more(reader: &mut dyn Reader) {
    let mut more = Vec::new();
    reader.read(READ_BYTES, &mut more).expect("a log in good health is read");
    assert_eq!(more, [], "nothing else was appended");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_log::Appending;

    #[test]
    fn whoever_is_never_answered_knows_nothing() {
        let unanswered = || Appending::new(2, tokio::sync::oneshot::channel().1);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(polled) = Pin::new(&mut unanswered()).poll(&mut context) else {
            panic!("nobody will answer any more")
        };
        for answers in [unanswered().wait(), polled] {
            let unknown =
                |a: &Result<Appended, AppendError>| matches!(a, Err(AppendError::Unknown(_)));
            assert!(answers.len() == 2 && answers.iter().all(unknown), "{answers:?}");
        }
    }
}
