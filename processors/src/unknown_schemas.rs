//! The thread that asks the registry what it is that holds partitions. It blocks nobody: a registry
//! may take its time, or be away.

use crate::hub::Hub;
use sinks::schema_registry::Schemas;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError};
use std::time::Duration;

/// Before the registry is asked again; twice as long each time, up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Asks for each id that is named to `unknown` until it is known or holds nothing any more; ends
/// when the other end is gone.
pub fn run(hub: &Arc<Hub>, schemas: &Schemas, unknown: &Receiver<u32>) {
    // Whether the alarm was raised for it.
    let mut asked: BTreeMap<u32, bool> = BTreeMap::new();
    let mut retry = RETRY_MIN;
    loop {
        match next(unknown, (!asked.is_empty()).then_some(retry)) {
            Ok(schema) => {
                asked.entry(schema).or_default();
                retry = RETRY_MIN;
            }
            Err(RecvTimeoutError::Timeout) => retry = RETRY_MAX.min(2 * retry),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        asked.retain(|schema, alarmed| {
            holds(hub, *schema) && !learn(hub, schemas, *schema, alarmed)
        });
    }
}

/// The next id; without a limit where there is nothing to ask again.
fn next(unknown: &Receiver<u32>, limit: Option<Duration>) -> Result<u32, RecvTimeoutError> {
    limit.map_or_else(
        || unknown.recv().map_err(|RecvError| RecvTimeoutError::Disconnected),
        |limit| unknown.recv_timeout(limit),
    )
}

fn holds(hub: &Hub, schema: u32) -> bool {
    let state = hub.lock();
    let ends = state.stopping || state.failed();
    let mut held = state.inputs.iter().map(|partition| partition.held);
    !ends && (held.any(|held| held == Some(schema)) || state.plans_held == Some(schema))
}

/// Whether it is known now.
fn learn(hub: &Hub, schemas: &Schemas, schema: u32, alarmed: &mut bool) -> bool {
    match schemas.learn(schema) {
        Ok(()) => {
            tracing::info!(schema, "a schema was learned");
            // With the lock, so that nobody is between looking and waiting.
            let _state = hub.lock();
            hub.notify();
            true
        }
        Err(error) => {
            if !std::mem::replace(alarmed, true) {
                tracing::error!(
                    schema,
                    %error,
                    "records with this schema hold their partitions, which /v1/status names: see \
                     that the registry answers and has it, or set them aside with `watermart \
                     epochs skip`"
                );
            }
            false
        }
    }
}
