//! The journal's end, where its one writer adds blocks.
//!
//! - A block is synced before the next is begun.
//! - Zeros are written ahead, so that a sync need not make a new length durable. Only they take new
//!   space: if there is none, nothing of a block has been written.

use super::durable::Place;
use super::{Durability, segment};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Zeros are written ahead in such steps: syncs get cheaper by more than the zeros cost, and no
/// append waits for many of them.
const AHEAD_BYTES: u64 = 1 << 20;
/// A segment's length, but for its last block.
const SEGMENT_BYTES: u64 = 256 << 20;

/// How the journal treats the disk. Tests have their own.
pub(super) struct Disk {
    /// Zeros are written ahead in steps of this many bytes; with 0, not at all.
    pub(super) ahead: u64,
    /// A segment that is as long as this is followed by a new one.
    pub(super) segment_bytes: u64,
    /// Writes these bytes at this byte of a file.
    pub(super) write: WriteAt,
    /// Makes a file's content durable.
    pub(super) sync_data: Sync,
    /// Makes a file's or directory's content and attributes durable.
    pub(super) sync_all: Sync,
    /// Called when what is durable cannot be known any more; ends the process.
    pub(super) fatal: Fatal,
}

type WriteAt = Box<dyn Fn(&File, &[u8], u64) -> io::Result<()> + Send>;
type Sync = Box<dyn Fn(&File) -> io::Result<()> + Send>;
type Fatal = Box<dyn Fn(&Path, &io::Error) + Send>;

impl Disk {
    /// The machine's.
    pub(super) fn of(durability: Durability) -> Self {
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

/// The last segment, open for writing.
pub(super) struct Journal {
    dir: PathBuf,
    disk: Disk,
    path: PathBuf,
    file: File,
    end: Place,
    /// Length of the file; from the end to here it is zeros.
    ahead: u64,
}

/// Why a block was not added.
pub(super) enum AddError {
    /// Nothing was written.
    NoRoom(io::Error),
    /// It may be there or not.
    Unknown(io::Error),
}

impl Journal {
    /// Opens the last segment at `end`, or begins the first. If it is torn there, cuts it.
    pub(super) fn open(dir: &Path, disk: Disk, end: Place, torn: bool) -> io::Result<Self> {
        let path = segment::path(dir, end.segment);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(&path)?;
        if torn {
            file.set_len(end.byte)?;
        }
        // Also if nothing was cut: what was read may not have been durable before.
        (disk.sync_all)(&file)?;
        (disk.sync_all)(&File::open(dir)?)?;
        let ahead = file.metadata()?.len();
        Ok(Self { dir: dir.to_owned(), disk, path, file, end, ahead })
    }

    /// Whether the next block belongs to a new segment.
    pub(super) const fn is_full(&self) -> bool {
        self.end.byte >= self.disk.segment_bytes
    }

    /// Begins a new segment.
    pub(super) fn begin_segment(&mut self) -> Result<(), AddError> {
        let segment = self.end.segment + 1;
        let path = segment::path(&self.dir, segment);
        let mut options = OpenOptions::new();
        self.file = options
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(AddError::NoRoom)?;
        self.path = path;
        self.end = Place { segment, byte: 0 };
        self.ahead = 0;
        File::open(&self.dir).and_then(|dir| (self.disk.sync_all)(&dir)).map_err(AddError::Unknown)
    }

    /// Where the next block goes.
    pub(super) const fn end(&self) -> Place {
        self.end
    }

    /// Adds a block at the end; it is durable when this returns.
    pub(super) fn add(&mut self, block: &[u8]) -> Result<(), AddError> {
        let end = self.end.byte + block.len() as u64;
        if self.disk.ahead > 0 && end > self.ahead {
            self.write_ahead(end.next_multiple_of(self.disk.ahead)).map_err(AddError::NoRoom)?;
        }
        (self.disk.write)(&self.file, block, self.end.byte).map_err(AddError::Unknown)?;
        (self.disk.sync_data)(&self.file).map_err(AddError::Unknown)?;
        self.end.byte = end;
        self.ahead = self.ahead.max(end);
        Ok(())
    }

    /// What to do when the outcome of a write cannot be known.
    pub(super) fn fatal(&self, error: &io::Error) {
        (self.disk.fatal)(&self.path, error);
    }

    fn write_ahead(&mut self, to: u64) -> io::Result<()> {
        let zeros = vec![0; 1 << 16];
        while self.ahead < to {
            let left = usize::try_from(to - self.ahead).unwrap_or(usize::MAX);
            let piece = &zeros[..left.min(zeros.len())];
            (self.disk.write)(&self.file, piece, self.ahead)?;
            self.ahead += piece.len() as u64;
        }
        Ok(())
    }
}
