//! `watermart query`: the way out on its own. An engine follows the log and writes views of its own,
//! from which reads are answered; it decides nothing and appends nothing.

use crate::cli::{self, Global};
use crate::engine;
use crate::exit::Failure;
use crate::last_words;
use crate::log::LogSource;
use crate::parts::{self, Opened};
use crate::serving::{self, Service};
use axum::Router;
use edge::front::front;
use processors::supervisor::Supervisor;
use queries::Queries;
use sinks::view_store::ViewStore;
use std::path::Path;
use std::sync::Arc;

/// Answers until a signal or a failure.
///
/// # Errors
/// What stopped it from serving, or from going on.
pub(crate) fn run(flags: &cli::Query, global: &Global) -> Result<(), Failure> {
    serving::check(&flags.door)?;
    let runtime = serving::runtime()?;
    let replica = Replica::open(flags, &global.data)?;
    serving::run(replica, runtime, &flags.door, global)
        .map_err(|failure| last_words::of(failure, &flags.outside, &global.data))
}

struct Replica {
    views: Arc<dyn ViewStore>,
    engine: Supervisor,
    queries: Queries,
}

impl Replica {
    fn open(flags: &cli::Query, data: &Path) -> Result<Self, Failure> {
        let opened =
            Opened::open(&flags.outside, data, LogSource::find_shared, LogSource::to_read)?;
        let views: Arc<dyn ViewStore> = parts::views(&flags.views, data)?;
        let engine = engine::follow(&opened, data, &flags.work, Arc::clone(&views))?;
        let log_status = opened.log_status(&flags.outside);
        let Opened { clock, log, .. } = opened;
        let status = Arc::new(engine::status(&engine, flags.work.workers, "ok", log_status));
        let queries = Queries::new(Arc::clone(&views), log, clock, status);
        Ok(Self { views, engine, queries })
    }
}

impl Service for Replica {
    fn router(&self) -> Router {
        front(queries::documented(queries::router(self.queries.clone())))
    }

    fn engine(&self) -> Option<&Supervisor> {
        Some(&self.engine)
    }

    /// Finishes the epochs that are open.
    fn stop(self) -> Result<(), Failure> {
        let Self { views, engine, queries } = self;
        drop(queries);
        let stopped = engine.stop().map_err(engine::failure);
        let flushed = parts::flush(&*views);
        stopped.and(flushed)
    }
}
