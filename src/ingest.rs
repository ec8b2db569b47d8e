//! `watermart ingest`: the way in on its own. It takes actions and webhooks, puts them on the log,
//! and knows nothing of what becomes of them.

use crate::cli::{self, Global};
use crate::exit::Failure;
use crate::log::LogSource;
use crate::parts::Opened;
use crate::payments;
use crate::serving::{self, Service};
use axum::Router;
use edge::front::front;
use ingest_api::ingest::{Ingest, Limits, Ports};
use processors::supervisor::Supervisor;
use queries::ProcessStatus;
use queries::running::{self, Running};
use sinks::event_log::EventLog;
use std::path::Path;
use std::sync::Arc;

/// Serves until a signal.
///
/// # Errors
/// What stopped it from serving.
pub(crate) fn run(flags: &cli::Ingest, global: &Global) -> Result<(), Failure> {
    serving::check(&flags.door)?;
    let runtime = serving::runtime()?;
    let way_in = WayIn::open(flags, &global.data)?;
    serving::run(way_in, runtime, &flags.door, global)
}

struct WayIn {
    log: Arc<dyn EventLog>,
    ingest: Ingest,
    running: Running,
}

impl WayIn {
    fn open(flags: &cli::Ingest, data: &Path) -> Result<Self, Failure> {
        let opened =
            Opened::open(&flags.outside, data, LogSource::find_shared, LogSource::for_callers)?;
        let secrets = payments::secrets(&flags.webhooks, data)?;
        let log_status = opened.log_status(&flags.outside);
        let Opened { clock, schemas, log, .. } = opened;
        let codec = schemas.codec;
        let ports = Ports { log: Arc::clone(&log), codec, decisions: None };
        let ingest = Ingest::new(ports, clock.clone(), secrets, Limits::default());
        let taking = ingest.clone();
        let status = move || ProcessStatus {
            ready: taking.refused().map_or(Ok("ok"), Err),
            engine: None,
            log: log_status.clone(),
        };
        let running = Running::new(Arc::clone(&log), clock, Arc::new(status));
        Ok(Self { log, ingest, running })
    }
}

impl Service for WayIn {
    fn router(&self) -> Router {
        let actions = ingest_api::routes::router(self.ingest.clone());
        front(queries::documented(running::router(self.running.clone()).merge(actions)))
    }

    fn engine(&self) -> Option<&Supervisor> {
        None
    }

    /// Answers what is under way.
    fn stop(self) -> Result<(), Failure> {
        self.log.close();
        Ok(())
    }
}
