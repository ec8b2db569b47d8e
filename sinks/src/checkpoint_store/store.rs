//! The store over a library that knows folders and others.

use super::{Listed, OpenError, StoreError};
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use schemas::time::Timestamp;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// The name of the file that whoever writes to a folder holds.
const LOCK: &str = "LOCK";

/// A call as its [`Guard`] sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is to be done: `write`, `create`, `read`, `list` or `remove`.
    pub did: &'static str,
    /// The file's name, or the folder's.
    pub name: &'a str,
    /// What is to be written.
    pub bytes: Option<&'a Bytes>,
    /// Whether it is done by now, and only the answer is left.
    pub is_done: bool,
}

/// Sees each call of a handle before it is made and when it is done. What it refuses, the handle
/// answers as unavailable.
pub type Guard = Arc<dyn Fn(Asked<'_>) -> Result<(), String> + Send + Sync>;

/// The store. Its calls block.
pub struct CheckpointStore {
    store: Arc<dyn ObjectStore>,
    shown: String,
    runtime: Runtime,
    guard: Option<Guard>,
    /// Held: no other process writes here.
    _lock: Option<File>,
}

impl CheckpointStore {
    /// Opens the folder that a `file:///folder` names, which is made if need be.
    ///
    /// # Errors
    /// It is no such URL, or the folder cannot be had.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_folder(folder_of(url)?)
    }

    /// The same, for a process that only reads what another keeps there.
    ///
    /// # Errors
    /// It is no such URL, or the folder cannot be had.
    pub fn open_to_read(url: &str) -> Result<Self, OpenError> {
        let folder = folder_of(url)?;
        let shown = folder.display().to_string();
        let unusable = |error: String| OpenError::Unusable(format!("{shown}: {error}"));
        std::fs::create_dir_all(folder).map_err(|error| unusable(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| unusable(error.to_string()))?;
        Self::over(Arc::new(store), shown, None)
    }

    /// Opens a folder, which is made if need be.
    ///
    /// # Errors
    /// The folder cannot be had, or another process has it.
    pub fn open_folder(folder: &std::path::Path) -> Result<Self, OpenError> {
        let shown = folder.display().to_string();
        let unusable = |error: String| OpenError::Unusable(format!("{shown}: {error}"));
        std::fs::create_dir_all(folder).map_err(|error| unusable(error.to_string()))?;
        let lock = File::create(folder.join(LOCK)).map_err(|error| unusable(error.to_string()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(shown)),
            Err(TryLockError::Error(error)) => return Err(unusable(error.to_string())),
        }
        remove_unfinished(folder).map_err(|error| unusable(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| unusable(error.to_string()))?;
        Self::over(Arc::new(store.with_fsync(true)), shown, Some(lock))
    }

    /// A store in memory, for tests.
    ///
    /// # Errors
    /// The system gives no event loop.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::over(Arc::new(object_store::memory::InMemory::new()), "memory".to_owned(), None)
    }

    fn over(
        store: Arc<dyn ObjectStore>,
        shown: String,
        lock: Option<File>,
    ) -> Result<Self, OpenError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            OpenError::Unusable(format!("could not start an event loop: {error}"))
        })?;
        Ok(Self { store, shown, runtime, guard: None, _lock: lock })
    }

    /// Another handle of the same files, behind a guard: for tests that break stores.
    ///
    /// # Errors
    /// The system gives no event loop.
    pub fn guarded(&self, guard: Guard) -> Result<Self, OpenError> {
        let handle = Self::over(Arc::clone(&self.store), self.shown.clone(), None)?;
        Ok(Self { guard: Some(guard), ..handle })
    }

    /// Writes a file; the same again is no change.
    ///
    /// # Errors
    /// The store does not take it.
    pub fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let seen = bytes.clone();
        self.guarding("write", name, Some(&seen), || {
            let path = Path::from(name);
            let put = self.store.put(&path, bytes.into());
            self.runtime.block_on(put).map(drop).map_err(|error| self.failed("write", name, error))
        })
    }

    /// Writes a file unless there is one of this name; false: there is one.
    ///
    /// # Errors
    /// The store does not take it.
    pub fn create(&self, name: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let seen = bytes.clone();
        self.guarding("create", name, Some(&seen), || {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let path = Path::from(name);
            let put = self.store.put_opts(&path, bytes.into(), options);
            match self.runtime.block_on(put) {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(self.failed("create", name, error)),
            }
        })
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn get(&self, name: &str) -> Result<Bytes, StoreError> {
        self.guarding("read", name, None, || {
            let path = Path::from(name);
            let get = async { self.store.get(&path).await?.bytes().await };
            self.runtime.block_on(get).map_err(|error| self.failed("read", name, error))
        })
    }

    /// Some of a file's bytes.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.guarding("read", name, None, || {
            let path = Path::from(name);
            let get = self.store.get_range(&path, range);
            self.runtime.block_on(get).map_err(|error| self.failed("read", name, error))
        })
    }

    /// The files in this folder, in the order of their names.
    ///
    /// # Errors
    /// The store does not say.
    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let path = Path::from(folder);
        let listed = self.guarding("list", folder, None, || {
            let list = self.runtime.block_on(self.store.list_with_delimiter(Some(&path)));
            Ok(list.map_err(|error| self.failed("list", folder, error))?.objects)
        })?;
        let mut all: Vec<_> = listed
            .into_iter()
            .map(|meta| Listed {
                name: meta.location.to_string(),
                bytes: meta.size,
                written_at: Timestamp(meta.last_modified.timestamp_millis()),
            })
            .collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// The store does not do it.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.guarding("remove", name, None, || {
            let path = Path::from(name);
            match self.runtime.block_on(self.store.delete(&path)) {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.failed("remove", name, error)),
            }
        })
    }

    fn guarding<T>(
        &self,
        did: &'static str,
        name: &str,
        bytes: Option<&Bytes>,
        act: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(guard) = &self.guard else { return act() };
        let refused = |detail| {
            let (name, store) = (name.to_owned(), self.shown.clone());
            StoreError::Unavailable { did, name, store, detail }
        };
        guard(Asked { did, name, bytes, is_done: false }).map_err(refused)?;
        let done = act()?;
        guard(Asked { did, name, bytes, is_done: true }).map_err(refused)?;
        Ok(done)
    }

    /// Where it is, for people.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are alike here")]
    fn failed(&self, did: &'static str, name: &str, error: object_store::Error) -> StoreError {
        let (name, store) = (name.to_owned(), self.shown.clone());
        match error {
            object_store::Error::NotFound { .. } => StoreError::Missing { name, store },
            error => StoreError::Unavailable { did, name, store, detail: error.to_string() },
        }
    }
}

