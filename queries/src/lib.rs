//! The way out: what the log has decided, read from the views and told over HTTP.
//!
//! What must stay true here:
//! - a read that asked for more than the views have waits, and where it cannot wait longer it says
//!   so (`freshness.rs`); it never passes off an old answer;
//! - nothing here changes anything;
//! - one file a resource, and all routes in [`router`].
//!
//! The command merges [`router`] with that of the way in, and [`documented`] gives the merged one
//! its description. A process without views has [`running::router`] alone.

mod answer;
mod carts;
mod ends;
mod freshness;
mod metrics;
mod orders;
mod pages;
mod paging;
mod payments;
mod products;
mod reservations;
pub mod running;
mod status;
mod stock;
#[cfg(test)]
mod tests;
mod warehouses;

pub use status::{Checkpoint, EngineStatus, Held, Invariant, LogStatus, ProcessStatus, Started};

use edge::resource::{Resource, Resources};
use ends::Ends;
use running::Running;
use serde_json::Value;
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::view_store::{ViewError, ViewStore};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Queries {
    views: Arc<dyn ViewStore>,
    ends: Ends,
    running: Running,
}

impl Queries {
    /// Reads `views`, asks `log` for its ends (on a thread of its own, which ends with the last
    /// clone of this), and tells of the process what `status` says.
    #[must_use]
    pub fn new(
        views: Arc<dyn ViewStore>,
        log: Arc<dyn EventLog>,
        clock: Clock,
        status: Arc<dyn Fn() -> ProcessStatus + Send + Sync>,
    ) -> Self {
        let ends = Ends::start(log);
        let running = Running::over(Some(Arc::clone(&views)), ends.clone(), clock, status);
        Self { views, ends, running }
    }
}

impl Resources for Queries {
    fn resource(&self, resource: Resource) -> Result<Option<Value>, ViewError> {
        match resource {
            Resource::Order(id) => self.order_json(id),
            Resource::Cart(id) => self.cart_json(id).map(Some),
            Resource::Product(id) => self.product_json(id),
            Resource::Stock(id) => self.stock_json(id),
            Resource::Warehouse(id) => self.warehouse_json(id),
        }
    }
}

/// Every route of the way out.
#[must_use]
pub fn router(queries: Queries) -> OpenApiRouter {
    let running = running::router(queries.running.clone());
    let resources = OpenApiRouter::new()
        .routes(routes!(warehouses::list))
        .routes(routes!(warehouses::get))
        .routes(routes!(products::list))
        .routes(routes!(products::get))
        .routes(routes!(stock::get))
        .routes(routes!(reservations::list))
        .routes(routes!(carts::get))
        .routes(routes!(orders::get))
        .routes(routes!(orders::of_customer))
        .routes(routes!(payments::get))
        .with_state(queries);
    resources.merge(running)
}

/// The merged router of a server, with `/openapi.json` and `/docs`.
pub fn documented(merged: OpenApiRouter) -> axum::Router {
    let (router, api) = merged.split_for_parts();
    router.merge(pages::documentation(api))
}
