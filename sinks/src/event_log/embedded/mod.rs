//! The event log on files: one journal for all partitions of all topics, so that a group commit
//! is one sync whatever the number of partitions.
//!
//! ```text
//! append ─▶ queue ─▶ writer thread ─▶ one block ─▶ one write, one sync ─▶ durable ends ─▶ answers
//!                                                                              └─▶ readers wake
//! DIR/FORMAT   version and salt      DIR/LOCK   pid of the writer
//! DIR/00000000.journal, …            blocks, in sequence; never changed, never deleted
//! DIR/00000000.sealed, …             what a scan of a full one finds; may be missing
//! ```
//!
//! - Nothing is published or answered as durable before its block is synced.
//! - A failing write or sync ends the process: nobody knows then what the disk holds. A full disk
//!   does not: the append is answered *not appended*.
//! - What was acknowledged is read back as it was appended, or reading names the damaged place.
//! - Only an unfinished last block is cut, at open.

mod block;
mod durable;
mod follow;
mod format;
mod journal;
mod lock;
mod open;
mod reader;
mod recovery;
mod sealed;
mod segment;
mod varint;
mod writer;

pub use format::VERSION;
pub use open::OpenError;

use super::{Appending, EventLog, NewRecord, ReadError, Reader};
use durable::Durable;
use follow::Follow;
use reader::FileReader;
use schemas::topic::TopicPartition;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use writer::Queue;

/// Whether an append is answered when the disk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Yes: survives the machine's crash.
    Durable,
    /// No: when the operating system has it. For tests and benches.
    NotDurable,
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
    /// Of a log that another process writes.
    follow: Option<Follow>,
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
    fn new(
        dir: &Path,
        salt: u32,
        durable: Durable,
        closed: Option<&'static str>,
        follow: Option<Follow>,
    ) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_owned(),
            salt,
            queue: Queue::new(closed),
            durable: Mutex::new(durable),
            grown: Condvar::new(),
            follow,
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests;
