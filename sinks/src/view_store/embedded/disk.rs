//! What is on disk: a keyspace per view, and one that says up to where they are complete. All of
//! it is as of one epoch, since it changes by whole batches only.

use super::levels::{Counts, Found, Level, Range};
use crate::view_store::rows::{Row, View};
use crate::view_store::{Mark, Stored, ViewError};
use fjall::{Database, Error, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use std::path::{Path, PathBuf};

/// Changed whenever rows, keys or the keyspace of the mark are laid out anew.
pub const FORMAT: &str = "2";
/// Blocks kept in memory. Hot rows are in the levels above, so this need not hold the views.
const CACHE_BYTES: u64 = 64 << 20;
/// Of one keyspace; eleven of them, most of which stay small, and as much again while it is
/// written to a table.
const MEMTABLE_BYTES: u64 = 16 << 20;
/// On disk; the oldest memtable is written to a table when it is used up.
const JOURNAL_BYTES: u64 = 256 << 20;

/// A filter for logs: information, and of the store's engine warnings alone.
pub const LOGGED: &str = "info,fjall=warn,lsm_tree=warn";

/// Why the store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was written by another version of this program.
    #[error("{} has the unknown format {found}; remove the folder to rebuild it", dir.display())]
    UnknownFormat {
        /// The store's folder.
        dir: PathBuf,
        /// Its format.
        found: String,
    },
    /// Its bytes are not what was written.
    #[error("{} is damaged: {detail}; remove the folder to rebuild it", dir.display())]
    Damaged {
        /// The store's folder.
        dir: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The machine did not do it.
    #[error("could not open {}: {source}", dir.display())]
    Io {
        /// The store's folder.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

pub(super) struct Disk {
    database: Database,
    views: Vec<Keyspace>,
    about: Keyspace,
}

impl Disk {
    pub(super) fn open(dir: &Path) -> Result<(Self, Mark, Counts), OpenError> {
        let error = |error: Error| open_error(dir, error);
        let database = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .open()
            .map_err(error)?;
        let keyspace = |name: &str| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            database.keyspace(name, options)
        };
        let views = View::ALL.iter().map(|view| keyspace(view.name())).collect::<Result<_, _>>();
        let views = views.map_err(error)?;
        let about = keyspace("about").map_err(error)?;

        match about.get("format").map_err(error)? {
            Some(found) if *found != *FORMAT.as_bytes() => {
                let found = String::from_utf8_lossy(&found).into_owned();
                return Err(OpenError::UnknownFormat { dir: dir.to_owned(), found });
            }
            Some(_) => {}
            None => about.insert("format", FORMAT).map_err(error)?,
        }
        let (mark, counts) = match about.get("mark").map_err(error)? {
            Some(bytes) => postcard::from_bytes(&bytes).map_err(|error| OpenError::Damaged {
                dir: dir.to_owned(),
                detail: format!("its mark cannot be read: {error}"),
            })?,
            None => Default::default(),
        };
        Ok((Self { database, views, about }, mark, counts))
    }

    /// Writes a level, the mark up to which it is complete and the counts that follow from it, as
    /// one batch, synced.
    pub(super) fn write(
        &self,
        level: &Level,
        mark: &Mark,
        mut counts: Counts,
    ) -> Result<Counts, ViewError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut bytes = Vec::new();
        for view in View::ALL {
            let keyspace = &self.views[*view as usize];
            for (key, stored) in level.of(*view) {
                let is_there = keyspace.contains_key(key).map_err(unavailable)?;
                if stored.row.is_deleted() {
                    // Born and ended since the last batch: the disk never hears of it.
                    if is_there {
                        batch.remove(keyspace, key.as_slice());
                        counts.died(*view);
                    }
                    continue;
                }
                if !is_there {
                    counts.born(*view);
                }
                bytes = encode(&(stored.version, &stored.row), bytes)?;
                batch.insert(keyspace, key.as_slice(), bytes.as_slice());
            }
        }
        bytes = encode(&(mark, counts), bytes)?;
        batch.insert(&self.about, "mark", bytes.as_slice());
        batch.commit().map_err(unavailable)?;
        Ok(counts)
    }

    pub(super) fn get(&self, view: View, key: &[u8]) -> Result<Option<Stored>, ViewError> {
        let bytes = self.views[view as usize].get(key).map_err(unavailable)?;
        bytes.map(|bytes| decode(view, &bytes)).transpose()
    }

    /// The disk as it is now.
    pub(super) fn snapshot(&self) -> DiskSnapshot<'_> {
        DiskSnapshot { disk: self, snapshot: self.database.snapshot() }
    }
}

/// The disk as of one batch.
pub(super) struct DiskSnapshot<'a> {
    disk: &'a Disk,
    snapshot: Snapshot,
}

impl DiskSnapshot<'_> {
    /// The rows of a range in key order.
    pub(super) fn range(&self, view: View, range: &Range) -> impl Iterator<Item = Found> + use<> {
        let rows = self.snapshot.range::<&[u8], _>(&self.disk.views[view as usize], range.bounds());
        rows.map(move |row| {
            let (key, bytes) = row.into_inner().map_err(unavailable)?;
            Ok((key.to_vec(), decode(view, &bytes)?))
        })
    }
}

/// Encodes into `buffer`, whose room is used again.
fn encode<T: serde::Serialize>(value: &T, mut buffer: Vec<u8>) -> Result<Vec<u8>, ViewError> {
    buffer.clear();
    postcard::to_extend(value, buffer).map_err(|error| ViewError::Unavailable(error.to_string()))
}

fn decode(view: View, bytes: &[u8]) -> Result<Stored, ViewError> {
    let damaged = |detail: String| ViewError::Damaged { view, detail };
    let (version, row): (i64, Row) =
        postcard::from_bytes(bytes).map_err(|error| damaged(error.to_string()))?;
    if row.view() != view {
        return Err(damaged(format!("it is a row of {:?}", row.view())));
    }
    Ok(Stored { version, row })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unavailable(error: Error) -> ViewError {
    ViewError::Unavailable(error.to_string())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the engine's own enum, open to additions")]
fn open_error(dir: &Path, error: Error) -> OpenError {
    let dir = dir.to_owned();
    match error {
        Error::Locked => OpenError::InUse(dir),
        Error::Io(source) => OpenError::Io { dir, source },
        Error::InvalidVersion(found) => {
            OpenError::UnknownFormat { dir, found: format!("{found:?}") }
        }
        other => OpenError::Damaged { dir, detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, mark, counts) = Disk::open(dir.path()).unwrap();
        assert_eq!((mark, counts), Default::default());
        disk.about.insert("format", b"0").unwrap();
        drop(disk);
        let error = Disk::open(dir.path()).err().unwrap();
        let OpenError::UnknownFormat { found, .. } = &error else { panic!("{error}") };
        assert_eq!(found, "0");
    }
}
