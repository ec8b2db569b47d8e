//! Writes cut short are cut; everything else that is not as written is named.

use super::*;
use crate::event_log::embedded::block::{self, ALIGN, Header, Making};

/// Three appends, a block each, and where their blocks begin and the last ends.
struct Journal {
    dir: TempDir,
    bytes: Vec<u8>,
    begins: [usize; 4],
}

fn journal(ahead: u64) -> Journal {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk { ahead, ..Disk::of(Durability::NotDurable) };
    let log = FileLog::open_on(dir.path(), clock(), disk).unwrap();
    let mut begins = [0; 4];
    // Numbers that do not repeat: the last block shall be longer than two sectors, packed.
    for (n, lines) in [(1, 1), (2, 40), (3, 300)] {
        let value: String =
            (0..lines).map(|line: u32| format!("{}-", line.pow(2) * 7919)).collect();
        append(&log, vec![record(1, &format!("{n}")), record(2, &value)]);
        begins[n] = usize::try_from(locked(&log.shared.durable).end().byte).unwrap();
    }
    assert!(begins[3] - begins[2] > 1500, "{begins:?}");
    drop(log);
    let bytes = fs::read(segment::path(dir.path(), 0)).unwrap();
    Journal { dir, bytes, begins }
}

impl Journal {
    fn path(&self) -> PathBuf {
        segment::path(self.dir.path(), 0)
    }

    fn open_with(&self, bytes: &[u8]) -> Result<FileLog, OpenError> {
        fs::write(self.path(), bytes).unwrap();
        open(self.dir.path())
    }

    /// With these bytes the last append is gone without a trace, and the log goes on.
    fn assert_last_cut(&self, bytes: &[u8], story: &str) {
        let log = self.open_with(bytes).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert_eq!(log.ends(&[customer(1), customer(2)]).unwrap(), [2, 2], "{story}");
        assert_eq!(append(&log, vec![record(1, "on")])[0].offset, 2, "{story}");
        drop(log);
        let log = open(self.dir.path()).unwrap_or_else(|error| panic!("{story}: {error}"));
        let values = values(&log);
        assert_eq!([&values[0], &values[2], &values[4]], ["1", "2", "on"], "{story}");
        assert_eq!(values.len(), 5, "{story}");
    }

    /// With these bytes the log does not open and names this place.
    fn assert_damaged(&self, bytes: &[u8], at: usize, story: &str) {
        match self.open_with(bytes).err() {
            Some(OpenError::Damaged { file, byte, .. }) => {
                assert_eq!((file, byte), (self.path(), at as u64), "{story}");
            }
            other => panic!("{story}: {other:?}"),
        }
        assert_eq!(fs::read(self.path()).unwrap(), bytes, "{story}: nothing is cut");
    }
}

#[test]
fn a_file_that_ends_within_the_last_block_loses_only_that() {
    let journal = journal(0);
    let [_, _, last, end] = journal.begins;
    assert_eq!(end, journal.bytes.len());
    for length in last..end {
        journal.assert_last_cut(&journal.bytes[..length], &format!("cut at {length}"));
    }
}

#[test]
fn sectors_of_the_last_block_that_were_never_written_lose_only_that() {
    let journal = journal(4096);
    let [_, _, last, end] = journal.begins;
    let sectors: Vec<_> = (last / 512..end.div_ceil(512)).collect();
    assert!((3..10).contains(&sectors.len()), "{sectors:?}");
    // Every choice of sectors that did not reach the disk.
    for missing in 1..1 << sectors.len() {
        let mut bytes = journal.bytes.clone();
        for (n, sector) in sectors.iter().enumerate() {
            if missing >> n & 1 == 1 {
                bytes[(sector * 512).max(last)..(sector * 512 + 512).min(end)].fill(0);
            }
        }
        journal.assert_last_cut(&bytes, &format!("missing {missing:b}"));
    }
}

#[test]
fn zeros_within_a_sector_are_no_cut_write() {
    let journal = journal(4096);
    let [_, _, last, end] = journal.begins;
    let in_sector = last.next_multiple_of(512);
    let header_only = last..last + ALIGN;
    let rest_of_its_sector = last + ALIGN..in_sector;
    let half_a_sector = in_sector..in_sector + 256;
    let last_byte = (0..end).rfind(|byte| journal.bytes[*byte] != 0).unwrap();
    assert!(in_sector + 512 < end && !rest_of_its_sector.is_empty(), "{last} {end}");
    for zeros in [header_only, rest_of_its_sector, half_a_sector, last_byte..last_byte + 1] {
        let mut bytes = journal.bytes.clone();
        bytes[zeros.clone()].fill(0);
        journal.assert_damaged(&bytes, last, &format!("zeros {zeros:?}"));
    }
}

#[test]
fn sectors_missing_from_an_earlier_block_are_damage() {
    let journal = journal(4096);
    let [_, second, last, _] = journal.begins;
    for byte in (second..last).step_by(ALIGN) {
        let mut bytes = journal.bytes.clone();
        bytes[byte..(byte + 512).min(last)].fill(0);
        journal.assert_damaged(&bytes, second, &format!("zeros from {byte}"));
    }
}

