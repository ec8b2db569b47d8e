//! How the shop is: for people (`/v1/status`, which the page on `/` shows) and for what starts and
//! stops servers (`/livez`, `/readyz`).
//!
//! It answers whatever is broken: an end that the log does not tell is null.

use crate::answer::{rfc3339, rfc3339_or_null};
use crate::running::Running;
use axum::Json;
use axum::extract::State;
use edge::principal::Principal;
use edge::problem::{Body, Code, Problem};
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use serde::Serialize;
use sinks::view_store::rows::View;
use sinks::view_store::{Mark, ViewError, ViewStore};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a report waits for the log's ends.
const ENDS_WAIT: Duration = Duration::from_secs(1);

/// What a process says of itself.
#[derive(Clone, Debug)]
pub struct ProcessStatus {
    /// Whether it does its part, and in what word; or why not.
    pub ready: Result<&'static str, String>,
    /// Of a process that runs one.
    pub engine: Option<EngineStatus>,
    /// Of the log that it works on.
    pub log: LogStatus,
}

/// What a process says of its log.
#[derive(Clone, Debug)]
pub struct LogStatus {
    /// The first word of its topics' names.
    pub namespace: String,
    /// On how many brokers each record of it is; none: on this machine.
    pub replication: Option<usize>,
}

/// What the engine says of itself.
#[derive(Clone, Debug)]
pub struct EngineStatus {
    /// Where it stands, in a word: `leads`, `follows`, ..
    pub standing: &'static str,
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
    /// Records of orders that were settled more than a week before.
    pub late: u64,
    /// Of each input, the first offset that is not in a finished epoch; empty is all 0.
    pub applied: Arc<Vec<u64>>,
    /// Partitions that are read no further for now.
    pub held: Vec<Held>,
    /// The newest one.
    pub checkpoint: Option<Checkpoint>,
    /// How long its start took.
    pub started: Started,
}

/// The process at a glance, and the shop as far as it knows it. Null is what it does not know: an
/// `ingest` knows no epoch.
#[derive(Serialize, ToSchema)]
pub(crate) struct Report {
    /// The build's.
    version: &'static str,
    /// Where the engine stands: `replays`, `waits`, `follows`, `leads` or `halts`.
    standing: Option<&'static str>,
    /// The offset of the claim in force.
    generation: Option<u64>,
    /// The last finished epoch.
    pub(crate) epoch: Option<u64>,
    /// Its time.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    now: Option<Timestamp>,
    /// How long ago that was; null before the first epoch. Without input there is one a second.
    epoch_age_ms: Option<u64>,
    /// Threads that decide.
    workers: Option<usize>,
    /// On how many brokers each record of the log is. With 1, what is acknowledged is lost with its
    /// broker. Null: the log is files.
    log_replication: Option<usize>,
    /// By topic, as it is called on the log, and partition, of all that plans cut.
    pub(crate) log: BTreeMap<String, Progress>,
    pub(crate) views: Vec<ViewStatus>,
    /// The newest one; null until one is made.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// How long the engine's start took; all but the first are 0 until they are over.
    started: Option<Started>,
    /// By id, of those that are checked while the shop runs, counted since it started.
    #[schema(value_type = BTreeMap<String, Invariant>)]
    pub(crate) invariants: BTreeMap<&'static str, Invariant>,
    /// Records put aside.
    pub(crate) dead_letters: Option<u64>,
    /// Records of orders that were settled more than a week before, since the process started.
    pub(crate) late: Option<u64>,
    /// Partitions that are read no further until the schema of their next record is known, or an
    /// operator sets it aside. An alarm if it lasts.
    pub(crate) held: Option<Vec<Held>>,
}

/// State as it was saved: a start replays what came after it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Checkpoint {
    /// As of the end of this epoch.
    pub epoch: u64,
    /// When it was written.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Of its files.
    pub bytes: u64,
}

/// How long a start took, part by part.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Started {
    /// From the beginning of the process to that of its engine: log and views are opened.
    pub before_ms: u64,
    /// To find the newest checkpoint that fits, and read its files.
    pub checkpoint_ms: u64,
    /// To make the workers' state of them.
    pub load_ms: u64,
    /// To do what stood on the log behind it.
    pub replay_ms: u64,
}

/// A partition that is held, and the record that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Held {
    /// Topic, as it is called on the log, and partition.
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
    /// The first offset that is not in the views, or decided where there are none.
    pub(crate) applied: Option<u64>,
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
    /// `ok`; `standing by` where another process leads and this one is there to take over.
    status: &'static str,
}

