//! A block: what one group commit adds to the journal.
//!
//! ```text
//! header, 64 bytes  magic, sequence, lengths, zero sectors, append time, crc of body, crc of header
//! body              directory: per partition its first offset and count of records
//!                   records, compressed; each with its own crc, which covers its offset too
//!                   zeros up to a multiple of 64
//! ```
//!
//! - Blocks begin at multiples of 64 bytes, so that a header lies in one sector and is written
//!   whole or not at all.
//! - The header counts the sectors that are all zero as written; more of them is a torn write.
//! - Checksums of blocks begin with the journal's own salt: a record's content cannot look like a
//!   block of this journal.

use super::durable::{SLOTS, slot};
use super::varint;
use crate::event_log::NewRecord;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};

/// Blocks begin at multiples of this, and headers are as long.
pub(super) const ALIGN: usize = 64;
/// What a disk writes whole or not at all.
pub(super) const SECTOR: usize = 512;
const MAGIC: [u8; 8] = *b"WMBLOCK1";

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Counts the journal's blocks from 0.
    pub(super) sequence: u64,
    /// Length of the body, a multiple of [`ALIGN`].
    pub(super) body_bytes: u32,
    /// Length of the directory, with which the body begins.
    pub(super) directory_bytes: u32,
    /// Length of the records, compressed, which follow it.
    pub(super) packed_bytes: u32,
    /// Length of the records.
    pub(super) raw_bytes: u32,
    /// How many [`zero_sectors`] the body has.
    pub(super) zero_sectors: u32,
    /// Append time of all its records.
    pub(super) appended_at: Timestamp,
    /// Checksum of the body.
    pub(super) body_crc: u32,
}

/// Records of one partition within a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Whose.
    pub(super) partition: TopicPartition,
    /// Offset of the first.
    pub(super) first_offset: u64,
    /// How many.
    pub(super) records: u32,
}

/// A block ready to be written.
pub(super) struct Block {
    /// All its bytes.
    pub(super) bytes: Vec<u8>,
    /// Its directory.
    pub(super) spans: Vec<Span>,
}

/// Where and when a block is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making {
    /// The journal's.
    pub(super) salt: u32,
    /// Its number.
    pub(super) sequence: u64,
    /// Where in its file it will begin.
    pub(super) byte: u64,
    /// Append time of all its records.
    pub(super) appended_at: Timestamp,
}

