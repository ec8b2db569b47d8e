//! The payment gateway, as `--payments-url` says, and the secrets that prove its webhooks.
//!
//! A gateway is opened when this process begins to lead, and closed when it ends to: of several
//! processes, each with a sandbox of its own, one asks.

use crate::cli::{Payments, Webhooks};
use crate::exit::Failure;
use crate::parts::Opened;
use ingest_api::ingest::{Ingest, Limits, Ports};
use processors::failure::Failure as EngineFailure;
use processors::supervisor::OpenGateway;
use sinks::clock::Clock;
use sinks::payment_gateway::embedded::{Deliver, OpenError, Sandbox, Webhook};
use sinks::payment_gateway::manual::Manual;
use sinks::payment_gateway::signature::Secrets;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The secrets of webhooks: those of the file that is named, or the data directory's, which makes
/// one if there is none.
///
/// # Errors
/// They cannot be read or made.
pub(crate) fn secrets(webhooks: &Webhooks, data: &Path) -> Result<Secrets, Failure> {
    webhooks
        .webhook_secret_file
        .as_ref()
        .map_or_else(|| Secrets::load_or_create(&data.join("webhook-secret")), |f| Secrets::load(f))
        .map_err(|error| Failure::flag("webhook-secret-file", error))
}

/// How the gateway of a process is opened. Its webhooks come in by a way of their own, on threads
/// of `handle`.
pub(crate) fn opener(
    payments: Payments,
    data: &Path,
    opened: &Opened,
    secrets: &Secrets,
    handle: Handle,
) -> OpenGateway {
    let (dir, clock, secrets) = (data.join("sandbox"), opened.clock.clone(), secrets.clone());
    let ports = Ports {
        log: Arc::clone(&opened.log),
        codec: Arc::clone(&opened.schemas.codec),
        decisions: None,
    };
    let ingest = Ingest::new(ports, clock.clone(), secrets.clone(), Limits::default());
    Box::new(move || match payments {
        Payments::Manual => Ok(Arc::new(Manual)),
        Payments::Sandbox => {
            let deliver = delivery(ingest.clone(), handle.clone());
            Ok(Arc::new(sandbox(&dir, secrets.clone(), clock.clone(), deliver)?))
        }
    })
}

fn sandbox(
    dir: &Path,
    secrets: Secrets,
    clock: Clock,
    deliver: Deliver,
) -> Result<Sandbox, EngineFailure> {
    std::fs::create_dir_all(dir)
        .map_err(|error| EngineFailure::Fault(format!("{}: {error}", dir.display())))?;
    Sandbox::open(dir, secrets, clock, deliver).map_err(|error| failure(&error))
}

fn delivery(ingest: Ingest, handle: Handle) -> Deliver {
    Box::new(move |webhooks: Vec<Webhook>| {
        let webhooks: Vec<_> = webhooks.into_iter().map(|w| (w.signature, w.body)).collect();
        handle.block_on(ingest.deliver(&webhooks))
    })
}

fn failure(error: &OpenError) -> EngineFailure {
    let text = error.to_string();
    match error {
        OpenError::InUse { .. } => EngineFailure::Unavailable(text),
        OpenError::Damaged { .. } => EngineFailure::Damaged(text),
        OpenError::Io { .. } => EngineFailure::Fault(text),
    }
}
