//! The parts of a shop, by URL and in a data directory, and how their errors end the command.
//!
//! | in the directory | is |
//! |---|---|
//! | `log/` | the event log: all that must never be lost |
//! | `views/` | the view store: rebuilt from the log if removed |
//! | `checkpoints/` | state, so that a start need not replay the whole log: made anew if removed |
//! | `schema-ids.json` | what a schema registry has told: asked for anew if removed |
//! | `sandbox/` | what the sandbox gateway remembers |
//! | `webhook-secret` | what signs and proves webhooks |

use crate::cli::{Outside, Views, Work};
use crate::exit::Failure;
use crate::log::{LogSource, OpenLog};
use queries::LogStatus;
use sinks::checkpoint_store::{CheckpointStore, OpenError as CheckpointsError};
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::event_log::embedded::{Durability, FileLog, OpenError};
use sinks::schema_registry::{Location, OpenError as SchemasError, Schemas};
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::{EmbeddedViews, OpenError as ViewsError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What every server works with.
pub(crate) struct Opened {
    /// The one clock.
    pub(crate) clock: Clock,
    /// The schemas, and who is asked about others.
    pub(crate) schemas: Schemas,
    /// Where the log is.
    pub(crate) source: LogSource,
    /// The log as the server's callers use it.
    pub(crate) log: Arc<dyn EventLog>,
    /// On how many brokers each record of it is; none: on this machine.
    pub(crate) replicas: Option<usize>,
}

impl Opened {
    /// Opens what is shared with other processes: the log that `find` finds, as callers `open`
    /// it. The data directory is made.
    ///
    /// # Errors
    /// A part cannot be had.
    pub(crate) fn open(
        outside: &Outside,
        data: &Path,
        find: fn(&Outside, &Path, &Clock) -> Result<LogSource, Failure>,
        open: fn(&LogSource) -> Result<OpenLog, Failure>,
    ) -> Result<Self, Failure> {
        let clock = Clock::system();
        std::fs::create_dir_all(data)
            .map_err(|error| Failure::flag("data", format!("{}: {error}", data.display())))?;
        // Before the log: what is kept of a registry is there when a log is.
        let schemas = schemas(outside, data)?;
        let source = find(outside, data, &clock)?;
        let OpenLog { log, replicas } = open(&source)?;
        Ok(Self { clock, schemas, source, log, replicas })
    }

    /// What is told of the log.
    pub(crate) fn log_status(&self, outside: &Outside) -> LogStatus {
        LogStatus { namespace: outside.log_url.namespace().to_owned(), replication: self.replicas }
    }
}

/// The schemas to read and write with, as `--registry-url` says.
///
/// # Errors
/// The registry does not answer in time, or cannot be used.
fn schemas(outside: &Outside, data: &Path) -> Result<Schemas, Failure> {
    let Outside { log_url, registry_url, connect_timeout, .. } = outside;
    same_ids(registry_url, data)?;
    Schemas::open(registry_url, log_url.namespace(), data, *connect_timeout)
        .map_err(schemas_failure)
}

/// The schemas to read with, which registers nothing.
///
/// # Errors
/// The registry cannot be used.
pub(crate) fn read_schemas(outside: &Outside, data: &Path) -> Result<Schemas, Failure> {
    let Outside { log_url, registry_url, .. } = outside;
    same_ids(registry_url, data)?;
    Schemas::open_to_read(registry_url, log_url.namespace(), data).map_err(schemas_failure)
}

/// Refuses to read records with other ids than they were written with.
fn same_ids(registry: &Location, data: &Path) -> Result<(), Failure> {
    let kept = Schemas::are_kept(data);
    let detail = match registry {
        Location::Embedded if kept => {
            "the records of this shop have the ids of a schema registry; give its address"
        }
        Location::Server(_) if !kept && log_dir(data).is_dir() => {
            "the records of this shop have the ids of the schemas compiled in; use `embedded:`, or \
             another data directory"
        }
        Location::Embedded | Location::Server(_) => return Ok(()),
    };
    Err(Failure::flag("registry-url", format!("{detail} ({})", data.display())))
}

fn schemas_failure(error: SchemasError) -> Failure {
    match error {
        error @ SchemasError::Unreachable { .. } => Failure::Unreachable(error.to_string()),
        error @ (SchemasError::Unusable(_) | SchemasError::Another { .. }) => {
            Failure::flag("registry-url", error)
        }
        error @ SchemasError::File { .. } => Failure::flag("data", error),
    }
}

/// Opens the view store, as `--views-url` says.
///
/// # Errors
/// It is not one that this build knows; in use, damaged, or not to be had.
pub(crate) fn views(views: &Views, data: &Path) -> Result<Arc<EmbeddedViews>, Failure> {
    known("views-url", &views.views_url)?;
    Ok(Arc::new(open_views(data)?))
}

/// Opens the store of checkpoints, as `--checkpoints-url` says; none: they are not made.
///
/// # Errors
/// It is not one that this build knows, or not to be had.
pub(crate) fn checkpoints(
    work: &Work,
    data: &Path,
    keeps: bool,
) -> Result<Option<Arc<CheckpointStore>>, Failure> {
    let store = match work.checkpoints_url.as_str() {
        "none:" => return Ok(None),
        "embedded:" => CheckpointStore::open_folder(&data.join("checkpoints")),
        url if keeps => CheckpointStore::open(url),
        url => CheckpointStore::open_to_read(url),
    };
    store.map(|store| Some(Arc::new(store))).map_err(|error| match error {
        error @ CheckpointsError::InUse(_) => Failure::InUse(error.to_string()),
        error @ CheckpointsError::Unusable(_) => Failure::flag("checkpoints-url", error),
    })
}

/// Makes the views durable, at the end.
///
/// # Errors
/// The store does not take them.
pub(crate) fn flush(views: &dyn ViewStore) -> Result<(), Failure> {
    views.flush().map_err(|error| Failure::Damaged(format!("could not write the views: {error}")))
}

fn known(flag: &str, url: &str) -> Result<(), Failure> {
    if url == "embedded:" {
        return Ok(());
    }
    let detail = format!("`{url}` is not known to this build; it knows `embedded:`");
    Err(Failure::flag(flag, detail))
}

/// Where the log's files are.
#[must_use]
pub(crate) fn log_dir(data: &Path) -> PathBuf {
    data.join("log")
}

/// Where the view store's files are.
#[must_use]
pub(crate) fn views_dir(data: &Path) -> PathBuf {
    data.join("views")
}

/// Opens the log for a server.
///
/// # Errors
/// In use, damaged, or not to be had.
pub(crate) fn open_log(data: &Path, clock: Clock) -> Result<FileLog, Failure> {
    FileLog::open(&log_dir(data), clock, Durability::Durable).map_err(|e| log_failure(e, data))
}

/// Opens the log of a stopped shop to read it.
///
/// # Errors
/// In use, damaged, or not there.
pub(crate) fn read_log(data: &Path) -> Result<FileLog, Failure> {
    FileLog::open_read_only(&shops_log(data)?).map_err(|error| log_failure(error, data))
}

/// Opens the log of a running shop to read it.
///
/// # Errors
/// Damaged, or not there.
pub(crate) fn read_log_beside(data: &Path) -> Result<FileLog, Failure> {
    FileLog::open_beside_writer(&shops_log(data)?).map_err(|error| log_failure(error, data))
}

/// The log's files, which must be there.
///
/// # Errors
/// They are not.
pub(crate) fn shops_log(data: &Path) -> Result<PathBuf, Failure> {
    let dir = log_dir(data);
    if dir.is_dir() {
        return Ok(dir);
    }
    let detail = format!("{} holds no shop; give the directory of one", data.display());
    Err(Failure::flag("data", detail))
}

/// Opens the view store, for a server or to read it.
///
/// # Errors
/// In use, damaged, or not to be had.
pub(crate) fn open_views(data: &Path) -> Result<EmbeddedViews, Failure> {
    EmbeddedViews::open(&views_dir(data)).map_err(|error| match error {
        ViewsError::InUse(_) => Failure::InUse(error.to_string()),
        ViewsError::UnknownFormat { .. } | ViewsError::Damaged { .. } => {
            Failure::Damaged(error.to_string())
        }
        ViewsError::Io { .. } => Failure::flag("data", error),
    })
}

fn log_failure(error: OpenError, data: &Path) -> Failure {
    match error {
        error @ OpenError::InUse { .. } => Failure::InUse(format!("{}: {error}", data.display())),
        error @ (OpenError::Damaged { .. } | OpenError::UnknownFormat { .. }) => {
            Failure::Damaged(error.to_string())
        }
        error @ OpenError::Io { .. } => Failure::flag("data", error),
    }
}
