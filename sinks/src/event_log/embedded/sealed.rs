//! What a scan of a full segment finds, written down beside it, so that a start need not read the
//! whole journal: only the last segment, and those that have no seal.
//!
//! A seal is an aid: it is not synced, and one that is missing, torn, or does not go with its
//! segment is passed over. It vouches for where a segment's blocks are, not for their bytes: those
//! have checksums, and whoever reads a block looks at them.

use super::block::{ALIGN, Header, checksum};
use super::durable::{Durable, Landmark, Place, SLOTS};
use super::recovery::{Segment, Tail};
use super::varint;
use schemas::time::Timestamp;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const EXTENSION: &str = "sealed";
const MAGIC: &[u8; 8] = b"WMSEAL01";
const CRC_BYTES: usize = 4;

/// What a segment's scan adds to what is known before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Bytes of its blocks.
    bytes: u64,
    /// The number of the block behind it.
    sequence: u64,
    appended_at: Timestamp,
    /// Of every partition at its end.
    ends: [u64; SLOTS],
    /// Those in it, each with its partition's place.
    landmarks: Vec<(usize, Landmark)>,
}

impl Seal {
    /// Of the last segment, which ends here.
    pub(super) fn of_last(durable: &Durable, sequence: u64, appended_at: Timestamp) -> Self {
        let Place { segment, byte } = durable.end();
        let landmarks = durable.landmarks_of(segment);
        Self { bytes: byte, sequence, appended_at, ends: *durable.ends(), landmarks }
    }

    /// Reads the seal of a segment; none: there is none that is whole.
    pub(super) fn read(dir: &Path, segment: usize, salt: u32) -> Option<Self> {
        let bytes = fs::read(path(dir, segment)).ok()?;
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
        if crc != checksum(salt, body).to_le_bytes() {
            return None;
        }
        Self::decode(body.strip_prefix(MAGIC)?, segment)
    }

    /// Writes the seal of a segment; if it cannot be, the next start does without.
    pub(super) fn write_or_warn(&self, dir: &Path, segment: usize, salt: u32) {
        if let Err(error) = self.write(dir, segment, salt) {
            tracing::warn!(%error, segment, "the next start reads this segment whole");
        }
    }

    fn write(&self, dir: &Path, segment: usize, salt: u32) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        self.encode(&mut bytes, segment);
        let crc = checksum(salt, &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let path = path(dir, segment);
        let unfinished = path.with_extension("sealing");
        fs::write(&unfinished, bytes)?;
        fs::rename(unfinished, path)
    }

    /// Takes in what it says of the segment that begins here; false: it does not go with it.
    pub(super) fn take(
        self,
        segment: &Segment,
        salt: u32,
        durable: &mut Durable,
        tail: &mut Tail,
    ) -> bool {
        let mut header = [0; ALIGN];
        let first = segment.file.read_exact_at(&mut header, 0).ok();
        let first = first.and_then(|()| Header::decode(&header, salt));
        let fits = first.is_some_and(|header| header.sequence == tail.sequence)
            && segment.bytes >= self.bytes
            && self.sequence > tail.sequence;
        if fits {
            durable.take_segment(self.bytes, &self.ends, self.landmarks);
            (tail.sequence, tail.appended_at) = (self.sequence, self.appended_at);
        }
        fits
    }

    fn encode(&self, bytes: &mut Vec<u8>, segment: usize) {
        let appended_at = self.appended_at.0.cast_unsigned();
        let head = [segment as u64, self.bytes, self.sequence, appended_at];
        let landmarks = self.landmarks.iter().flat_map(|(slot, landmark)| {
            let Landmark { offset, place, journal_bytes } = landmark;
            [*slot as u64, *offset, place.byte, *journal_bytes]
        });
        for number in head.into_iter().chain(self.ends).chain(landmarks) {
            varint::put(bytes, number);
        }
    }

    fn decode(mut rest: &[u8], segment: usize) -> Option<Self> {
        let mut next = || varint::take(&mut rest);
        if next()? != segment as u64 {
            return None;
        }
        let (bytes, sequence) = (next()?, next()?);
        let appended_at = Timestamp(next()?.cast_signed());
        let mut ends = [0; SLOTS];
        for end in &mut ends {
            *end = next()?;
        }
        let mut landmarks = Vec::new();
        while let Some(slot) = next() {
            let (offset, byte, journal_bytes) = (next()?, next()?, next()?);
            let slot = usize::try_from(slot).ok().filter(|slot| *slot < SLOTS)?;
            let place = Place { segment, byte };
            landmarks.push((slot, Landmark { offset, place, journal_bytes }));
        }
        Some(Self { bytes, sequence, appended_at, ends, landmarks })
    }
}

/// The file of a segment's seal.
pub(super) fn path(dir: &Path, segment: usize) -> PathBuf {
    dir.join(format!("{segment:08}.{EXTENSION}"))
}
