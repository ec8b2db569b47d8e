//! `watermart process`: decides what is on the log, and has payments asked for. Of several, one
//! leads; the others follow, ready to take over. Nobody reads views here, so none are written.
//! Several may be one mesh, which leads or follows as one.

use crate::cli::{self, Global};
use crate::exit::Failure;
use crate::log::LogSource;
use crate::parts::Opened;
use crate::serving::{self, Service};
use crate::{engine, last_words, mesh, payments};
use axum::Router;
use edge::front::front;
use processors::engine::Role;
use processors::supervisor::Supervisor;
use queries::running::{self, Running};
use sinks::event_log::EventLog;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Decides until a signal or a failure.
///
/// # Errors
/// What stopped it from starting, or from going on.
pub(crate) fn run(flags: &cli::Process, global: &Global) -> Result<(), Failure> {
    serving::check(&flags.door)?;
    let runtime = serving::runtime()?;
    let process = Process::open(flags, &global.data, &runtime)?;
    serving::run(process, runtime, &flags.door, global)
        .map_err(|failure| last_words::of(failure, &flags.outside, &global.data))
}

struct Process {
    /// What webhooks come in by.
    log: Arc<dyn EventLog>,
    engine: Supervisor,
    running: Running,
}

impl Process {
    fn open(flags: &cli::Process, data: &Path, runtime: &Runtime) -> Result<Self, Failure> {
        let opened =
            Opened::open(&flags.outside, data, LogSource::find_shared, LogSource::for_callers)?;
        let mesh = mesh::listen(&flags.place, &flags.work, flags.outside.log_url.namespace())?;
        let is_head = mesh.as_ref().is_none_or(|mesh| mesh.is_head());
        let secrets = payments::secrets(&flags.webhooks, data)?;
        let handle = runtime.handle().clone();
        let gateway = payments::opener(flags.lead.payments_url, data, &opened, &secrets, handle);
        let stands_by = if flags.follow { Role::StandsByHot } else { Role::StandsBy };
        let how = (&flags.work, &flags.lead);
        let engine = engine::lead(&opened, data, how, (stands_by, mesh), None, gateway)?;
        let log_status = opened.log_status(&flags.outside);
        let Opened { clock, log, .. } = opened;
        let following = if is_head { "standing by" } else { "member of a mesh" };
        let status = engine::status(&engine, flags.work.workers, following, log_status);
        let running = Running::new(Arc::clone(&log), clock, Arc::new(status));
        Ok(Self { log, engine, running })
    }
}

impl Service for Process {
    fn router(&self) -> Router {
        front(queries::documented(running::router(self.running.clone())))
    }

    fn engine(&self) -> Option<&Supervisor> {
        Some(&self.engine)
    }

    /// Finishes and publishes what was planned.
    fn stop(self) -> Result<(), Failure> {
        let stopped = self.engine.stop().map_err(engine::failure);
        self.log.close();
        stopped
    }
}
