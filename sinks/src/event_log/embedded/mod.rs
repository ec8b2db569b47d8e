//! The event log on files: one journal for all partitions of all topics, so that a group commit
//! is one sync whatever the number of partitions.
//!
//! ```text
//! append ─▶ queue ─▶ writer thread ─▶ one block ─▶ one write, one sync ─▶ durable ends ─▶ answers
//!                                                                              └─▶ readers wake
//! DIR/FORMAT   version and salt      DIR/LOCK   pid of the writer
//! DIR/00000000.journal, …            blocks, in sequence; never changed, never deleted
//! ```
//!
//! - Nothing is published or answered as durable before its block is synced.
//! - A failing write or sync ends the process: nobody knows then what the disk holds. A full disk
//!   does not: the append is answered *not appended*.
//! - What was acknowledged is read back as it was appended, or reading names the damaged place.
//! - Only an unfinished last block is cut, at open.

mod block;
mod durable;
mod format;
mod journal;
mod lock;
mod reader;
mod recovery;
mod segment;
mod varint;
mod writer;

use super::{Appending, EventLog, NewRecord, ReadError, Reader};
use crate::clock::Clock;
use durable::Durable;
use journal::{Disk, Journal};
use reader::FileReader;
use recovery::Recovered;
use schemas::topic::TopicPartition;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use writer::{Queue, Writer};

/// Zeros are written ahead in such steps: syncs get cheaper by more than the zeros cost, and no
/// append waits for many of them.
const AHEAD_BYTES: u64 = 1 << 20;
/// A segment's length, but for its last block.
const SEGMENT_BYTES: u64 = 256 << 20;

/// Whether an append is answered when the disk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Yes: survives the machine's crash.
    Durable,
    /// No: when the operating system has it. For tests and benches.
    NotDurable,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another log in this one, writes here.
    #[error(
        "cannot open the event log in {}: process {} has it open; stop that one first",
        dir.display(),
        pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
    )]
    InUse {
        /// The log's directory.
        dir: PathBuf,
        /// Who, if it has written that down yet.
        pid: Option<u32>,
    },
    /// The files are not of a version that this program knows.
    #[error(
        "cannot open the event log: {} says {found:?}, which this program does not know; open it \
         with the program that wrote it, or choose another directory",
        file.display()
    )]
    UnknownFormat {
        /// Which file says so.
        file: PathBuf,
        /// What it says.
        found: String,
    },
    /// Bytes are not what was written.
    #[error(
        "cannot open the event log: {} is damaged at byte {byte}: {detail}; restore the file from \
         a copy",
        file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// The first bad block's place.
        byte: u64,
        /// What is wrong.
        detail: String,
    },
    /// The operating system says no.
    #[error("could not open the event log: {}: {source}", file.display())]
    Io {
        /// Of which file or directory.
        file: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl OpenError {
    fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }
}

/// A log on files. Dropping it closes it.
pub struct FileLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lock: Option<File>,
}

/// What callers, the writer thread and readers share.
struct Shared {
    dir: PathBuf,
    salt: u32,
    queue: Queue,
    durable: Mutex<Durable>,
    grown: Condvar,
}

impl FileLog {
    /// Opens the log in `dir`, which is made if need be, and cuts an unfinished last block. Append
    /// times are read from `clock`, and never go back.
    pub fn open(dir: &Path, clock: Clock, durability: Durability) -> Result<Self, OpenError> {
        Self::open_on(dir, clock, Disk::of(durability))
    }

    /// Opens a log that no process writes, changing nothing. Appends are not appended.
    pub fn open_read_only(dir: &Path) -> Result<Self, OpenError> {
        let lock = lock::shared(dir)?;
        let salt = known_format(dir)?.ok_or_else(|| OpenError::Io {
            file: dir.join(format::NAME),
            source: io::Error::new(io::ErrorKind::NotFound, "there is no event log here"),
        })?;
        let Recovered { durable, .. } = recovery::recover(dir, salt)?;
        // A writer may come now: it only adds behind what was found, or cuts there.
        drop(lock);
        let shared = Shared::new(dir, salt, durable, Some("the log is open for reading only"));
        Ok(Self { shared, writer: Mutex::new(None), lock: None })
    }

