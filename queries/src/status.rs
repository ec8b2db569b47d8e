//! How the shop is: for people (`/v1/status`, which the page on `/` shows) and for what starts and
//! stops servers (`/livez`, `/readyz`).
//!
//! It answers whatever is broken: an end that the log does not tell is null.

use crate::Queries;
use crate::answer::rfc3339;
use crate::freshness::applied;
use axum::Json;
use axum::extract::State;
use edge::principal::Principal;
use edge::problem::{Body, Code, Problem};
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use serde::Serialize;
use sinks::view_store::rows::View;
use sinks::view_store::{Mark, ViewError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a report waits for the log's ends.
const ENDS_WAIT: Duration = Duration::from_secs(1);

/// What the engine says of itself.
#[derive(Clone, Debug)]
pub struct EngineStatus {
    /// Whether actions are decided, or why not.
    pub ready: Result<(), String>,
    /// The offset of the claim in force.
    pub generation: u64,
    /// The last finished epoch.
    pub epoch: u64,
    /// Its `now`.
    pub now: Timestamp,
    /// Timely threads.
    pub workers: usize,
    /// By an invariant's id, of those that are checked while the shop runs.
    pub invariants: BTreeMap<&'static str, Invariant>,
    /// Records put aside.
    pub dead_letters: u64,
    /// Partitions that are read no further for now.
    pub held: Vec<Held>,
}

/// The whole shop at a glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Report {
    /// The build's.
    version: &'static str,
    /// The offset of the claim in force.
    generation: u64,
    /// The last finished epoch.
    pub(crate) epoch: u64,
    /// Its time.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// How long ago that was; null before the first epoch. Without input there is one a second.
    epoch_age_ms: Option<u64>,
    /// Threads that decide.
    workers: usize,
    /// By topic and partition, of all that plans cut.
    pub(crate) log: BTreeMap<String, Progress>,
    pub(crate) views: Vec<ViewStatus>,
    /// The newest one; null until checkpoints are taken.
    #[schema(value_type = Option<Object>)]
    checkpoint: (),
    /// By id, of those that are checked while the shop runs, counted since it started.
    #[schema(value_type = BTreeMap<String, Invariant>)]
    pub(crate) invariants: BTreeMap<&'static str, Invariant>,
    /// Records put aside.
    pub(crate) dead_letters: u64,
    /// Partitions that are read no further until the schema of their next record is known, or an
    /// operator sets it aside. An alarm if it lasts.
    pub(crate) held: Vec<Held>,
}

/// A partition that is held, and the record that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Held {
    /// Topic and partition.
    pub partition: String,
    /// The record's.
    pub offset: u64,
    /// The schema that is not known here.
    pub schema_id: u32,
}

/// How far a partition is read.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// The offset that its next record will have; null if the log does not say.
    pub(crate) end: Option<u64>,
    /// The first offset that is not in the views.
    pub(crate) applied: u64,
}

/// How a view is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViewStatus {
    pub(crate) name: &'static str,
    /// Up to which it is complete.
    epoch: u64,
    /// Age of that epoch, in milliseconds; 0 if everything on the log is in it.
    pub(crate) lag_ms: u64,
    pub(crate) rows: u64,
}

/// How often an invariant was checked, and how often it did not hold.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Invariant {
    /// Checks.
    pub checked: u64,
    /// Checks in which it did not hold. An alarm if there is any.
    pub breaches: u64,
}

/// Whether the server runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// The whole shop at a glance.
#[utoipa::path(
    get, path = "/v1/status", tag = "running",
    responses((status = 200, body = Report))
)]
pub(crate) async fn get(
    State(queries): State<Queries>,
    _: Principal,
) -> Result<Json<Report>, Problem> {
    Ok(Json(queries.report().await?))
}

/// Answers while the process runs.
#[utoipa::path(get, path = "/livez", tag = "running", responses((status = 200, body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Answers 200 when actions are decided; else 503 with the reason.
#[utoipa::path(
    get, path = "/readyz", tag = "running",
    responses(
        (status = 200, body = Health),
        (status = 503, body = Body<'_>, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ready(State(queries): State<Queries>) -> Result<Json<Health>, Problem> {
    match (queries.status)().ready {
        Ok(()) => Ok(Json(Health { status: "ok" })),
        Err(reason) => Err(Problem::new(Code::NotReady, reason)),
    }
}

impl Queries {
    pub(crate) async fn report(&self) -> Result<Report, ViewError> {
        let engine = (self.status)();
        let ends = self.ends_if_told().await;
        // After the ends, so that nothing is called applied beyond them without need.
        let mark = Arc::clone(&self.views.marks().borrow());
        let log: BTreeMap<_, _> = progress(&mark, ends.as_deref());
        Ok(Report {
            version: env!("CARGO_PKG_VERSION"),
            generation: engine.generation,
            epoch: engine.epoch,
            now: engine.now,
            epoch_age_ms: (engine.epoch > 0).then(|| self.age_ms(engine.now)),
            workers: engine.workers,
            views: self.view_statuses(&mark, &log)?,
            log,
            checkpoint: (),
            invariants: engine.invariants,
            dead_letters: engine.dead_letters,
            held: engine.held,
        })
    }

    async fn ends_if_told(&self) -> Option<Arc<[u64]>> {
        match tokio::time::timeout(ENDS_WAIT, self.ends.ask()).await {
            Ok(Ok(ends)) => Some(ends),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the log does not tell its ends");
                None
            }
            Err(_elapsed) => None,
        }
    }

    /// Milliseconds since then; none if the wall clock was set back meanwhile.
    fn age_ms(&self, at: Timestamp) -> u64 {
        u64::try_from(self.clock.now().0.saturating_sub(at.0)).unwrap_or(0)
    }

    fn view_statuses(
        &self,
        mark: &Mark,
        log: &BTreeMap<String, Progress>,
    ) -> Result<Vec<ViewStatus>, ViewError> {
        let all_applied = log.values().all(|p| p.end.is_some_and(|end| p.applied >= end));
        let age_ms = match mark.epoch {
            // No epoch has an age yet: what waits has waited since the start at most.
            0 => u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            _ => self.age_ms(mark.now),
        };
        let lag_ms = if all_applied { 0 } else { age_ms };
        let status = |view: &View| {
            let rows = self.views.rows(*view)?;
            Ok(ViewStatus { name: view.name(), epoch: mark.epoch, lag_ms, rows })
        };
        View::ALL.iter().map(status).collect()
    }
}

fn progress(mark: &Mark, ends: Option<&[u64]>) -> BTreeMap<String, Progress> {
    let end = |index| ends.and_then(|ends| ends.get(index).copied());
    TopicPartition::inputs()
        .enumerate()
        .map(|(index, partition)| {
            let progress = Progress { end: end(index), applied: applied(mark, index) };
            (partition.to_string(), progress)
        })
        .collect()
}
