//! A codec and the registry that it learns from: at the start all that is registered for our
//! events, later whatever id a record names.
//!
//! A registry that is down stops nothing that is known: what it has told is kept in the data
//! directory, and a start that finds all of its own ids there goes on with a warning.

use super::confluent::ConfluentRegistry;
use super::embedded::Compiled;
use super::known::Known;
use super::{Location, RegistryError, SchemaRegistry};
use crate::clock::Clock;
use schemas::codec::{Codec, DecodeError};
use schemas::compiled;
use schemas::envelope::Envelope;
use schemas::events::{Event, EventKind};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// In the data directory.
const FILE: &str = "schema-ids.json";
/// Before a registry that does not answer at the start is asked again.
const RETRY: Duration = Duration::from_millis(200);
/// Calls at once at a start: a registry answers one in some 20 ms, and there are 100.
const AT_ONCE: usize = 4;

/// Why there is no codec.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The registry did not answer in time, and not all that is needed was known.
    #[error("the schema registry at {url} did not answer: {detail}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What the last attempt got.
        detail: String,
    },
    /// It answers, and that cannot be used.
    #[error(transparent)]
    Unusable(RegistryError),
    /// It says something else than it did: it is another one, or was set up anew.
    #[error(
        "the schema registry at {url} is not the one that this shop's records were written with: \
         {detail}; give the address of that one, or restore it. If no record was written yet, \
         remove {file}"
    )]
    Another {
        /// Its address.
        url: String,
        /// What differs.
        detail: String,
        /// Where it is kept what was told before.
        file: String,
    },
    /// What is known cannot be kept.
    #[error("could not write {file}: {detail}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
}

/// A codec, and whom to ask about an id that it does not know. Cheap to clone.
#[derive(Clone)]
pub struct Schemas {
    /// The codec.
    pub codec: Arc<Codec>,
    registry: Arc<dyn SchemaRegistry>,
    known: Option<Arc<Known>>,
    /// Whether what is learned is written to the file.
    keeps: bool,
}

impl Schemas {
    /// The schemas compiled in.
    #[must_use]
    pub fn embedded() -> Self {
        Self::over(Codec::compiled(), Arc::new(Compiled))
    }

    /// This codec, which learns from this registry and keeps nothing.
    #[must_use]
    pub fn over(codec: Codec, registry: Arc<dyn SchemaRegistry>) -> Self {
        Self { codec: Arc::new(codec), registry, known: None, keeps: false }
    }

    /// Whether this directory keeps what a registry has told: a shop's records have its ids then.
    #[must_use]
    pub fn are_kept(data: &Path) -> bool {
        data.join(FILE).is_file()
    }