    /// Bytes of its blocks, packed as they are stored. Zeros written ahead are none of them.
    pub fn journal_bytes(&self) -> u64 {
        locked(&self.shared.durable).journal_bytes()
    }

    fn open_on(dir: &Path, clock: Clock, disk: Disk) -> Result<Self, OpenError> {
        fs::create_dir_all(dir).map_err(|source| OpenError::io(dir, source))?;
        let lock = lock::exclusive(dir)?;
        let salt = match known_format(dir)? {
            Some(salt) => salt,
            None => format::create(dir, &disk)?,
        };
        let Recovered { durable, sequence, appended_at, torn } = recovery::recover(dir, salt)?;
        let end = durable.end();
        if torn {
            let file = segment::path(dir, end.segment);
            tracing::warn!(file = %file.display(), byte = end.byte, "cut an unfinished append");
        }
        let journal = Journal::open(dir, disk, end, torn)
            .map_err(|source| OpenError::io(&segment::path(dir, end.segment), source))?;
        let writer = Writer { journal, sequence, appended_at, clock };
        let shared = Shared::new(dir, salt, durable, None);
        let writers = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("event-log-writer".to_owned())
            .spawn(move || writer.run(&writers))
            .map_err(|source| OpenError::io(dir, source))?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)), lock: Some(lock) })
    }
}

impl EventLog for FileLog {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        self.shared.queue.push(records)
    }

    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        let slots: Vec<_> = partitions.iter().copied().map(durable::slot).collect();
        let durable = locked(&self.shared.durable);
        Ok(slots.into_iter().map(|slot| durable.ends()[slot]).collect())
    }

    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        Ok(Box::new(FileReader::open(Arc::clone(&self.shared), from)))
    }

    fn close(&self) {
        self.shared.queue.close("the log is closed");
        // Held until the writer has ended, so that whoever closes too waits for it too.
        let mut writer = locked(&self.writer);
        if let Some(writer) = writer.take() {
            writer.join().expect("the writer thread does not panic");
        }
    }
}

impl Drop for FileLog {
    fn drop(&mut self) {
        self.close();
        // Only now may another process write.
        drop(self.lock.take());
    }
}

impl Shared {
    fn new(dir: &Path, salt: u32, durable: Durable, closed: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_owned(),
            salt,
            queue: Queue::new(closed),
            durable: Mutex::new(durable),
            grown: Condvar::new(),
        })
    }
}

impl Disk {
    fn of(durability: Durability) -> Self {
        let write = Box::new(|file: &File, bytes: &[u8], byte| file.write_all_at(bytes, byte));
        let fatal = Box::new(|path: &Path, error: &io::Error| {
            tracing::error!(file = %path.display(), %error, "the event log's outcome is unknown");
            std::process::abort();
        });
        let segment_bytes = SEGMENT_BYTES;
        match durability {
            Durability::Durable => Self {
                ahead: AHEAD_BYTES,
                segment_bytes,
                write,
                sync_data: Box::new(File::sync_data),
                sync_all: Box::new(File::sync_all),
                fatal,
            },
            Durability::NotDurable => Self {
                ahead: 0,
                segment_bytes,
                write,
                sync_data: Box::new(|_| Ok(())),
                sync_all: Box::new(|_| Ok(())),
                fatal,
            },
        }
    }
}

/// The salt of the journal in `dir`, if it has one. Segments without one are refused.
fn known_format(dir: &Path) -> Result<Option<u32>, OpenError> {
    let salt = format::read(dir)?;
    if salt.is_none() && segment::count(dir)? > 0 {
        let found = "nothing: the file is missing".to_owned();
        return Err(OpenError::UnknownFormat { file: dir.join(format::NAME), found });
    }
    Ok(salt)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests;
