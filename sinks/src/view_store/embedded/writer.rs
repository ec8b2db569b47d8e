//! The thread that takes rows from memory to disk, and who waits for it: appliers while memory is
//! full, and whoever flushes. An error of the disk is for ever: what is on disk stays as of one
//! epoch, and the process that opens the store next goes on from there.

use super::Shared;
use crate::view_store::ViewError;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the rows in memory are written: the more rows change again within it, the fewer are.
pub const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Rows in memory that are written without waiting for the second to end.
const WRITE_ROWS: usize = 10_000;
/// Rows above the level being written; more wait, and no longer than this many take to be written.
pub(super) const FRESH_ROWS_MAX: usize = 20_000;

pub(super) struct Writer {
    pace: Arc<Pace>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Pace {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    fresh_rows: usize,
    /// Versions of marks: applied, asked to be on disk, and there.
    applied: i64,
    wanted: i64,
    written: i64,
    stopping: bool,
    failed: Option<String>,
}

impl Progress {
    /// An apply may be written before it has said so: then more is written than applied.
    const fn is_idle(&self) -> bool {
        self.applied <= self.written
    }

    const fn is_urgent(&self) -> bool {
        self.stopping || self.wanted > self.written || self.fresh_rows >= WRITE_ROWS
    }

    fn check(&self) -> Result<(), ViewError> {
        match &self.failed {
            Some(detail) => Err(ViewError::Unavailable(detail.clone())),
            None => Ok(()),
        }
    }
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        progress: MutexGuard<'a, Progress>,
        waits: impl Fn(&Progress) -> bool,
    ) -> MutexGuard<'a, Progress> {
        self.changed
            .wait_while(progress, |progress| waits(progress))
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    pub(super) fn start(shared: Arc<Shared>, every: Duration) -> io::Result<Self> {
        let version = shared.read().mark.version();
        let progress = Progress { applied: version, written: version, ..Progress::default() };
        let pace = Arc::new(Pace { progress: Mutex::new(progress), changed: Condvar::new() });
        let theirs = Arc::clone(&pace);
        let thread = thread::Builder::new()
            .name("views-writer".to_owned())
            .spawn(move || run(&shared, &theirs, every))?;
        Ok(Self { pace, thread: Some(thread) })
    }

    /// Blocks while the level above the one being written is full.
    pub(super) fn wait_for_room(&self) -> Result<(), ViewError> {
        let progress = self.pace.wait_while(self.pace.lock(), |progress| {
            progress.fresh_rows >= FRESH_ROWS_MAX && progress.failed.is_none()
        });
        progress.check()
    }

    /// Told after each apply, with its version and how many rows wait in memory since.
    pub(super) fn applied(&self, version: i64, fresh_rows: usize) {
        let mut progress = self.pace.lock();
        let was_idle = progress.is_idle();
        let was_urgent = progress.is_urgent();
        progress.applied = progress.applied.max(version);
        progress.fresh_rows = fresh_rows;
        if was_idle || (progress.is_urgent() && !was_urgent) {
            self.pace.changed.notify_all();
        }
    }

    /// Blocks until everything up to `version` is on disk.
    pub(super) fn flush(&self, version: i64) -> Result<(), ViewError> {
        let mut progress = self.pace.lock();
        progress.wanted = progress.wanted.max(version);
        self.pace.changed.notify_all();
        let progress = self.pace.wait_while(progress, |progress| {
            progress.written < version && progress.failed.is_none()
        });
        progress.check()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.pace.lock().stopping = true;
        self.pace.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the views' writer panicked; the log will rebuild what it held");
        }
    }
}

fn run(shared: &Shared, pace: &Pace, every: Duration) {
    loop {
        let progress =
            pace.wait_while(pace.lock(), |progress| progress.is_idle() && !progress.is_urgent());
        let (progress, _) = pace
            .changed
            .wait_timeout_while(progress, every, |progress| !progress.is_urgent())
            .unwrap_or_else(PoisonError::into_inner);
        let last = progress.stopping;
        if last && progress.is_idle() {
            return;
        }
        drop(progress);

        let written = write(shared, pace);
        let mut progress = pace.lock();
        match written {
            Ok(version) => progress.written = version,
            Err(error) => {
                tracing::error!(%error, "views are not written any more");
                progress.failed = Some(error.to_string());
            }
        }
        let over = last || progress.failed.is_some();
        drop(progress);
        pace.changed.notify_all();
        if over {
            return;
        }
    }
}

/// Takes what is in memory to disk and returns the version up to which the disk is then complete.
fn write(shared: &Shared, pace: &Pace) -> Result<i64, ViewError> {
    let mut levels = shared.write();
    let mark = Arc::clone(&levels.mark);
    let counts = levels.counts;
    let level = Arc::new(mem::take(&mut levels.fresh));
    levels.writing = Arc::clone(&level);
    drop(levels);
    // There is room again: those who wait for it need not wait for the disk.
    pace.lock().fresh_rows = 0;
    pace.changed.notify_all();

    let counts = shared.disk.write(&level, &mark, counts)?;
    let mut levels = shared.write();
    levels.counts = counts;
    levels.writing = Arc::default();
    drop(levels);
    // The last hold on the level, given up outside the section: freeing it takes a while.
    drop(level);
    Ok(mark.version())
}
