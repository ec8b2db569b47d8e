//! The file `FORMAT`: which version of the files this is, and the journal's salt.
//!
//! Written once, before any segment. A directory of segments without one is not ours.

use super::OpenError;
use super::journal::Disk;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::Path;

/// The file's name.
pub(super) const NAME: &str = "FORMAT";
const BEGINNING: &str = "watermart event log 1 ";
/// The version of the files that this program reads and writes, as `BEGINNING` says it.
pub const VERSION: &str = "1";

/// The salt of the journal in `dir`; `None` if there is no file.
pub(super) fn read(dir: &Path) -> Result<Option<u32>, OpenError> {
    let path = dir.join(NAME);
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::io(&path, source)),
    };
    let salt = text.strip_suffix('\n').and_then(|line| {
        let (salt, crc) = line.strip_prefix(BEGINNING)?.split_once(' ')?;
        (crc == check(salt)).then_some(u32::from_str_radix(salt, 16).ok()?)
    });
    salt.map(Some).ok_or(OpenError::UnknownFormat { file: path, found: text })
}

/// Gives the journal in `dir` a salt.
pub(super) fn create(dir: &Path, disk: &Disk) -> Result<u32, OpenError> {
    let path = dir.join(NAME);
    let at = |source| OpenError::io(&path, source);
    let random = RandomState::new().hash_one(std::process::id()).to_le_bytes();
    let salt = u32::from_le_bytes([random[0], random[1], random[2], random[3]]);
    let text = format!("{salt:08x}");
    let unfinished = dir.join("FORMAT.new");
    let mut file = File::create(&unfinished).map_err(at)?;
    writeln!(file, "{BEGINNING}{text} {}", check(&text)).map_err(at)?;
    (disk.sync_all)(&file).map_err(at)?;
    fs::rename(&unfinished, &path).map_err(at)?;
    File::open(dir).and_then(|dir| (disk.sync_all)(&dir)).map_err(at)?;
    Ok(salt)
}

fn check(salt: &str) -> String {
    format!("{:08x}", crc32fast::hash(salt.as_bytes()))
}
