//! What a registry has told so far, in a small file: so that a start while the registry is down
//! knows what it knew. It may be removed; what it says is never against the registry.

use schemas::compiled;
use schemas::events::EventKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    /// By an event's full name: the id of the schema it was written with last.
    written: BTreeMap<String, u32>,
    /// By id.
    schemas: BTreeMap<u32, String>,
}

/// What is known, in memory and in the file.
#[derive(Debug)]
pub(super) struct Known {
    path: PathBuf,
    told: Mutex<Told>,
}

impl Known {
    /// What the file says; nothing if there is none, or none that can be read.
    pub(super) fn open(path: PathBuf) -> Self {
        let told = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "it is not what was written there");
                Told::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Told::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "could not read what was known");
                Told::default()
            }
        };
        Self { path, told: Mutex::new(told) }
    }

    /// The ids of all events as they are compiled in; none unless every one is known.
    pub(super) fn own(&self) -> Option<BTreeMap<EventKind, u32>> {
        let told = self.told();
        let id = |kind: &EventKind| {
            let id = *told.written.get(&compiled::full_name(*kind))?;
            let text = told.schemas.get(&id)?;
            (text == compiled::schema(*kind)).then_some((*kind, id))
        };
        EventKind::ALL.iter().map(id).collect()
    }

    pub(super) fn schema(&self, id: u32) -> Option<String> {
        self.told().schemas.get(&id).cloned()
    }

    pub(super) fn schemas(&self) -> BTreeMap<u32, String> {
        self.told().schemas.clone()
    }

    /// Takes in the id of an event as it is compiled in.
    ///
    /// # Errors
    /// The registry said something else before, in words.
    pub(super) fn add_own(&self, kind: EventKind, id: u32) -> Result<(), String> {
        let (name, text) = (compiled::full_name(kind), compiled::schema(kind));
        let mut told = self.told();
        if let Some(before) = told.written.get(&name)
            && *before != id
            && told.schemas.get(before).is_some_and(|before| before == text)
        {
            return Err(format!("{name} has id {id} now and had {before} before"));
        }
        let as_before =
            told.schemas.get(&id).is_none_or(|before| compiled::lies_alike(before, text));
        if !as_before {
            return Err(format!("id {id} is {name} now and was another schema before"));
        }
        told.written.insert(name, id);
        told.schemas.insert(id, text.to_owned());
        Ok(())
    }

    /// Takes in what another id stands for.
    ///
    /// # Errors
    /// The registry said something else before, in words.
    pub(super) fn add(&self, id: u32, text: &str) -> Result<(), String> {
        let mut told = self.told();
        let before = told.schemas.entry(id).or_insert_with(|| text.to_owned());
        if before == text || compiled::lies_alike(before, text) {
            return Ok(());
        }
        Err(format!("id {id} is another schema now than it was before"))
    }

    /// Writes the file anew, whole or not at all.
    pub(super) fn save(&self) -> io::Result<()> {
        let told = self.told();
        let bytes = serde_json::to_vec_pretty(&*told)?;
        let beside = self.path.with_extension("tmp");
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
