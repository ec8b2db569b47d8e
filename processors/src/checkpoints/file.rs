//! A file of state: what changed between two checkpoints, by key group.
//!
//! ```text
//! MAGIC  block  block  ..  left  index  footer
//! block  the entries of one key group, by kind and key, packed: see `block`
//! left   messages that enter the epoch behind the checkpoint
//! index  where each group's block is, and its hash
//! footer where the index is, and its hash
//! ```
//!
//! A file is named by the hash of its bytes; so whoever has a file's name knows what it holds.

use super::block;
use super::snapshot::Snapshot;
use crate::protection::{Protection, is_off};
use schemas::hash::{Hasher, hash128};
use schemas::topic::GROUPS;
use serde::{Deserialize, Serialize};

/// The format; part of the bytes.
const MAGIC: &[u8; 8] = b"WMSTATE1";
const FOOTER_BYTES: usize = 24;
const NAME: u64 = 20;
const BLOCK: u64 = 21;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    group: u16,
    at: u64,
    bytes: u32,
    hash: u64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Index {
    blocks: Vec<Place>,
    left: Option<Place>,
}

/// Writes a file, block by block.
pub(super) struct Writer {
    bytes: Vec<u8>,
    index: Index,
    entries: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { bytes: MAGIC.to_vec(), index: Index::default(), entries: 0 }
    }

    /// Adds a group's entries; groups come in order.
    pub(super) fn group(&mut self, group: u16, block: &block::Builder) {
        if block.entries() > 0 {
            let place = self.push(group, block.bytes());
            self.index.blocks.push(place);
            self.entries += block.entries();
        }
    }

    fn left(&mut self, messages: &[Vec<u8>]) {
        if !messages.is_empty() {
            let bytes = postcard::to_stdvec(messages).expect("messages fit in memory");
            self.index.left = Some(self.push(GROUPS, &bytes));
        }
    }

    fn push(&mut self, group: u16, bytes: &[u8]) -> Place {
        let packed = lz4_flex::compress_prepend_size(bytes);
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&packed);
        let bytes = u32::try_from(packed.len()).expect("a group's state is below 4 GiB");
        Place { group, at, bytes, hash: Hasher::new(BLOCK).bytes(&packed).finish() }
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Written {
        let index = postcard::to_stdvec(&self.index).expect("an index fits in memory");
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&index);
        self.bytes.extend_from_slice(&at.to_le_bytes());
        self.bytes.extend_from_slice(&(index.len() as u64).to_le_bytes());
        let hash = Hasher::new(BLOCK).bytes(&index).finish();
        self.bytes.extend_from_slice(&hash.to_le_bytes());
        Written { name: name(&self.bytes), entries: self.entries, bytes: self.bytes }
    }
}

/// A file that is written.
pub(super) struct Written {
    /// Its name.
    pub(super) name: String,
    /// How many entries are in it.
    pub(super) entries: u64,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// What a worker has saved, as a file.
pub(super) fn of_snapshot(mut snapshot: Snapshot) -> Written {
    let mut places = std::mem::take(&mut snapshot.places);
    // Stable: of what is saved twice under a key, the last counts.
    places.sort_by(|a, b| (a.group, snapshot.key_of(a)).cmp(&(b.group, snapshot.key_of(b))));
    let mut writer = Writer::new();
    for group in places.chunk_by(|a, b| a.group == b.group) {
        let mut block = block::Builder::default();
        for same in group.chunk_by(|a, b| snapshot.key_of(a) == snapshot.key_of(b)) {
            let last = &same[same.len() - 1];
            block.push(snapshot.key_of(last), snapshot.value_of(last));
        }
        writer.group(group[0].group, &block);
    }
    writer.left(&snapshot.left);
    writer.finish()
}

/// The name that these bytes have as a file.
pub(super) fn name(bytes: &[u8]) -> String {
    format!("{:032x}", u128::from_be_bytes(hash128(NAME, bytes)))
}

/// A file whose index is read; its blocks are where it came from.
#[derive(Debug)]
pub(super) struct Reader {
    index: Index,
}

/// Where in its file a group's block is.
pub(super) struct Span {
    pub(super) begin: usize,
    pub(super) end: usize,
    hash: u64,
}

impl Reader {
    /// Reads the index of a whole file.
    pub(super) fn open(bytes: &[u8]) -> Result<Self, String> {
        let cut = || "it is cut short".to_owned();
        let body = bytes.len().checked_sub(FOOTER_BYTES).ok_or_else(cut)?;
        if !bytes.starts_with(MAGIC) {
            return Err("it is of a format that this build does not know".to_owned());
        }
        let number = |at: usize| {
            let word = bytes[body + 8 * at..][..8].try_into().expect("a footer has three words");
            u64::from_le_bytes(word)
        };
        let at = usize::try_from(number(0)).map_err(|_large| cut())?;
        let index = bytes.get(at..body).ok_or_else(cut)?;
        let checked = !is_off(Protection::Checksums);
        if index.len() as u64 != number(1)
            || checked && Hasher::new(BLOCK).bytes(index).finish() != number(2)
        {
            return Err("its index is not what was written".to_owned());
        }
        let index = postcard::from_bytes(index).map_err(|error| format!("its index: {error}"))?;
        Ok(Self { index })
    }

    /// Where the block of this group is, if it has one.
    pub(super) fn block(&self, group: u16) -> Option<Span> {
        let at = self.index.blocks.binary_search_by_key(&group, |place| place.group).ok()?;
        Some(span(&self.index.blocks[at]))
    }

    /// The messages that enter the next epoch.
    pub(super) fn left(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let Some(place) = &self.index.left else { return Ok(Vec::new()) };
        let unpacked = unpack(bytes, &span(place))?;
        postcard::from_bytes(&unpacked).map_err(|error| format!("its messages: {error}"))
    }
}

fn span(place: &Place) -> Span {
    let begin = usize::try_from(place.at).unwrap_or(usize::MAX);
    Span { begin, end: begin.saturating_add(place.bytes as usize), hash: place.hash }
}

/// A block's entries, out of the bytes of its file.
pub(super) fn unpack(file: &[u8], span: &Span) -> Result<Vec<u8>, String> {
    let damaged = || format!("bytes {} to {} are not what was written", span.begin, span.end);
    let packed = file.get(span.begin..span.end).ok_or_else(damaged)?;
    let checked = !is_off(Protection::Checksums);
    if checked && Hasher::new(BLOCK).bytes(packed).finish() != span.hash {
        return Err(damaged());
    }
    lz4_flex::decompress_size_prepended(packed).map_err(|error| format!("{}: {error}", damaged()))
}
