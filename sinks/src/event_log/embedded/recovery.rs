//! Reads the journal when it is opened and decides how it ends. Of a segment with a
//! [seal](super::sealed) only that is read.
//!
//! A block is begun when all before it are synced, so at most the last one is unfinished, and
//! nobody was told that it is durable. It is *torn* if what is there can be the work of a write cut
//! short: the file ends within it, or a sector of it that was written with content is all zero.
//! Whatever else is not as written is *damage*: opening fails and names the place.

use super::block::{ALIGN, Header, SECTOR, checksum, zero_sectors};
use super::durable::{Durable, Place};
use super::sealed::Seal;
use super::{OpenError, segment};
use schemas::time::Timestamp;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a segment that are looked at together when its tail is searched.
const WINDOW: usize = 1 << 20;

/// How a journal ends.
pub(super) struct Tail {
    /// The next block's number.
    pub(super) sequence: u64,
    /// The last append time.
    pub(super) appended_at: Timestamp,
    /// Whether something lies behind the end that was never acknowledged.
    pub(super) torn: bool,
    /// Full segments without a seal, and what it would be.
    pub(super) unsealed: Vec<(usize, Seal)>,
}

impl Tail {
    /// That of an empty journal.
    pub(super) const fn begin() -> Self {
        let unsealed = Vec::new();
        Self { sequence: 0, appended_at: Timestamp::MIN, torn: false, unsealed }
    }
}

/// Why the scan of a segment stopped.
enum Stop {
    /// Zeros, or nothing, to the segment's end.
    Clean,
    /// An unfinished write.
    Torn,
    /// Something that no cut write leaves behind.
    Damaged { byte: u64, detail: String },
}

/// A segment's file.
pub(super) struct Segment {
    /// Open for reading.
    pub(super) file: File,
    /// Its length.
    pub(super) bytes: u64,
}

/// Reads all segments of `dir`: what is durable, and how it ends.
pub(super) fn recover(dir: &Path, salt: u32) -> Result<(Durable, Tail), OpenError> {
    let mut durable = Durable::empty();
    let mut tail = Tail::begin();
    extend(dir, salt, &mut durable, &mut tail)?;
    Ok((durable, tail))
}

/// Reads what lies behind the end that was found before.
pub(super) fn extend(
    dir: &Path,
    salt: u32,
    durable: &mut Durable,
    tail: &mut Tail,
) -> Result<(), OpenError> {
    tail.torn = false;
    let count = segment::count(dir)?;
    let first = durable.end().segment;
    let mut sealed = true;
    for number in first..count {
        if number > first {
            if !sealed {
                let seal = Seal::of_last(durable, tail.sequence, tail.appended_at);
                tail.unsealed.push((number - 1, seal));
            }
            durable.begin_segment();
        }
        let path = segment::path(dir, number);
        let at = |source| OpenError::io(&path, source);
        let file = File::open(&path).map_err(at)?;
        let bytes = file.metadata().map_err(at)?.len();
        let segment = Segment { file, bytes };
        let is_full = number + 1 < count && durable.end().byte == 0;
        let seal = if is_full { Seal::read(dir, number, salt) } else { None };
        sealed = seal.is_some_and(|seal| seal.take(&segment, salt, durable, tail));
        if sealed {
            continue;
        }
        let damaged = |byte, detail| OpenError::Damaged { file: path.clone(), byte, detail };
        match scan(&segment, salt, durable, tail).map_err(at)? {
            Stop::Clean => {}
            Stop::Torn if number + 1 == count => tail.torn = true,
            Stop::Torn => {
                let detail = "unfinished, and a later segment is there".to_owned();
                return Err(damaged(durable.end().byte, detail));
            }
            Stop::Damaged { byte, detail } => return Err(damaged(byte, detail)),
        }
    }
    Ok(())
}

