//! The journal's files: segments, numbered from 0 without a gap, never deleted.

use super::OpenError;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

const EXTENSION: &str = "journal";

/// The file of a segment.
pub(super) fn path(dir: &Path, segment: usize) -> PathBuf {
    dir.join(format!("{segment:08}.{EXTENSION}"))
}

/// How many segments there are. A missing one is damage.
pub(super) fn count(dir: &Path) -> Result<usize, OpenError> {
    let at = |source| OpenError::io(dir, source);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.extension() == Some(OsStr::new(EXTENSION)) {
            let stem = path.file_stem().and_then(OsStr::to_str);
            let number = stem.and_then(|stem| stem.parse::<usize>().ok());
            let found = "a segment without a number".to_owned();
            numbers.push(number.ok_or(OpenError::UnknownFormat { file: path, found })?);
        }
    }
    numbers.sort_unstable();
    match numbers.iter().enumerate().find(|(expected, number)| expected != *number) {
        None => Ok(numbers.len()),
        Some((missing, _)) => Err(OpenError::Damaged {
            file: path(dir, missing),
            byte: 0,
            detail: "this segment is missing, and later ones are there".to_owned(),
        }),
    }
}