/// The whole shop at a glance.
#[utoipa::path(
    get, path = "/v1/status", tag = "running",
    responses((status = 200, body = Report))
)]
pub(crate) async fn get(
    State(running): State<Running>,
    _: Principal,
) -> Result<Json<Report>, Problem> {
    Ok(Json(running.report().await?))
}

/// Answers while the process runs.
#[utoipa::path(get, path = "/livez", tag = "running", responses((status = 200, body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Answers 200 when the process does its part, standing by among it; else 503 with the reason.
#[utoipa::path(
    get, path = "/readyz", tag = "running",
    responses(
        (status = 200, body = Health),
        (status = 503, body = Body<'_>, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ready(State(running): State<Running>) -> Result<Json<Health>, Problem> {
    match running.readiness().await {
        Ok(status) => Ok(Json(Health { status })),
        Err(reason) => Err(Problem::new(Code::NotReady, reason)),
    }
}

impl Running {
    /// Whether the process does its part, or why not. Without the log none does.
    pub(crate) async fn readiness(&self) -> Result<&'static str, String> {
        let status = (self.status)().ready?;
        self.ends_if_told()
            .await
            .map(|_| status)
            .ok_or_else(|| "the log does not answer".to_owned())
    }

    pub(crate) async fn report(&self) -> Result<Report, ViewError> {
        let ends = self.ends_if_told().await;
        // After the ends, so that nothing is called applied beyond them without need.
        let mark = self.views.as_ref().map(|views| Arc::clone(&views.marks().borrow()));
        let ProcessStatus { engine, log: LogStatus { namespace, replication }, .. } =
            (self.status)();
        let engine = engine.as_ref();
        let decided = engine.map(|engine| engine.applied.as_slice());
        let log = progress(
            mark.as_ref().map(|mark| mark.applied.as_slice()).or(decided),
            ends.as_deref(),
            &namespace,
        );
        let views = self.views.as_ref().zip(mark.as_ref());
        let views =
            views.map(|(views, mark)| self.view_statuses(&**views, mark, &log)).transpose()?;
        let last = engine.filter(|engine| engine.epoch > 0);
        Ok(Report {
            version: env!("CARGO_PKG_VERSION"),
            standing: engine.map(|engine| engine.standing),
            generation: engine.map(|engine| engine.generation),
            epoch: engine.map(|engine| engine.epoch),
            now: engine.map(|engine| engine.now),
            epoch_age_ms: last.map(|engine| self.age_ms(engine.now)),
            workers: engine.map(|engine| engine.workers),
            log_replication: replication,
            views: views.unwrap_or_default(),
            log,
            checkpoint: engine.and_then(|engine| engine.checkpoint),
            started: engine.map(|engine| engine.started),
            invariants: engine.map(|engine| engine.invariants.clone()).unwrap_or_default(),
            dead_letters: engine.map(|engine| engine.dead_letters),
            late: engine.map(|engine| engine.late),
            held: engine.map(|engine| engine.held.clone()),
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
        views: &dyn ViewStore,
        mark: &Mark,
        log: &BTreeMap<String, Progress>,
    ) -> Result<Vec<ViewStatus>, ViewError> {
        let all_applied = log.values().all(|p| p.end.is_some_and(|end| p.applied >= Some(end)));
        let age_ms = match mark.epoch {
            // No epoch has an age yet: what waits has waited since the start at most.
            0 => u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            _ => self.age_ms(mark.now),
        };
        let lag_ms = if all_applied { 0 } else { age_ms };
        let status = |view: &View| {
            let rows = views.rows(*view)?;
            Ok(ViewStatus { name: view.name(), epoch: mark.epoch, lag_ms, rows })
        };
        View::ALL.iter().map(status).collect()
    }
}

fn progress(
    applied: Option<&[u64]>,
    ends: Option<&[u64]>,
    namespace: &str,
) -> BTreeMap<String, Progress> {
    let end = |index| ends.and_then(|ends| ends.get(index).copied());
    let applied = |index| applied.map(|applied| applied.get(index).copied().unwrap_or(0));
    TopicPartition::inputs()
        .enumerate()
        .map(|(index, partition)| {
            let progress = Progress { end: end(index), applied: applied(index) };
            (partition.named(namespace), progress)
        })
        .collect()
}
