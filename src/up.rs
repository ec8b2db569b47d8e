//! `watermart up`: the whole shop in one process, on a log of its own or beside others.

use crate::cli::{Global, Up};
use crate::exit::Failure;
use crate::log::LogSource;
use crate::parts::{self, Opened};
use crate::serving::{self, Service};
use crate::{engine, last_words, payments};
use axum::Router;
use edge::front::front;
use ingest_api::ingest::{Decisions, Ingest, Limits, Ports};
use processors::engine::Role;
use processors::supervisor::Supervisor;
use queries::Queries;
use sinks::event_log::EventLog;
use sinks::view_store::ViewStore;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Runs the shop until a signal or a failure.
///
/// # Errors
/// What stopped it from serving, or from going on.
pub(crate) fn run(up: &Up, global: &Global) -> Result<(), Failure> {
    serving::check(&up.door)?;
    let runtime = serving::runtime()?;
    let shop = Shop::open(up, &global.data, &runtime)?;
    serving::run(shop, runtime, &up.door, global)
        .map_err(|failure| last_words::of(failure, &up.outside, &global.data))
}

/// An open shop: everything but the socket.
pub(crate) struct Shop {
    log: Arc<dyn EventLog>,
    views: Arc<dyn ViewStore>,
    engine: Supervisor,
    ingest: Ingest,
    queries: Queries,
}

impl Shop {
    /// Opens the parts; the engine starts at once. `runtime` delivers webhooks.
    ///
    /// # Errors
    /// What cannot be opened, and why.
    pub(crate) fn open(up: &Up, data: &Path, runtime: &Runtime) -> Result<Self, Failure> {
        let opened = Opened::open(&up.outside, data, LogSource::find, LogSource::for_callers)?;
        let views: Arc<dyn ViewStore> = parts::views(&up.views, data)?;
        let secrets = payments::secrets(&up.webhooks, data)?;
        let handle = runtime.handle().clone();
        let gateway = payments::opener(up.lead.payments_url, data, &opened, &secrets, handle);
        let written = Some(Arc::clone(&views));
        let how = (&up.work, &up.lead);
        let engine = engine::lead(&opened, data, how, (Role::StandsBy, None), written, gateway)?;
        let log_status = opened.log_status(&up.outside);
        let Opened { clock, schemas, log, .. } = opened;
        let codec = schemas.codec;
        let status = Arc::new(engine::status(&engine, up.work.workers, "ok", log_status));
        let queries = Queries::new(Arc::clone(&views), Arc::clone(&log), clock.clone(), status);
        let resources = Arc::new(queries.clone());
        let decisions = Some(Decisions { views: Arc::clone(&views), resources });
        let ports = Ports { log: Arc::clone(&log), codec, decisions };
        let ingest = Ingest::new(ports, clock, secrets, Limits::default());
        Ok(Self { log, views, engine, ingest, queries })
    }

    /// Blocks until it is ready to decide.
    ///
    /// # Errors
    /// The engine failed before.
    pub(crate) fn wait_ready(&self) -> Result<(), Failure> {
        self.engine.ready_source()().map_err(engine::failure)
    }
}

impl Service for Shop {
    fn router(&self) -> Router {
        let merged = queries::router(self.queries.clone())
            .merge(ingest_api::routes::router(self.ingest.clone()));
        front(queries::documented(merged))
    }

    fn engine(&self) -> Option<&Supervisor> {
        Some(&self.engine)
    }

    /// Finishes what was accepted, flushes, closes.
    fn stop(self) -> Result<(), Failure> {
        let Self { log, views, engine, ingest, queries } = self;
        drop((ingest, queries));
        let stopped = engine.stop().map_err(engine::failure);
        let flushed = parts::flush(&*views);
        log.close();
        stopped.and(flushed)
    }
}
