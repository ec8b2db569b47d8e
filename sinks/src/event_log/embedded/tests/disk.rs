//! Disks that are slow, full or failing.

use super::*;
use crate::event_log::{AppendError, BATCH_BYTES_MAX};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::Duration;

/// A disk whose syncs wait until they are let through.
struct SlowDisk {
    syncing: Receiver<()>,
    go_on: Sender<io::Result<()>>,
}

fn slow(dir: &Path, fatal: SyncSender<String>) -> (FileLog, SlowDisk) {
    let (begun, syncing) = mpsc::channel();
    let (go_on, outcomes) = mpsc::channel();
    let sync_data = Box::new(move |_: &File| {
        begun.send(()).unwrap();
        outcomes.recv().unwrap()
    });
    let fatal = Box::new(move |path: &Path, error: &io::Error| {
        fatal.send(format!("{} {error}", path.file_name().unwrap().display())).unwrap();
    });
    let disk = Disk { sync_data, fatal, ..small_disk(1 << 10) };
    (FileLog::open_on(dir, clock(), disk).unwrap(), SlowDisk { syncing, go_on })
}

#[test]
fn appends_that_wait_for_a_sync_share_the_next_one_and_show_only_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, disk) = slow(dir.path(), mpsc::sync_channel(1).0);
    let all: Vec<_> = TopicPartition::all(Topic::CustomerActions).collect();

    let first = log.append(vec![record(0, "first")]);
    disk.syncing.recv().unwrap();
    let later: Vec<_> = (0..16).map(|n| log.append(vec![record(n, &n.to_string())])).collect();
    assert_eq!(log.ends(&all).unwrap(), [0; 16]);
    assert_eq!(values(&log), Vec::<String>::new());
    let left_behind = copy(dir.path());

    disk.go_on.send(Ok(())).unwrap();
    assert_eq!(first.wait().len(), 1);
    disk.syncing.recv().unwrap();
    assert_eq!(values(&log), ["first"]);

    disk.go_on.send(Ok(())).unwrap();
    let answers: Vec<_> = later.into_iter().flat_map(|a| a.wait()).collect();
    assert_eq!(answers.into_iter().filter(Result::is_ok).count(), 16);
    assert_eq!(log.ends(&all).unwrap()[..2], [2, 1]);
    log.close();
    assert!(disk.syncing.try_recv().is_err(), "two syncs were enough");
    // Written and not synced is as good as not there, or there: never half.
    assert_eq!(values(&open(left_behind.path()).unwrap()), ["first"]);
}

#[test]
fn beyond_what_may_be_in_flight_appends_are_refused_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (log, disk) = slow(dir.path(), mpsc::sync_channel(1).0);
    let value = Bytes::from(vec![b'v'; 1 << 20]);
    let most = || {
        let record = || NewRecord { key: Bytes::new(), value: value.clone(), ..record(1, "") };
        vec![record(); (BATCH_BYTES_MAX >> 20) - 1]
    };
    let taken: Vec<_> = (0..4).map(|_| log.append(most())).collect();
    let refused = log.append(most()).wait();
    assert!(
        refused.iter().all(|answer| matches!(answer, Err(AppendError::NotAppended(_)))),
        "{:?}",
        refused[0]
    );
    for appending in taken {
        disk.syncing.recv().unwrap();
        disk.go_on.send(Ok(())).unwrap();
        assert!(appending.wait().iter().all(Result::is_ok));
    }
    disk.go_on.send(Ok(())).unwrap();
    assert_eq!(append(&log, vec![record(1, "room")])[0].offset, 4 * 15);
}

#[test]
fn a_failing_sync_ends_the_process_and_answers_nothing_as_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (fatal, ended) = mpsc::sync_channel(1);
    let (log, disk) = slow(dir.path(), fatal);
    disk.go_on.send(Ok(())).unwrap();
    append(&log, vec![record(1, "kept")]);
    disk.syncing.recv().unwrap();

    let failing = log.append(vec![record(1, "lost")]);
    disk.syncing.recv().unwrap();
    let behind = log.append(vec![record(1, "behind")]);
    disk.go_on.send(Err(io::Error::other("medium error"))).unwrap();
    assert_eq!(ended.recv().unwrap(), "00000000.journal medium error");
    assert!(matches!(failing.wait()[..], [Err(AppendError::Unknown(_))]));
    assert!(matches!(behind.wait()[..], [Err(AppendError::Unknown(_))]));
    assert_eq!(log.ends(&[customer(1)]).unwrap(), [1]);
    assert_eq!(values(&log), ["kept"]);
    let late = log.append(vec![record(1, "late")]).wait();
    assert!(matches!(late[..], [Err(AppendError::NotAppended(_))]));
}

#[test]
fn a_full_disk_refuses_appends_and_takes_them_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let write = Box::new(move |file: &File, bytes: &[u8], byte| {
        // Half of it still fits.
        let fits = if is_full.load(Ordering::SeqCst) { bytes.len() / 2 } else { bytes.len() };
        file.write_all_at(&bytes[..fits], byte)?;
        let outcome = (fits == bytes.len()).then_some(());
        outcome.ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))
    });
    let fatal = Box::new(|_: &Path, error: &io::Error| panic!("{error}"));
    let disk = Disk { write, fatal, segment_bytes: 2048, ..small_disk(1 << 10) };
    let log = FileLog::open_on(dir.path(), clock(), disk).unwrap();
    append(&log, vec![record(1, "before")]);
    let noise: String = (0..700_u32).map(|n| (n.pow(2) * 7919).to_string()).collect();
    full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = log.append(vec![record(1, &noise)]).wait();
        assert!(matches!(refused[..], [Err(AppendError::NotAppended(_))]), "{refused:?}");
    }
    assert_eq!(log.ends(&[customer(1)]).unwrap(), [1]);
    let left_behind = copy(dir.path());
    assert_eq!(values(&open(left_behind.path()).unwrap()), ["before"]);
    full.store(false, Ordering::SeqCst);
    assert_eq!(append(&log, vec![record(1, &noise), record(1, "after")])[1].offset, 2);
    drop(log);
    assert_eq!(values(&open(dir.path()).unwrap()), ["before", &noise, "after"]);
}

#[test]
fn readers_wait_without_asking_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, disk) = slow(dir.path(), mpsc::sync_channel(1).0);
    let woken = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (waiting, about_to_wait) = mpsc::channel();
        let mut reader = log.reader(&everything()).unwrap();
        let woken = &woken;
        scope.spawn(move || {
            let mut records = Vec::new();
            while records.is_empty() {
                waiting.send(()).unwrap();
                reader.wait(Duration::from_secs(60));
                woken.fetch_add(1, Ordering::SeqCst);
                reader.read(1, &mut records).unwrap();
            }
        });
        about_to_wait.recv().unwrap();
        let appending = log.append(vec![record(1, "wake up")]);
        disk.syncing.recv().unwrap();
        assert_eq!(woken.load(Ordering::SeqCst), 0, "nothing is durable yet");
        disk.go_on.send(Ok(())).unwrap();
        assert!(appending.wait()[0].is_ok());
    });
    assert_eq!(woken.load(Ordering::SeqCst), 1);
}