    /// Registers what is compiled in, and learns all that is registered for our events. `data` is
    /// the directory that keeps it, `namespace` the first word of the subjects. Blocks up to
    /// `connect_timeout` for a registry that does not answer.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        location: &Location,
        namespace: &str,
        data: &Path,
        connect_timeout: Duration,
    ) -> Result<Self, OpenError> {
        let Location::Server(url) = location else { return Ok(Self::embedded()) };
        let registry = ConfluentRegistry::new(url, namespace).map_err(OpenError::Unusable)?;
        Self::start(Arc::new(registry), url, data, connect_timeout)
    }

    /// What another process reads with: registers and keeps nothing, and learns each id when a
    /// record names it, from the file in `data` or the registry. Encoding with it is a bug.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_to_read(
        location: &Location,
        namespace: &str,
        data: &Path,
    ) -> Result<Self, OpenError> {
        let Location::Server(url) = location else { return Ok(Self::embedded()) };
        let registry = ConfluentRegistry::new(url, namespace).map_err(OpenError::Unusable)?;
        let known = Some(Arc::new(Known::open(data.join(FILE))));
        let codec = Arc::new(Codec::reading());
        Ok(Self { codec, registry: Arc::new(registry), known, keeps: false })
    }

    pub(super) fn start(
        registry: Arc<dyn SchemaRegistry>,
        url: &str,
        data: &Path,
        connect_timeout: Duration,
    ) -> Result<Self, OpenError> {
        let (url, file) = (url.to_owned(), data.join(FILE));
        let known = Known::open(file.clone());
        let another = |detail| OpenError::Another {
            url: url.clone(),
            detail,
            file: file.display().to_string(),
        };
        // Who knows enough does not wait.
        let patience = if known.own().is_some() { Duration::ZERO } else { connect_timeout };
        match registered(registry.as_ref(), patience) {
            Ok(all) => {
                for (kind, registered) in &all {
                    known.add_own(*kind, registered.id).map_err(another)?;
                }
                for (id, text) in all.values().flat_map(|registered| &registered.others) {
                    known.add(*id, text).map_err(another)?;
                }
                known.save().map_err(|error| OpenError::File {
                    file: file.display().to_string(),
                    detail: error.to_string(),
                })?;
            }
            Err(RegistryError::Unavailable(detail)) if known.own().is_some() => {
                tracing::warn!(
                    url,
                    detail,
                    "the schema registry does not answer: going on with what it told before; \
                     records with a new schema will wait for it"
                );
            }
            Err(RegistryError::Unavailable(detail)) => {
                return Err(OpenError::Unreachable { url, detail });
            }
            Err(error) => return Err(OpenError::Unusable(error)),
        }
        let own = known.own().expect("all were registered, or known before");
        let given = own.iter().map(|(kind, id)| (*id, *kind, compiled::schema(*kind).to_owned()));
        let codec = Codec::new(given).map_err(|error| another(error.to_string()))?;
        for (id, text) in known.schemas() {
            codec.learn(id, &text);
        }
        let (codec, known) = (Arc::new(codec), Some(Arc::new(known)));
        Ok(Self { codec, registry, known, keeps: true })
    }

    /// Learns what this id stands for, if it is not known. Blocks while the registry is asked.
    ///
    /// # Errors
    /// It is still not known: nothing may be decided by that.
    pub fn learn(&self, id: u32) -> Result<(), RegistryError> {
        if self.codec.knows(id) {
            return Ok(());
        }
        if let Some(text) = self.known.as_ref().and_then(|known| known.schema(id)) {
            self.codec.learn(id, &text);
            return Ok(());
        }
        let text = self.registry.schema(id)?;
        self.codec.learn(id, &text);
        if let Some(known) = self.known.as_ref().filter(|_| self.keeps) {
            let kept = known.add(id, &text).and_then(|()| known.save().map_err(|e| e.to_string()));
            if let Err(error) = kept {
                tracing::warn!(id, error, "could not keep what the schema registry told");
            }
        }
        Ok(())
    }

    /// Reads an event with its envelope, having asked about an id that is not known. Blocks then.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(&self, bytes: &[u8]) -> Result<(Envelope, Event), DecodeError> {
        let decoded = self.codec.decode(bytes);
        let Err(DecodeError::UnknownSchema(id)) = decoded else { return decoded };
        if let Err(error) = self.learn(id) {
            tracing::warn!(id, %error, "a record names a schema that cannot be had");
            return decoded;
        }
        self.codec.decode(bytes)
    }
}

/// What is registered for one event.
struct Registered {
    id: u32,
    others: Vec<(u32, String)>,
}

/// Registers all events; asks again for `patience` while there is no answer.
fn registered(
    registry: &dyn SchemaRegistry,
    patience: Duration,
) -> Result<BTreeMap<EventKind, Registered>, RegistryError> {
    let clock = Clock::system();
    loop {
        let answered = registered_once(registry);
        let waits = matches!(answered, Err(RegistryError::Unavailable(_)));
        if !waits || clock.elapsed() >= patience {
            return answered;
        }
        thread::sleep(RETRY);
    }
}

fn registered_once(
    registry: &dyn SchemaRegistry,
) -> Result<BTreeMap<EventKind, Registered>, RegistryError> {
    // One alone first: where nothing answers, it is asked once.
    let (first, rest) = EventKind::ALL.split_first().expect("there are events");
    let mut all = BTreeMap::from([(*first, of_one(registry, *first)?)]);
    let share = rest.len().div_ceil(AT_ONCE);
    let answers = thread::scope(|scope| {
        let of_share = |kinds: &[EventKind]| -> Result<Vec<_>, RegistryError> {
            kinds.iter().map(|kind| Ok((*kind, of_one(registry, *kind)?))).collect()
        };
        let asked: Vec<_> =
            rest.chunks(share).map(|kinds| scope.spawn(move || of_share(kinds))).collect();
        let died = || Err(RegistryError::Unavailable("a thread that asked it died".to_owned()));
        asked
            .into_iter()
            .map(|asked| asked.join().unwrap_or_else(|_| died()))
            .collect::<Result<Vec<_>, _>>()
    })?;
    all.extend(answers.into_iter().flatten());
    Ok(all)
}

fn of_one(registry: &dyn SchemaRegistry, kind: EventKind) -> Result<Registered, RegistryError> {
    let id = registry.register(kind)?;
    let versions = registry.versions(kind)?;
    let others = versions.into_iter().filter(|version| version.id != id);
    Ok(Registered { id, others: others.map(|version| (version.id, version.text)).collect() })
}