/// Takes the segment's blocks until the first that is not whole.
fn scan(segment: &Segment, salt: u32, durable: &mut Durable, end: &mut Tail) -> io::Result<Stop> {
    let mut header = [0; ALIGN];
    let mut body = Vec::new();
    loop {
        let Place { segment: _, byte } = durable.end();
        let stop = |detail: &str| Stop::Damaged { byte, detail: detail.to_owned() };
        if segment.bytes < byte + ALIGN as u64 {
            return tail(segment, salt, byte, end.sequence);
        }
        segment.file.read_exact_at(&mut header, byte)?;
        let Some(known) = Header::decode(&header, salt) else {
            return if sector_is_zero(segment, byte)? {
                tail(segment, salt, byte, end.sequence)
            } else {
                Ok(stop("the block's header is not what was written"))
            };
        };
        if known.sequence != end.sequence {
            let Header { sequence, .. } = known;
            let expected = end.sequence;
            return Ok(stop(&format!("found block {sequence} where {expected} belongs")));
        }
        if segment.bytes < byte + known.block_bytes() {
            return Ok(Stop::Torn);
        }
        body.resize(known.body_bytes as usize, 0);
        segment.file.read_exact_at(&mut body, byte + ALIGN as u64)?;
        if checksum(salt, &body) != known.body_crc {
            let unwritten = zero_sectors(byte, &body) > known.zero_sectors;
            let behind = byte + known.block_bytes();
            return Ok(if unwritten && !block_behind(segment, salt, behind, known.sequence)? {
                Stop::Torn
            } else {
                stop("the block is not what was written")
            });
        }
        let Some(spans) = known.spans(&body) else {
            return Ok(stop("the block's directory cannot be read"));
        };
        durable.extend(&spans, known.block_bytes());
        end.sequence = known.sequence + 1;
        end.appended_at = known.appended_at;
    }
}

/// Whether the sector of `byte` is zero from there on, as it is before a header is written.
fn sector_is_zero(segment: &Segment, byte: u64) -> io::Result<bool> {
    let end = (byte + 1).next_multiple_of(SECTOR as u64).min(segment.bytes);
    let mut sector = [0; SECTOR];
    let rest = &mut sector[..usize::try_from(end - byte).expect("at most a sector")];
    segment.file.read_exact_at(rest, byte)?;
    Ok(rest.iter().all(|byte| *byte == 0))
}

/// What lies from `byte` on, where no block begins.
fn tail(segment: &Segment, salt: u32, byte: u64, sequence: u64) -> io::Result<Stop> {
    if block_behind(segment, salt, byte, sequence)? {
        let detail = "the block is missing, and a later one is there".to_owned();
        return Ok(Stop::Damaged { byte, detail });
    }
    let mut clean = true;
    windows(segment, byte, |window| {
        clean = window.iter().all(|b| *b == 0);
        clean
    })?;
    Ok(if clean { Stop::Clean } else { Stop::Torn })
}

/// Whether a block later than `sequence` begins at `byte` or behind it.
fn block_behind(segment: &Segment, salt: u32, byte: u64, sequence: u64) -> io::Result<bool> {
    let mut found = false;
    windows(segment, byte, |window| {
        found = window.chunks_exact(ALIGN).any(|bytes| {
            let bytes = bytes.try_into().expect("chunks have this length");
            Header::decode(bytes, salt).is_some_and(|header| header.sequence > sequence)
        });
        !found
    })?;
    Ok(found)
}

/// Shows the rest of the segment from `byte` on, piece by piece, as long as `more` says so.
fn windows(
    segment: &Segment,
    mut byte: u64,
    mut more: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let mut window = vec![0; WINDOW];
    while byte < segment.bytes {
        let left = usize::try_from(segment.bytes - byte).unwrap_or(usize::MAX);
        let window = &mut window[..left.min(WINDOW)];
        segment.file.read_exact_at(window, byte)?;
        if !more(window) {
            return Ok(());
        }
        byte += window.len() as u64;
    }
    Ok(())
}
