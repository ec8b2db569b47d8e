//! The parts of a shop in a data directory, and how their errors end the command.
//!
//! | in the directory | is |
//! |---|---|
//! | `log/` | the event log: all that must never be lost |
//! | `views/` | the view store: rebuilt from the log if removed |
//! | `schema-ids.json` | what a schema registry has told: asked for anew if removed |
//! | `sandbox/` | what the sandbox gateway remembers |
//! | `webhook-secret` | what signs and proves webhooks |

use crate::exit::Failure;
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog, OpenError};
use sinks::schema_registry::{Location, OpenError as SchemasError, Schemas};
use sinks::view_store::embedded::{EmbeddedViews, OpenError as ViewsError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first word of the names of a shop whose log is embedded.
pub(crate) const NAMESPACE: &str = "watermart";

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

fn shops_log(data: &Path) -> Result<PathBuf, Failure> {
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

/// The schemas to read and write with, from the registry.
///
/// # Errors
/// It does not answer in time, or cannot be used.
pub(crate) fn open_schemas(
    registry: &Location,
    namespace: &str,
    data: &Path,
    connect_timeout: Duration,
) -> Result<Schemas, Failure> {
    same_ids(registry, data)?;
    Schemas::open(registry, namespace, data, connect_timeout).map_err(schemas_failure)
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

/// The schemas to read with, which registers nothing.
///
/// # Errors
/// The registry cannot be used.
pub(crate) fn read_schemas(registry: &Location, data: &Path) -> Result<Schemas, Failure> {
    same_ids(registry, data)?;
    Schemas::open_to_read(registry, NAMESPACE, data).map_err(schemas_failure)
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

fn log_failure(error: OpenError, data: &Path) -> Failure {
    match error {
        error @ OpenError::InUse { .. } => Failure::InUse(format!("{}: {error}", data.display())),
        error @ (OpenError::Damaged { .. } | OpenError::UnknownFormat { .. }) => {
            Failure::Damaged(error.to_string())
        }
        error @ OpenError::Io { .. } => Failure::flag("data", error),
    }
}
