//! What every process tells of itself, whichever part of the shop it runs: health, status, numbers,
//! the page on `/`.

use crate::ends::Ends;
use crate::status::ProcessStatus;
use crate::{metrics, pages, status};
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::view_store::ViewStore;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A process as it is told of. Cheap to clone.
#[derive(Clone)]
pub struct Running {
    pub(crate) views: Option<Arc<dyn ViewStore>>,
    pub(crate) ends: Ends,
    pub(crate) clock: Clock,
    pub(crate) status: Arc<dyn Fn() -> ProcessStatus + Send + Sync>,
}

impl Running {
    /// A process without views. Asks `log` for its ends, on a thread of its own, which ends with
    /// the last clone of this.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        clock: Clock,
        status: Arc<dyn Fn() -> ProcessStatus + Send + Sync>,
    ) -> Self {
        Self::over(None, Ends::start(log), clock, status)
    }

    pub(crate) fn over(
        views: Option<Arc<dyn ViewStore>>,
        ends: Ends,
        clock: Clock,
        status: Arc<dyn Fn() -> ProcessStatus + Send + Sync>,
    ) -> Self {
        Self { views, ends, clock, status }
    }
}

/// The routes that every process has.
#[must_use]
pub fn router(running: Running) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(status::get))
        .routes(routes!(status::live))
        .routes(routes!(status::ready))
        .routes(routes!(metrics::get))
        .route("/", axum::routing::get(pages::status))
        .with_state(running)
}
