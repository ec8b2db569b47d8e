//! Checkpoints: state as of the end of an epoch, so that a start replays only what came after it.
//! They decide nothing: whoever loses all of them replays the log from its beginning.
//!
//! ```text
//! opener: "behind this epoch" --> workers save what changed --> keeper: files, then a manifest
//!                                                               (outputs published, rows durable)
//! start: newest manifest that fits --> workers load their key groups --> plans behind it
//! ```
//!
//! | on the store | is |
//! |---|---|
//! | `manifests/ERA-EPOCH` | what a checkpoint is made of; created once |
//! | `state/HASH` | what changed between two checkpoints, or what such files were merged into |

mod block;
mod file;
pub mod keeper;
pub mod manifest;
pub mod pace;
mod place;
pub mod restored;
mod runs;
pub mod snapshot;

use crate::engine::{Parts, Role};
use crate::failure::Failure;
use crate::threads::Threads;
use keeper::Keeper;
use restored::Restored;
use sinks::view_store::Mark;
use std::sync::Arc;

/// The checkpoint to go on from, if there is one.
///
/// # Errors
/// As [`Restored::newest`].
pub(crate) fn restored(
    parts: &Parts,
    mark: Option<&Mark>,
    role: Role,
) -> Result<Option<Arc<Restored>>, Failure> {
    let Some((store, _)) = &parts.checkpoints else { return Ok(None) };
    let may_publish = role != Role::Follows;
    let restored = Restored::newest(store, parts.log.as_ref(), mark, may_publish)?;
    if let Some(restored) = &restored {
        tracing::info!(epoch = restored.manifest.epoch, "going on behind a checkpoint");
    }
    Ok(restored.map(Arc::new))
}

/// The checkpoint of this name.
///
/// # Errors
/// As [`Restored::named`]; or this process has no store to read it from.
pub(crate) fn named(parts: &Parts, name: &str) -> Result<Arc<Restored>, Failure> {
    let Some((store, _)) = &parts.checkpoints else {
        return Err(Failure::Fault(format!(
            "the mesh goes on from the checkpoint {name}, and this process has no checkpoints: give \
             all of its processes the same `--checkpoints-url`"
        )));
    };
    Restored::named(store, name).map(Arc::new)
}

/// Starts the keeper, if checkpoints are made.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn spawn_keeper(
    threads: &mut Threads,
    parts: &Parts,
    role: Role,
    restored: Option<&Restored>,
) -> Result<(), Failure> {
    let Parts { views, checkpoints: Some((store, _)), clock, .. } = parts.clone() else {
        return Ok(());
    };
    let runs = restored.map_or_else(Vec::new, |restored| restored.manifest.runs.clone());
    let publishes = role != Role::Follows;
    let keeper = Keeper::new(Arc::clone(&threads.hub), store, views, clock, publishes, runs);
    threads.spawn("checkpoints", move |_| keeper.run())
}
