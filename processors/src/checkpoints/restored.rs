//! What a start goes on from: the newest checkpoint that is whole and not ahead of the views.

use super::manifest::{FOLDER, Manifest};
use super::runs::{Files, RunError};
use super::snapshot::{EVERYONE, Kind};
use crate::failure::Failure;
use crate::protection::{Protection, is_off};
use crate::shards::saved::Saved;
use machines::message::ToCustomer;
use schemas::topic::{GROUPS, Topic, TopicPartition};
use sinks::checkpoint_store::{CheckpointStore, StoreError};
use sinks::event_log::{EventLog, Record};
use sinks::view_store::Mark;
use std::time::Duration;

/// How often it is looked anew when a file is gone that a manifest names: whoever leads may have
/// removed an old one meanwhile.
const LOOKS: usize = 3;
const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };
/// Enough for a plan, and not for many behind it.
const PLAN_BYTES: usize = 1 << 16;
/// How long to wait for the log to grow at once.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// A checkpoint whose files are read.
pub struct Restored {
    /// What it is made of.
    pub manifest: Manifest,
    /// Messages that enter the next epoch.
    pub left: Vec<ToCustomer>,
    files: Files,
}

impl Restored {
    /// The newest checkpoint that is whole and no newer than the views; none: there is none, and
    /// the log is replayed from its beginning. `may_publish`: this process may have to publish what
    /// came before.
    ///
    /// # Errors
    /// Store or log do not answer; or the checkpoints are of another history than log or views.
    pub fn newest(
        store: &CheckpointStore,
        log: &dyn EventLog,
        mark: Option<&Mark>,
        may_publish: bool,
    ) -> Result<Option<Self>, Failure> {
        let mut gone = None;
        for _ in 0..LOOKS {
            match Self::look(store, log, mark, may_publish)? {
                Looked::Found(restored) => return Ok(restored.map(|restored| *restored)),
                Looked::Gone(name) => gone = Some(name),
            }
        }
        tracing::error!(?gone, "no checkpoint is whole: the log is replayed from its beginning");
        Ok(None)
    }

    /// The checkpoint of this name, which the head of a mesh goes on from.
    ///
    /// # Errors
    /// It cannot be had here: the head may name another at the next start.
    pub fn named(store: &CheckpointStore, name: &str) -> Result<Self, Failure> {
        let restored = read_manifest(store, name).and_then(|manifest| read_state(store, manifest));
        restored.map_err(|error| {
            let why = match error {
                Unread::Store(error) => error.to_string(),
                Unread::Damaged(error) => error,
            };
            Failure::Unavailable(format!("the mesh goes on from the checkpoint {name}: {why}"))
        })
    }

    fn look(
        store: &CheckpointStore,
        log: &dyn EventLog,
        mark: Option<&Mark>,
        may_publish: bool,
    ) -> Result<Looked, Failure> {
        let (mut gone, mut on_log) = (None, false);
        for listed in store.list(FOLDER).map_err(|error| unavailable(&error))?.into_iter().rev() {
            let name = listed.name;
            let Some(at) = Manifest::at(&name) else {
                tracing::warn!(name, "this is no checkpoint of ours: it is left alone");
                continue;
            };
            let manifest = read_manifest(store, &name);
            if let (false, Ok(manifest)) = (on_log, &manifest) {
                check_log(manifest, log)?;
                // Those before it are too.
                on_log = true;
            }
            let behind = mark.is_some_and(|mark| at > (mark.era, mark.epoch));
            if behind && !is_off(Protection::Marks) {
                tracing::warn!(name, "this checkpoint is ahead of the views: an older one is used");
                continue;
            }
            if manifest.as_ref().is_ok_and(|manifest| may_publish && !manifest.published) {
                tracing::warn!(name, "this checkpoint is of a process that never publishes");
                continue;
            }
            match manifest.and_then(|manifest| read_state(store, manifest)) {
                Ok(restored) => {
                    check_views(&restored.manifest, mark)?;
                    return Ok(Looked::Found(Some(Box::new(restored))));
                }
                Err(Unread::Store(error @ StoreError::Missing { .. })) => {
                    tracing::error!(name, %error, "this checkpoint is not whole");
                    gone = Some(name);
                }
                Err(Unread::Store(error)) => return Err(unavailable(&error)),
                Err(Unread::Damaged(error)) => {
                    tracing::error!(name, %error, "this checkpoint is damaged: an older one is used");
                }
            }
        }
        Ok(gone.map_or(Looked::Found(None), Looked::Gone))
    }

