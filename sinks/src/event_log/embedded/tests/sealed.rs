//! Full segments that a start does not read again, and seals that do not go with them.

use super::super::recovery::recover;
use super::super::{sealed, segment};
use super::*;

/// A journal of some full segments, each with its seal, and one that is not full.
fn journal() -> (TempDir, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::open_on(dir.path(), clock(), small_disk(0)).unwrap();
    let values: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    for (n, value) in (0..).zip(&values) {
        append(&log, vec![record(n % 16, value), record(3, value)]);
    }
    drop(log);
    let all = values.iter().flat_map(|value| [value.clone(), value.clone()]).collect();
    (dir, all)
}

/// The files of seals.
fn seals(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_seal = |path: &PathBuf| path.extension().is_some_and(|it| it == "sealed");
    contents(dir).into_iter().filter(|(path, _)| is_seal(path)).collect()
}

fn salt(dir: &Path) -> u32 {
    format::read(dir).unwrap().unwrap()
}

#[test]
fn a_start_reads_full_segments_no_more_and_readers_still_name_what_is_damaged() {
    let (dir, _) = journal();
    let full = seals(dir.path()).len();
    assert!(full > 2, "the story needs several segments");
    let path = segment::path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let log = open(dir.path()).unwrap();
    match read_from(&log, &everything()) {
        Err(ReadError::Damaged { file, byte, .. }) => {
            assert_eq!((file, byte), (path.display().to_string(), 0));
        }
        other => panic!("{other:?}"),
    }
    drop(log);
    fs::remove_file(sealed::path(dir.path(), 1)).unwrap();
    assert!(matches!(open(dir.path()).err(), Some(OpenError::Damaged { .. })), "it is read again");
}

#[test]
fn with_and_without_seals_the_same_is_known_and_a_start_makes_good_those_that_are_missing() {
    let (dir, expected) = journal();
    let (with, salt) = (seals(dir.path()), salt(dir.path()));
    let known = recover(dir.path(), salt).unwrap().0;
    with.keys().for_each(|seal| fs::remove_file(seal).unwrap());
    assert_eq!(recover(dir.path(), salt).unwrap().0, known);
    assert_eq!(seals(dir.path()).len(), 0, "who only reads writes none");
    assert_eq!(values(&open(dir.path()).unwrap()), expected);
    assert_eq!(seals(dir.path()), with);
}

#[test]
fn a_seal_that_is_not_as_written_or_of_another_segment_is_passed_over() {
    let (dir, expected) = journal();
    let salt = salt(dir.path());
    let known = recover(dir.path(), salt).unwrap().0;
    let check = |spoilt: &[u8], what: &str| {
        fs::write(sealed::path(dir.path(), 1), spoilt).unwrap();
        assert_eq!(recover(dir.path(), salt).unwrap().0, known, "{what}");
    };
    let seal = fs::read(sealed::path(dir.path(), 1)).unwrap();
    for byte in 0..seal.len() {
        let mut flipped = seal.clone();
        flipped[byte] ^= 1 << (byte % 8);
        check(&flipped, &format!("flipped {byte}"));
        check(&seal[..byte], &format!("cut at {byte}"));
    }
    for other in [0, 2] {
        let others = fs::read(sealed::path(dir.path(), other)).unwrap();
        check(&others, &format!("that of segment {other}"));
    }
    let (strangers, _) = journal();
    check(&fs::read(sealed::path(strangers.path(), 1)).unwrap(), "that of another journal");
    assert_eq!(values(&open(dir.path()).unwrap()), expected);
}
