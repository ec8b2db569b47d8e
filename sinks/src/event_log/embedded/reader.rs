//! Reads the journal in order, block by block, and hands out the records that were asked for.
//!
//! Keys and values are slices of the unpacked block: a record that is kept keeps its block.

use super::block::{ALIGN, Header, checksum, record_checksum};
use super::durable::{Place, SLOTS, slot};
use super::follow::LOOK_EVERY;
use super::{Shared, locked, segment, varint};
use crate::event_log::{OutputId, ReadError, Reader, Record};
use bytes::Bytes;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Reads a [`FileLog`](super::FileLog).
pub(super) struct FileReader {
    shared: Arc<Shared>,
    /// By [`slot`]: the next offset of each partition asked for.
    next: Box<[Option<u64>; SLOTS]>,
    place: Place,
    source: Option<Source>,
    block: Option<OpenBlock>,
    body: Vec<u8>,
}

/// The segment being read.
struct Source {
    segment: usize,
    path: PathBuf,
    file: File,
}

/// An unpacked block, read up to `at`.
struct OpenBlock {
    raw: Bytes,
    at: usize,
    /// Partition and next offset, in the directory's order.
    spans: Vec<(TopicPartition, u64)>,
    appended_at: Timestamp,
    place: Place,
}

impl FileReader {
    /// A reader of these partitions, each from the offset beside it.
    pub(super) fn open(shared: Arc<Shared>, from: &[(TopicPartition, u64)]) -> Self {
        let mut next = Box::new([None; SLOTS]);
        for (partition, offset) in from {
            next[slot(*partition)] = Some(*offset);
        }
        let durable = locked(&shared.durable);
        let places = from.iter().map(|(partition, offset)| durable.place_of(*partition, *offset));
        let place = places.min().unwrap_or_else(|| durable.end());
        drop(durable);
        Self { shared, next, place, source: None, block: None, body: Vec::new() }
    }

    /// Opens the next block that has something asked for. `false` at the durable end.
    fn next_block(&mut self) -> Result<bool, ReadError> {
        loop {
            let known = locked(&self.shared.durable).block_at(self.place);
            let Some(place) = known else {
                if self.shared.look_again()? {
                    continue;
                }
                return Ok(false);
            };
            let source = match self.source.take() {
                Some(source) if source.segment == place.segment => source,
                Some(_) | None => open(&self.shared.dir, place.segment)?,
            };
            let outcome = self.load(&source, place);
            self.source = Some(source);
            let (block, behind) = outcome?;
            self.place = behind;
            if block.is_some() {
                self.block = block;
                return Ok(true);
            }
        }
    }

    /// The block at `place`, if it has something asked for, and the place behind it.
    fn load(
        &mut self,
        source: &Source,
        place: Place,
    ) -> Result<(Option<OpenBlock>, Place), ReadError> {
        let damaged = |detail: &str| damaged(&source.path, place.byte, detail.to_owned());
        let mut header = [0; ALIGN];
        read_at(source, &mut header, place.byte)?;
        let header = Header::decode(&header, self.shared.salt)
            .ok_or_else(|| damaged("the block's header is not what was written"))?;
        self.body.resize(header.body_bytes as usize, 0);
        read_at(source, &mut self.body, place.byte + ALIGN as u64)?;
        if checksum(self.shared.salt, &self.body) != header.body_crc {
            return Err(damaged("the block is not what was written"));
        }
        let spans = header
            .spans(&self.body)
            .ok_or_else(|| damaged("the block's directory cannot be read"))?;
        let behind = Place { segment: place.segment, byte: place.byte + header.block_bytes() };
        let asked = spans.iter().any(|span| {
            let end = span.first_offset + u64::from(span.records);
            self.next[slot(span.partition)].is_some_and(|next| next < end)
        });
        if !asked {
            return Ok((None, behind));
        }
        let raw = header
            .unpack(&self.body)
            .ok_or_else(|| damaged("the block's records cannot be unpacked"))?;
        let spans = spans.iter().map(|span| (span.partition, span.first_offset)).collect();
        let raw = Bytes::from(raw);
        let appended_at = header.appended_at;
        Ok((Some(OpenBlock { raw, at: 0, spans, appended_at, place }), behind))
    }
}

