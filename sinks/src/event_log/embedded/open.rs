//! Opening the log: one process writes it, what was torn is cut, what is damaged is named.

use super::follow::Follow;
use super::journal::{Disk, Journal};
use super::recovery::{self, Tail};
use super::writer::Writer;
use super::{Durability, FileLog, Shared, format, lock, locked, segment};
use crate::clock::Clock;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

/// What appends to a log that only reads are told.
const READ_ONLY: &str = "the log is open for reading only";

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
    pub(super) fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }
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
        let salt = known_format(dir)?.ok_or_else(|| nothing_here(dir))?;
        let (durable, _) = recovery::recover(dir, salt)?;
        // A writer may come now: it only adds behind what was found, or cuts there.
        drop(lock);
        let shared = Shared::new(dir, salt, durable, Some(READ_ONLY), None);
        Ok(Self { shared, writer: Mutex::new(None), lock: None })
    }

    /// Opens a log that another process may be writing, changing nothing: readers come to see what
    /// is written behind what was there, also before it is synced. Appends are not appended.
    pub fn open_beside_writer(dir: &Path) -> Result<Self, OpenError> {
        let salt = known_format(dir)?.ok_or_else(|| nothing_here(dir))?;
        let (follow, durable) = Follow::begin(dir, salt)?;
        let shared = Shared::new(dir, salt, durable, Some(READ_ONLY), Some(follow));
        Ok(Self { shared, writer: Mutex::new(None), lock: None })
    }

    /// Whether a process could write here now; changes nothing.
    ///
    /// # Errors
    /// [`OpenError::InUse`] by whom.
    pub fn is_free(dir: &Path) -> Result<(), OpenError> {
        lock::shared(dir).map(drop)
    }

    /// Bytes of its blocks, packed as they are stored. Zeros written ahead are none of them.
    pub fn journal_bytes(&self) -> u64 {
        locked(&self.shared.durable).journal_bytes()
    }

    pub(super) fn open_on(dir: &Path, clock: Clock, disk: Disk) -> Result<Self, OpenError> {
        fs::create_dir_all(dir).map_err(|source| OpenError::io(dir, source))?;
        let lock = lock::exclusive(dir)?;
        let salt = match known_format(dir)? {
            Some(salt) => salt,
            None => format::create(dir, &disk)?,
        };
        let (durable, tail) = recovery::recover(dir, salt)?;
        let Tail { sequence, appended_at, torn, unsealed } = tail;
        for (segment, seal) in unsealed {
            seal.write_or_warn(dir, segment, salt);
        }
        let end = durable.end();
        if torn {
            let file = segment::path(dir, end.segment);
            tracing::warn!(file = %file.display(), byte = end.byte, "cut an unfinished append");
        }
        let journal = Journal::open(dir, disk, end, torn)
            .map_err(|source| OpenError::io(&segment::path(dir, end.segment), source))?;
        let writer = Writer { journal, sequence, appended_at, clock };
        let shared = Shared::new(dir, salt, durable, None, None);
        let writers = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("event-log-writer".to_owned())
            .spawn(move || writer.run(&writers))
            .map_err(|source| OpenError::io(dir, source))?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)), lock: Some(lock) })
    }
}

fn nothing_here(dir: &Path) -> OpenError {
    let source = io::Error::new(io::ErrorKind::NotFound, "there is no event log here");
    OpenError::Io { file: dir.join(format::NAME), source }
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