fn folder_of(url: &str) -> Result<&std::path::Path, OpenError> {
    let folder = url.strip_prefix("file://").filter(|folder| folder.starts_with('/'));
    folder.map(std::path::Path::new).ok_or_else(|| {
        let why = format!("`{url}` is not known to this build; it knows `file:///folder`");
        OpenError::Unusable(why)
    })
}

/// Removes what a process left that died while it wrote: the library writes `NAME#N` and renames
/// it, and nobody else writes here now.
fn remove_unfinished(folder: &std::path::Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_unfinished(&path)?;
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().contains('#')) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    #[test]
    fn a_folder_keeps_the_contract() {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("file://{}/new", folder.path().display());
        conformance::check(&CheckpointStore::open(&url).unwrap());
    }

    #[test]
    fn a_folder_is_of_one_process() {
        let folder = tempfile::TempDir::new().unwrap();
        let first = CheckpointStore::open_folder(folder.path()).unwrap();
        let second = CheckpointStore::open_folder(folder.path()).map(drop);
        assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
        let url = format!("file://{}", folder.path().display());
        first.put("state/a", Bytes::from_static(b"a")).unwrap();
        let reader = CheckpointStore::open_to_read(&url).unwrap();
        assert_eq!(reader.get("state/a").unwrap(), "a", "others may read it");
        drop(first);
        assert!(CheckpointStore::open_folder(folder.path()).is_ok());
    }

    #[test]
    fn what_was_left_unfinished_is_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = CheckpointStore::open_folder(folder.path()).unwrap();
        store.put("state/whole", Bytes::from_static(b"whole")).unwrap();
        drop(store);
        std::fs::write(folder.path().join("state/cut#1"), "cu").unwrap();
        let store = CheckpointStore::open_folder(folder.path()).unwrap();
        assert!(!folder.path().join("state/cut#1").exists());
        assert_eq!(store.list("state").unwrap().len(), 1);
    }

    #[test]
    fn memory_keeps_the_contract() {
        conformance::check(&CheckpointStore::in_memory().unwrap());
    }

    #[test]
    fn other_places_are_refused_by_name() {
        for url in ["s3://bucket", "file:relative", "folder"] {
            let refused = CheckpointStore::open(url).map(drop).unwrap_err().to_string();
            assert!(refused.contains(url) && refused.contains("file:///folder"), "{refused}");
        }
    }
}
