//! One process at a time writes a log's directory: whoever holds its `LOCK`, which names the holder.
//!
//! The operating system lets go of the lock when the process ends, however it ends.

use super::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

const NAME: &str = "LOCK";

/// Locks the directory for writing, until the file is dropped.
pub(super) fn exclusive(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(NAME);
    let at = |source| OpenError::io(&path, source);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(at)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use(&path, file)),
        Err(TryLockError::Error(source)) => return Err(at(source)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(at)?;
    Ok(file)
}

/// Keeps writers out until the file is dropped, changing nothing. `None` if nobody ever wrote here.
pub(super) fn shared(dir: &Path) -> Result<Option<File>, OpenError> {
    let path = dir.join(NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::io(&path, source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(in_use(&path, file)),
        Err(TryLockError::Error(source)) => Err(OpenError::io(&path, source)),
    }
}

fn in_use(path: &Path, mut file: File) -> OpenError {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => OpenError::InUse { dir: path.with_file_name(""), pid: text.trim().parse().ok() },
        Err(source) => OpenError::io(path, source),
    }
}
