//! Views in an embedded key-value store: what a reader sees is two levels in memory above what is
//! on disk, and each level is whole epochs.
//!
//! ```text
//! apply -> fresh   (memory) newest rows; an epoch's rows and mark enter in one critical section
//!          writing (memory) what one batch is taking to disk just now; nothing changes it
//!          disk             rows, mark and counts, as of one epoch: a batch is all there or not
//! ```
//!
//! - An upper level hides a lower one, a deletion in memory hides the row on disk.
//! - Versions order themselves by the mark: rows come with the mark of their epoch, and an
//!   [`ViewStore::apply`] whose mark is not newer than the store's changes nothing. So a row on
//!   disk is always older than one that may be applied, and a deleted row needs no gravestone.
//! - A batch is synced once, before any of it can reach a table: after a power failure, too,
//!   rows and mark fit. What a crash takes, at most about [`WRITE_EVERY`] of epochs, the log
//!   gives back.
//! - [`ViewStore::rows`] counts what is on disk and so trails by up to [`WRITE_EVERY`]. Counting at
//!   once would cost a look-up on disk for each row on the engine's thread.

mod disk;
mod levels;
mod writer;

pub use disk::{FORMAT, LOGGED, OpenError};
pub use writer::WRITE_EVERY;

use super::rows::{Row, View};
use super::{Mark, Stored, ViewError, ViewStore};
use disk::Disk;
use levels::{Levels, Range};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;
use writer::Writer;

/// The embedded view store. Dropping it writes everything.
pub struct EmbeddedViews {
    shared: Arc<Shared>,
    writer: Writer,
}

/// What readers, appliers and the writing thread share.
struct Shared {
    disk: Disk,
    levels: RwLock<Levels>,
    marks: watch::Sender<Arc<Mark>>,
}

impl Shared {
    /// A panic inside a critical section would leave half an epoch; none of the sections can.
    fn read(&self) -> RwLockReadGuard<'_, Levels> {
        self.levels.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Levels> {
        self.levels.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EmbeddedViews {
    /// Opens the store in `dir`, making it if there is none.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_writing_every(dir, WRITE_EVERY)
    }

    fn open_writing_every(dir: &Path, every: Duration) -> Result<Self, OpenError> {
        let (disk, mark, counts) = Disk::open(dir)?;
        let mark = Arc::new(mark);
        let shared = Arc::new(Shared {
            disk,
            levels: RwLock::new(Levels::new(Arc::clone(&mark), counts)),
            marks: watch::Sender::new(mark),
        });
        let writer = Writer::start(Arc::clone(&shared), every)
            .map_err(|source| OpenError::Io { dir: dir.to_owned(), source })?;
        Ok(Self { shared, writer })
    }
}

impl ViewStore for EmbeddedViews {
    fn apply(&self, rows: Vec<Row>, mark: Mark) -> Result<(), ViewError> {
        self.writer.wait_for_room()?;
        let version = mark.version();
        let keyed: Vec<_> = rows.into_iter().map(|row| (row.key(), row)).collect();
        let mark = Arc::new(mark);
        let mut levels = self.shared.write();
        if version <= levels.mark.version() {
            return Ok(());
        }
        for (key, row) in keyed {
            levels.fresh.put(key, Stored { version, row });
        }
        levels.mark = Arc::clone(&mark);
        let fresh_rows = levels.fresh.len();
        // Within the section, so that two appliers cannot tell of their marks in the wrong order.
        self.shared.marks.send_replace(mark);
        drop(levels);
        self.writer.applied(version, fresh_rows);
        Ok(())
    }

    fn get(&self, view: View, key: &[u8]) -> Result<Option<Stored>, ViewError> {
        if let Some(stored) = self.shared.read().get(view, key) {
            return Ok((!stored.row.is_deleted()).then(|| stored.clone()));
        }
        // Written since: then the disk has a newer epoch's row, whole.
        self.shared.disk.get(view, key)
    }

    fn scan(
        &self,
        view: View,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>, ViewError> {
        let Some(range) = Range::new(prefix, after) else {
            return Ok(Vec::new());
        };
        let levels = self.shared.read();
        let fresh = levels.fresh.first_live(view, &range, limit);
        let writing = Arc::clone(&levels.writing);
        // Taken in the section: what is not in `writing` any more is in the snapshot.
        let snapshot = self.shared.disk.snapshot();
        drop(levels);
        let memory = levels::above(fresh.into_iter(), writing.range(view, &range));
        levels::above(memory, snapshot.range(view, &range))
            .filter(levels::is_live)
            .take(limit)
            .collect()
    }

    fn rows(&self, view: View) -> Result<u64, ViewError> {
        Ok(self.shared.read().counts.of(view))
    }

    fn marks(&self) -> watch::Receiver<Arc<Mark>> {
        self.shared.marks.subscribe()
    }

    fn flush(&self) -> Result<(), ViewError> {
        let version = self.shared.read().mark.version();
        self.writer.flush(version)
    }
}

#[cfg(test)]
mod tests;