impl Header {
    /// As written.
    pub(super) fn encode(&self, salt: u32) -> [u8; ALIGN] {
        let mut bytes = [0; ALIGN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.directory_bytes.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.packed_bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.raw_bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.zero_sectors.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.appended_at.0.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = checksum(salt, &bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if these bytes are no header of this journal.
    pub(super) fn decode(bytes: &[u8; ALIGN], salt: u32) -> Option<Self> {
        let u32_at = |at: usize| {
            let four = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(four.try_into().ok()?))
        };
        let u64_at = |at: usize| {
            let eight = bytes.get(at..at + 8)?;
            Some(u64::from_le_bytes(eight.try_into().ok()?))
        };
        if bytes[..8] != MAGIC || u32_at(60)? != checksum(salt, &bytes[..60]) {
            return None;
        }
        Some(Self {
            sequence: u64_at(8)?,
            body_bytes: u32_at(16)?,
            directory_bytes: u32_at(20)?,
            packed_bytes: u32_at(24)?,
            raw_bytes: u32_at(28)?,
            zero_sectors: u32_at(32)?,
            appended_at: Timestamp(u64_at(40)?.cast_signed()),
            body_crc: u32_at(56)?,
        })
    }

    /// Length of the whole block.
    pub(super) fn block_bytes(&self) -> u64 {
        ALIGN as u64 + u64::from(self.body_bytes)
    }

    /// The directory in this block's body; `None` if it is not one.
    pub(super) fn spans(&self, body: &[u8]) -> Option<Vec<Span>> {
        let mut rest = body.get(..self.directory_bytes as usize)?;
        let mut spans = Vec::new();
        while !rest.is_empty() {
            let topic = Topic::from_number(u8::try_from(varint::take(&mut rest)?).ok()?)?;
            let partition = u16::try_from(varint::take(&mut rest)?).ok()?;
            let first_offset = varint::take(&mut rest)?;
            let records = u32::try_from(varint::take(&mut rest)?).ok()?;
            if partition >= topic.partitions() {
                return None;
            }
            let partition = TopicPartition { topic, partition };
            spans.push(Span { partition, first_offset, records });
        }
        Some(spans)
    }

    /// The records' bytes, unpacked; `None` if they are not what was packed.
    pub(super) fn unpack(&self, body: &[u8]) -> Option<Vec<u8>> {
        let start = self.directory_bytes as usize;
        let packed = body.get(start..start + self.packed_bytes as usize)?;
        let mut raw = vec![0; self.raw_bytes as usize];
        let bytes = lz4_flex::block::decompress_into(packed, &mut raw).ok()?;
        (bytes == raw.len()).then_some(raw)
    }
}

/// The checksum of a part of a block.
pub(super) fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(salt);
    crc.update(bytes);
    crc.finalize()
}

/// The checksum of one record with all that a reader is told of it.
pub(super) fn record_checksum(
    partition: TopicPartition,
    offset: u64,
    appended_at: Timestamp,
    framed: &[u8],
) -> u32 {
    let mut identity = [0; 19];
    identity[0] = partition.topic as u8;
    identity[1..3].copy_from_slice(&partition.partition.to_le_bytes());
    identity[3..11].copy_from_slice(&offset.to_le_bytes());
    identity[11..].copy_from_slice(&appended_at.0.to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&identity);
    crc.update(framed);
    crc.finalize()
}

/// Sectors that are all zero in the body of the block that begins at `byte` of a file. The
/// header's sector has the magic in it and is not looked at, nor what follows the block.
pub(super) fn zero_sectors(byte: u64, body: &[u8]) -> u32 {
    let behind_header =
        usize::try_from(byte % SECTOR as u64).expect("below a sector's length") + ALIGN;
    let rest = body.get(SECTOR - behind_header..).unwrap_or_default();
    let zero = rest.chunks(SECTOR).map(|bytes| u32::from(bytes.iter().all(|b| *b == 0)));
    zero.sum()
}

/// Makes a block of these records, of which there is at least one; `ends` are the partitions' ends
/// before it.
pub(super) fn encode<'a>(
    making: Making,
    records: impl Iterator<Item = &'a NewRecord> + Clone,
    ends: &[u64; SLOTS],
) -> Block {
    let (spans, places) = directory(records.clone(), ends);
    let mut bytes = vec![0; ALIGN];
    for span in &spans {
        varint::put(&mut bytes, span.partition.topic as u64);
        varint::put(&mut bytes, u64::from(span.partition.partition));
        varint::put(&mut bytes, span.first_offset);
        varint::put(&mut bytes, u64::from(span.records));
    }
    let directory_bytes = bytes.len() - ALIGN;

    let mut raw = Vec::new();
    let mut next = [0; SLOTS];
    for record in records {
        let slot = slot(record.partition);
        let offset = ends[slot] + next[slot];
        next[slot] += 1;
        varint::put(&mut raw, places[slot]);
        let framed = raw.len();
        frame(&mut raw, record);
        let crc = record_checksum(record.partition, offset, making.appended_at, &raw[framed..]);
        raw.extend_from_slice(&crc.to_le_bytes());
    }

    let packed_at = bytes.len();
    bytes.resize(packed_at + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    let packed_bytes = lz4_flex::block::compress_into(&raw, &mut bytes[packed_at..])
        .expect("the output has the size that the packer says it needs at most");
    bytes.truncate(packed_at + packed_bytes);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);

    let small = |n: usize| u32::try_from(n).expect("a block is far below 4 GiB");
    let body = &bytes[ALIGN..];
    let header = Header {
        sequence: making.sequence,
        body_bytes: small(body.len()),
        directory_bytes: small(directory_bytes),
        packed_bytes: small(packed_bytes),
        raw_bytes: small(raw.len()),
        zero_sectors: zero_sectors(making.byte, body),
        appended_at: making.appended_at,
        body_crc: checksum(making.salt, body),
    };
    let header = header.encode(making.salt);
    bytes[..ALIGN].copy_from_slice(&header);
    Block { bytes, spans }
}

/// The directory of these records, and the place in it of every partition that has any.
fn directory<'a>(
    records: impl Iterator<Item = &'a NewRecord>,
    ends: &[u64; SLOTS],
) -> (Vec<Span>, [u64; SLOTS]) {
    let mut spans: Vec<Span> = Vec::new();
    let mut places = [u64::MAX; SLOTS];
    for record in records {
        let slot = slot(record.partition);
        if let Some(span) = usize::try_from(places[slot]).ok().and_then(|p| spans.get_mut(p)) {
            span.records += 1;
        } else {
            places[slot] = spans.len() as u64;
            let partition = record.partition;
            spans.push(Span { partition, first_offset: ends[slot], records: 1 });
        }
    }
    (spans, places)
}

/// Lengths, output id, key, value.
fn frame(raw: &mut Vec<u8>, record: &NewRecord) {
    let NewRecord { partition: _, key, value, output_id } = record;
    varint::put(raw, (key.len() as u64) << 1 | u64::from(output_id.is_some()));
    varint::put(raw, value.len() as u64);
    if let Some(id) = output_id {
        varint::put(raw, id.epoch);
        varint::put(raw, u64::from(id.n));
    }
    raw.extend_from_slice(key);
    raw.extend_from_slice(value);
}
