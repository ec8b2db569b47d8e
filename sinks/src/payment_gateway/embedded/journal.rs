//! The sandbox's file: entries appended, each with its length and checksum, and never changed.
//!
//! ```text
//! u32 length | u32 crc32 of length and entry | entry (postcard)        all little-endian
//! ```
//!
//! Bad bytes that reach to the end of the file are an append that a crash tore: they are cut off.
//! Anywhere else they are damage, named and never read over. After a failed write nothing more is
//! appended: nobody knows what is on disk.

use super::ledger::NoticeId;
use schemas::events::payment_requests::PaymentRequested;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEADER_BYTES: usize = 8;
/// Far above any entry: a length beyond it is no length.
const ENTRY_BYTES_MAX: usize = 4096;

/// Why the sandbox did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its journal is not what was written.
    #[error("{} is damaged at byte {byte}; restore the file from a copy", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first bad byte's place.
        byte: u64,
    },
    /// Another sandbox has it open.
    #[error("could not open {}: another process has it open; stop that one", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The machine did not do it.
    #[error("could not open {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A call was made.
    Made { key: String, request: PaymentRequested, at: Timestamp },
    /// A webhook was accepted.
    Accepted(NoticeId),
}

pub(super) struct Journal {
    file: File,
    is_broken: bool,
}

impl Journal {
    /// Opens or makes the file, which is then nobody else's, cuts off a torn end, and tells each entry in order.
    pub(super) fn open(path: &Path, mut tell: impl FnMut(Entry)) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => io(source),
        })?;
        let bytes = file.metadata().map_err(io)?.len();
        let mut reader = BufReader::new(&file);
        let mut at = 0;
        while let Frame::Whole(entry, length) = read_frame(&mut reader, bytes - at).map_err(io)? {
            tell(entry);
            at += length;
        }
        if at < bytes {
            reader.seek(SeekFrom::Start(at)).map_err(io)?;
            if let Frame::Bad = read_frame(&mut reader, bytes - at).map_err(io)? {
                return Err(OpenError::Damaged { path: path.to_owned(), byte: at });
            }
            tracing::warn!(path = %path.display(), byte = at, "a torn append was cut off");
            file.set_len(at).map_err(io)?;
        }
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        Ok(Self { file, is_broken: false })
    }

    /// Hands entries to the system: a crash of the process does not lose them.
    pub(super) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for entry in entries {
            let begin = bytes.len();
            bytes.extend_from_slice(&[0; HEADER_BYTES]);
            bytes = postcard::to_extend(entry, bytes).map_err(io::Error::other)?;
            let length =
                u32::try_from(bytes.len() - begin - HEADER_BYTES).map_err(io::Error::other)?;
            let crc = crc(length, &bytes[begin + HEADER_BYTES..]);
            bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
            bytes[begin + 4..begin + HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        }
        self.check(|file| file.write_all(&bytes))
    }

    /// Makes durable what was appended.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.check(|file| file.sync_data())
    }

    fn check(&mut self, act: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write to the sandbox's file failed"));
        }
        let done = act(&mut self.file);
        self.is_broken = done.is_err();
        done
    }
}

enum Frame {
    Whole(Entry, u64),
    /// Bad or missing bytes that reach to the end.
    Torn,
    /// Bad bytes before others.
    Bad,
}

/// Reads a frame, `left` bytes before the end of the file.
fn read_frame(reader: &mut impl Read, left: u64) -> io::Result<Frame> {
    let mut header = [0; HEADER_BYTES];
    if left < header.len() as u64 {
        return Ok(Frame::Torn);
    }
    reader.read_exact(&mut header)?;
    let [a, b, c, d, e, f, g, h] = header;
    let (length, expected) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let behind = HEADER_BYTES as u64 + u64::from(length);
    if length as usize > ENTRY_BYTES_MAX {
        return Ok(Frame::Bad);
    }
    if behind > left {
        return Ok(Frame::Torn);
    }
    let mut bytes = vec![0; length as usize];
    reader.read_exact(&mut bytes)?;
    if crc(length, &bytes) == expected
        && let Ok(entry) = postcard::from_bytes(&bytes)
    {
        return Ok(Frame::Whole(entry, behind));
    }
    Ok(if behind == left { Frame::Torn } else { Frame::Bad })
}

fn crc(length: u32, entry: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(entry);
    crc.finalize()
}