    /// All that is saved of a key group.
    fn group(&self, group: u16) -> Result<Vec<Saved>, Failure> {
        let mut saved = Vec::new();
        let read = self.files.group(group, |(key, value)| {
            let kind = key.first().and_then(|number| Kind::from_number(*number));
            let kind = kind.ok_or("an entry of a kind that this build does not know")?;
            let Some(value) = value else { return Ok(()) };
            saved.push(Saved::read(kind, value).map_err(|error| error.to_string())?);
            Ok(())
        });
        read.map_err(|error| {
            Failure::Damaged(format!("{error}; remove the checkpoints to replay the log"))
        })?;
        Ok(saved)
    }

    /// All that is saved of this worker's key groups, and of everyone's, group by group.
    pub fn of_worker(
        &self,
        (index, peers): (usize, usize),
    ) -> impl Iterator<Item = Result<Vec<Saved>, Failure>> {
        let own = (0..GROUPS).filter(move |group| usize::from(*group) % peers == index);
        std::iter::once(EVERYONE).chain(own).map(|group| self.group(group))
    }
}

enum Looked {
    Found(Option<Box<Restored>>),
    Gone(String),
}

enum Unread {
    Store(StoreError),
    Damaged(String),
}

impl From<RunError> for Unread {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => Self::Store(error),
            error @ RunError::Damaged { .. } => Self::Damaged(error.to_string()),
        }
    }
}

fn read_manifest(store: &CheckpointStore, name: &str) -> Result<Manifest, Unread> {
    let bytes = store.get(name).map_err(Unread::Store)?;
    Manifest::from_bytes(&bytes).map_err(Unread::Damaged)
}

fn read_state(store: &CheckpointStore, manifest: Manifest) -> Result<Restored, Unread> {
    let files = Files::read(store, &manifest.runs)?;
    let own = manifest.runs.last().map_or(0, |run| run.files.len());
    let left = files.left(own)?;
    let left = left.iter().map(|message| postcard::from_bytes(message)).collect::<Result<_, _>>();
    let left = left.map_err(|error| Unread::Damaged(format!("its messages: {error}")))?;
    Ok(Restored { manifest, left, files })
}

/// Checkpoints of plans that are not on the log stop the start.
fn check_log(manifest: &Manifest, log: &dyn EventLog) -> Result<(), Failure> {
    let offset = manifest.plans.last_offset();
    let is_there = log.ends(&[EPOCHS])?[0] > offset
        && first_from(log, offset)?.value == manifest.plans.last_bytes();
    if is_there {
        // A log that has lost its front is refused, though this start would not read it.
        return first_from(log, 0).map(drop);
    }
    Err(Failure::HistoryRedone(format!(
        "history was redone: the checkpoints know a plan of epoch {} that is not on the log; \
         remove the views and the checkpoints to rebuild them, or restore the log they belong to",
        manifest.epoch
    )))
}

/// The first record from this place on of the plan topic, where there is one.
fn first_from(log: &dyn EventLog, offset: u64) -> Result<Record, Failure> {
    let (mut reader, mut records) = (log.reader(&[(EPOCHS, offset)])?, Vec::new());
    reader.read(PLAN_BYTES, &mut records)?;
    while records.is_empty() {
        reader.wait(WAIT_MAX);
        reader.read(PLAN_BYTES, &mut records)?;
    }
    Ok(records.swap_remove(0))
}

/// Views that know another history than the checkpoints stop the start.
fn check_views(manifest: &Manifest, mark: Option<&Mark>) -> Result<(), Failure> {
    let at = (manifest.era, manifest.epoch);
    let mark = mark.filter(|mark| at == (mark.era, mark.epoch));
    if mark.is_some_and(|mark| Some(mark.plan_hash) != manifest.plans.hash()) {
        return Err(Failure::HistoryRedone(format!(
            "history was redone: the views and the checkpoints know different plans of epoch {}; \
             remove the views to rebuild them",
            manifest.epoch
        )));
    }
    Ok(())
}

fn unavailable(error: &StoreError) -> Failure {
    Failure::Unavailable(error.to_string())
}