#[test]
fn every_flipped_bit_is_named_at_open() {
    for ahead in [0, 4096] {
        let journal = journal(ahead);
        for byte in 0..journal.begins[3] {
            let mut bytes = journal.bytes.clone();
            bytes[byte] ^= 1 << (byte % 8);
            let block = journal.begins.iter().rfind(|begin| **begin <= byte).unwrap();
            journal.assert_damaged(&bytes, *block, &format!("flipped {byte}"));
        }
    }
}

#[test]
fn every_flipped_bit_is_named_when_read() {
    let journal = journal(0);
    let log = open(journal.dir.path()).unwrap();
    for byte in 0..journal.begins[3] {
        let mut bytes = journal.bytes.clone();
        bytes[byte] ^= 1 << (byte % 8);
        fs::write(journal.path(), &bytes).unwrap();
        let begin = journal.begins.iter().rfind(|begin| **begin <= byte).unwrap();
        match read_from(&log, &everything()) {
            Err(ReadError::Damaged { file, byte, .. }) => {
                let expected = (journal.path().display().to_string(), *begin as u64);
                assert_eq!((file, byte), expected);
            }
            other => panic!("flipped {byte}: {other:?}"),
        }
    }
}

#[test]
fn zeros_in_a_value_do_not_make_damage_look_like_a_cut_write() {
    // Noise that does not pack with zeros among it, so that a sector of the block is all zero.
    let mut noise = 1_u64;
    let mut value: Vec<u8> = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise.to_le_bytes()[0]
    })
    .take(1 << 19)
    .collect();
    value[(1 << 19) - 3000..(1 << 19) - 500].fill(0);
    let records = [NewRecord { value: Bytes::from(value), ..record(1, "") }];
    let making = Making { salt: 7, sequence: 0, byte: 0, appended_at: Timestamp(1) };
    let block = block::encode(making, records.iter(), Durable::empty().ends());
    let header = Header::decode(block.bytes[..ALIGN].try_into().unwrap(), 7).unwrap();
    assert_eq!(block::zero_sectors(0, &block.bytes[ALIGN..]), header.zero_sectors);
}

#[test]
fn a_record_that_changed_before_its_block_was_sealed_is_named() {
    let journal = journal(0);
    let [_, _, last, end] = journal.begins;
    let salt = format::read(journal.dir.path()).unwrap().unwrap();
    let header =
        Header::decode(journal.bytes[last..last + ALIGN].try_into().unwrap(), salt).unwrap();
    let body = &journal.bytes[last + ALIGN..end];
    let directory = &body[..header.directory_bytes as usize];
    let mut raw = header.unpack(body).unwrap();
    *raw.last_mut().unwrap() ^= 1;

    let mut body = directory.to_vec();
    let packed = lz4_flex::block::compress(&raw);
    body.extend_from_slice(&packed);
    body.resize(body.len().next_multiple_of(ALIGN), 0);
    let sealed = Header {
        body_bytes: u32::try_from(body.len()).unwrap(),
        packed_bytes: u32::try_from(packed.len()).unwrap(),
        body_crc: block::checksum(salt, &body),
        ..header
    };
    let mut bytes = journal.bytes[..last].to_vec();
    bytes.extend_from_slice(&sealed.encode(salt));
    bytes.extend_from_slice(&body);
    let log = journal.open_with(&bytes).unwrap();
    let mut reader = log.reader(&everything()).unwrap();
    let mut records = Vec::new();
    for attempt in 0..3 {
        match reader.read(usize::MAX, &mut records) {
            Err(ReadError::Damaged { file, byte, .. }) => {
                let expected = (journal.path().display().to_string(), last as u64);
                assert_eq!((file, byte), expected, "attempt {attempt}");
            }
            other => panic!("attempt {attempt}: {other:?}"),
        }
        assert_eq!(records.len(), 5, "all before it are read, and once");
    }
}

#[test]
fn segments_that_are_missing_or_end_early_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::open_on(dir.path(), clock(), small_disk(0)).unwrap();
    for n in 0..20 {
        append(&log, vec![record(n % 16, &n.to_string())]);
    }
    drop(log);
    let damaged = |story: &str, spoil: &dyn Fn(&Path), segment: usize| {
        let copy = copy(dir.path());
        spoil(copy.path());
        match open(copy.path()).err() {
            Some(OpenError::Damaged { file, .. }) => {
                assert_eq!(file, segment::path(copy.path(), segment), "{story}");
            }
            other => panic!("{story}: {other:?}"),
        }
    };
    let missing = |dir: &Path| fs::remove_file(segment::path(dir, 1)).unwrap();
    damaged("a segment is gone", &missing, 1);
    let swapped = |dir: &Path| {
        fs::copy(segment::path(dir, 0), segment::path(dir, 1)).unwrap();
    };
    damaged("a segment is another's copy", &swapped, 1);
    let short = |dir: &Path| {
        let path = segment::path(dir, 1);
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    };
    damaged("a segment ends early", &short, 1);
    let emptied = |dir: &Path| fs::write(segment::path(dir, 0), []).unwrap();
    damaged("a segment is empty", &emptied, 1);
}

#[test]
fn blocks_of_another_journal_are_not_taken_for_this_ones() {
    let journal = journal(0);
    let others = self::journal(0).bytes;
    let mut bytes = journal.bytes.clone();
    bytes.extend_from_slice(&others);
    journal.assert_damaged(&bytes, journal.begins[3], "another journal's blocks");
}