impl Reader for FileReader {
    fn read(&mut self, bytes_max: usize, into: &mut Vec<Record>) -> Result<(), ReadError> {
        let mut bytes = 0;
        while bytes < bytes_max {
            let Some(block) = &mut self.block else {
                if self.next_block()? {
                    continue;
                }
                return Ok(());
            };
            let Some(record) = block.next(&self.next).map_err(|byte_in_block| {
                let OpenBlock { place, .. } = block;
                let path = segment::path(&self.shared.dir, place.segment);
                let detail = format!(
                    "the record at byte {byte_in_block} of the unpacked block is not what was \
                     appended"
                );
                damaged(&path, place.byte, detail)
            })?
            else {
                self.block = None;
                continue;
            };
            self.next[slot(record.partition)] = Some(record.offset + 1);
            bytes += record.key.len() + record.value.len();
            into.push(record);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) {
        if self.block.is_some() {
            return;
        }
        let durable = locked(&self.shared.durable);
        let place = self.place;
        // Nobody tells of what another process writes.
        let alone = self.shared.follow.is_some();
        let timeout = if alone { timeout.min(LOOK_EVERY) } else { timeout };
        let waited =
            self.shared.grown.wait_timeout_while(durable, timeout, |d| d.block_at(place).is_none());
        drop(waited.expect("nothing panics while it holds this lock"));
    }

    fn position(&self, partition: TopicPartition) -> u64 {
        self.next[slot(partition)].unwrap_or(0)
    }
}

impl OpenBlock {
    /// The next record that was asked for. An error is the place, in the unpacked bytes, of a
    /// record that is not as appended.
    fn next(&mut self, asked: &[Option<u64>; SLOTS]) -> Result<Option<Record>, usize> {
        while self.at < self.raw.len() {
            let start = self.at;
            if let Some(record) = self.take(asked).ok_or(start)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Takes a record; it is handed out only if asked for. `None` if it is not as appended.
    #[expect(clippy::option_option, reason = "outer: readable; inner: asked for")]
    fn take(&mut self, asked: &[Option<u64>; SLOTS]) -> Option<Option<Record>> {
        let mut rest = self.raw.get(self.at..)?;
        let span = usize::try_from(varint::take(&mut rest)?).ok()?;
        let framed_at = self.raw.len() - rest.len();
        let key_and_flag = varint::take(&mut rest)?;
        let value_bytes = usize::try_from(varint::take(&mut rest)?).ok()?;
        let key_bytes = usize::try_from(key_and_flag >> 1).ok()?;
        let output_id = if key_and_flag & 1 == 1 {
            let epoch = varint::take(&mut rest)?;
            Some(OutputId { epoch, n: u32::try_from(varint::take(&mut rest)?).ok()? })
        } else {
            None
        };
        let key_at = self.raw.len() - rest.len();
        let value_at = key_at.checked_add(key_bytes)?;
        let crc_at = value_at.checked_add(value_bytes)?;
        let crc = self.raw.get(crc_at..crc_at.checked_add(4)?)?;
        let (partition, next) = self.spans.get_mut(span)?;
        let (partition, offset, appended_at) = (*partition, *next, self.appended_at);
        let asked = asked[slot(partition)].is_some_and(|from| offset >= from);
        let framed = self.raw.get(framed_at..crc_at)?;
        if asked && crc != record_checksum(partition, offset, appended_at, framed).to_le_bytes() {
            return None;
        }
        // Only now, so that whoever reads on behind damage meets it again.
        *next += 1;
        self.at = crc_at + 4;
        if !asked {
            return Some(None);
        }
        let key = self.raw.slice(key_at..value_at);
        let value = self.raw.slice(value_at..crc_at);
        Some(Some(Record { partition, offset, appended_at, key, value, output_id }))
    }
}

fn open(dir: &Path, segment: usize) -> Result<Source, ReadError> {
    let path = segment::path(dir, segment);
    let file = File::open(&path)
        .map_err(|error| ReadError::Unavailable(format!("{}: {error}", path.display())))?;
    Ok(Source { segment, path, file })
}

fn read_at(source: &Source, bytes: &mut [u8], byte: u64) -> Result<(), ReadError> {
    source.file.read_exact_at(bytes, byte).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            damaged(&source.path, byte, "the file ends here".to_owned())
        } else {
            ReadError::Unavailable(format!("{}: {error}", source.path.display()))
        }
    })
}

fn damaged(path: &Path, byte: u64, detail: String) -> ReadError {
    ReadError::Damaged { file: path.display().to_string(), byte, detail }
}
