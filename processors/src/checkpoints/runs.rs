//! Runs of files: merged, so that a start reads not much more than what is there, and few files.

use super::block::{self, Builder};
use super::file::{Reader, Writer, Written, unpack};
use super::manifest::Run;
use super::snapshot::{EVERYONE, Kind};
use crate::protection::{Protection, is_off};
use crate::shards::keys;
use bytes::Bytes;
use schemas::time::Timestamp;
use sinks::checkpoint_store::{CheckpointStore, StoreError};

/// Runs behind the first before they are merged among each other.
const RUNS_MAX: usize = 12;

/// Why files could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RunError {
    /// The store does not give them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One is not what was written.
    #[error("{name} in the checkpoint store {store} is damaged: {detail}")]
    Damaged {
        /// Its name.
        name: String,
        /// Where.
        store: String,
        /// What is wrong.
        detail: String,
    },
}

/// A file of a run, whole, and known to be what was written.
pub(super) struct Loaded {
    name: String,
    bytes: Bytes,
    reader: Reader,
}

/// Files from the oldest to the newest; within a run no key is in two of them.
pub(super) struct Files {
    store: String,
    files: Vec<Loaded>,
}

impl Files {
    /// Reads the files of these runs.
    pub(super) fn read(store: &CheckpointStore, runs: &[Run]) -> Result<Self, RunError> {
        let mut files = Vec::new();
        for file in runs.iter().flat_map(|run| &run.files) {
            let bytes = store.get(&file.path())?;
            let damaged = |detail: String| RunError::Damaged {
                name: file.path(),
                store: store.shown().to_owned(),
                detail,
            };
            if super::file::name(&bytes) != file.name && !is_off(Protection::Checksums) {
                return Err(damaged("its bytes are not those that it is named by".to_owned()));
            }
            let reader = Reader::open(&bytes).map_err(damaged)?;
            files.push(Loaded { name: file.path(), bytes, reader });
        }
        Ok(Self { store: store.shown().to_owned(), files })
    }

    /// Calls `with` for each key of a group, in order, with the newest that is said of it.
    pub(super) fn group(
        &self,
        group: u16,
        with: impl FnMut(block::Entry<'_>) -> Result<(), String>,
    ) -> Result<(), RunError> {
        let mut blocks = Vec::with_capacity(self.files.len());
        for file in &self.files {
            if let Some(span) = file.reader.block(group) {
                let block = unpack(&file.bytes, &span);
                blocks.push(block.map_err(|detail| self.damaged(file, detail))?);
            }
        }
        block::merge(&blocks, with).map_err(|detail| RunError::Damaged {
            name: format!("the state of key group {group}"),
            store: self.store.clone(),
            detail,
        })
    }

    /// The messages that the last `count` files say enter the next epoch.
    pub(super) fn left(&self, count: usize) -> Result<Vec<Vec<u8>>, RunError> {
        let mut messages = Vec::new();
        for file in self.files.iter().rev().take(count) {
            let left = file.reader.left(&file.bytes);
            messages.extend(left.map_err(|detail| self.damaged(file, detail))?);
        }
        Ok(messages)
    }

    fn damaged(&self, file: &Loaded, detail: String) -> RunError {
        RunError::Damaged { name: file.name.clone(), store: self.store.clone(), detail }
    }
}

/// What to merge: the first run and how many. The last run stays as it is: its checkpoint's
/// messages are in it.
pub(super) fn worth_merging(runs: &[Run]) -> Option<(usize, usize)> {
    let (_, older) = runs.split_last()?;
    let (first, behind) = older.split_first()?;
    let bytes = behind.iter().map(Run::bytes).sum::<u64>();
    if !behind.is_empty() && bytes >= first.bytes() {
        return Some((0, older.len()));
    }
    (behind.len() >= RUNS_MAX).then_some((1, behind.len()))
}

fn is_key(key: &[u8]) -> bool {
    let kind = key.first().and_then(|number| Kind::from_number(*number));
    matches!(kind, Some(Kind::CustomerKey | Kind::ProductKey))
}

/// Merges runs into one file. If nothing is older than they are, what is removed is forgotten, and so
/// are idempotency keys that are over at this time.
pub(super) fn merged(
    store: &CheckpointStore,
    runs: &[Run],
    oldest: bool,
    now: Timestamp,
) -> Result<Written, RunError> {
    let files = Files::read(store, runs)?;
    let mut writer = Writer::new();
    for group in 0..=EVERYONE {
        let mut block = Builder::default();
        files.group(group, |(key, value)| {
            let over = match value {
                None => true,
                Some(value) => {
                    is_key(key) && keys::is_over(value, now).map_err(|e| e.to_string())?
                }
            };
            if !(oldest && over) {
                block.push(key, value);
            }
            Ok(())
        })?;
        writer.group(group, &block);
    }
    Ok(writer.finish())
}
