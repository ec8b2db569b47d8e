//! The engine of a process: started under a supervisor, and what it says as the command's words.

use crate::cli::{Lead, Work};
use crate::exit::Failure;
use crate::log::LogSource;
use crate::parts::{self, Opened};
use processors::checkpoints::pace::Kept;
use processors::engine::{Held, Options, Parts, Role};
use processors::failure::Failure as EngineFailure;
use processors::invariants::Count;
use processors::mesh::Mesh;
use processors::standing::Standing;
use processors::start::Took;
use processors::supervisor::{OpenGateway, Report, Supervisor, Supplies};
use queries::{Checkpoint, EngineStatus, Invariant, LogStatus, ProcessStatus, Started};
use schemas::events::epochs::Settings;
use schemas::time::Timestamp;
use sinks::view_store::ViewStore;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Starts an engine that may lead, or, where others share the log, `stands_by`; in a `mesh` if the
/// process has a place in one. It writes `views`, if the process has any; its payments are asked
/// for, and their webhooks come in, through what is opened by `gateway`.
///
/// # Errors
/// It does not start.
pub(crate) fn lead(
    opened: &Opened,
    data: &Path,
    (work, lead): (&Work, &Lead),
    (stands_by, mesh): (Role, Option<Arc<Mesh>>),
    views: Option<Arc<dyn ViewStore>>,
    gateway: OpenGateway,
) -> Result<Supervisor, Failure> {
    let ms = i64::try_from(lead.reservation_timeout.as_millis()).unwrap_or(i64::MAX);
    let settings = Settings { reservation_timeout_ms: ms };
    // One that starts anew has no right to take over from who took over from it.
    let role_again = if opened.source.is_exclusive() { Role::Leads } else { stands_by };
    let takes_over = lead.take_over && !opened.source.is_exclusive();
    let role = if takes_over { Role::TakesOver } else { role_again };
    start((opened, mesh), data, work, views, (role, role_again, settings), gateway)
}

/// Starts an engine that follows and writes `views`.
///
/// # Errors
/// It does not start.
pub(crate) fn follow(
    opened: &Opened,
    data: &Path,
    work: &Work,
    views: Arc<dyn ViewStore>,
) -> Result<Supervisor, Failure> {
    // Of no consequence: settings are in force by a claim, which this one never makes.
    let settings = Settings { reservation_timeout_ms: 1 };
    let never = Box::new(|| unreachable!("it never leads"));
    let roles = (Role::Follows, Role::Follows, settings);
    start((opened, None), data, work, Some(views), roles, never)
}

fn start(
    (opened, mesh): (&Opened, Option<Arc<Mesh>>),
    data: &Path,
    work: &Work,
    views: Option<Arc<dyn ViewStore>>,
    (role, role_again, settings): (Role, Role, Settings),
    gateway: OpenGateway,
) -> Result<Supervisor, Failure> {
    let Opened { clock, schemas, source, .. } = opened;
    let open = if role.may_lead() { LogSource::for_engine } else { LogSource::to_read };
    let (schemas, clock, source) = (schemas.clone(), clock.clone(), source.clone());
    let keeps = mesh.as_ref().is_none_or(|mesh| mesh.is_head());
    let checkpoints = parts::checkpoints(work, data, keeps)?;
    let checkpoints = checkpoints.map(|store| (store, work.checkpoint_interval));
    let parts = Parts { log: open(&source)?.log, views, schemas, checkpoints, clock };
    let hash_seed = std::process::id().into();
    let options = Options { workers: work.workers.into(), settings, hash_seed, role };
    let reopen = Box::new(move || open(&source).map(|open| open.log).map_err(again));
    Supervisor::start(Supplies { parts, options, mesh, role_again, reopen, gateway })
        .map_err(failure)
}

/// Why a part could not be opened again, as an engine's failure.
fn again(failure: Failure) -> EngineFailure {
    match failure {
        // What was right at the first start was changed outside, and is mended there: it waits.
        Failure::Unreachable(reason) | Failure::InUse(reason) | Failure::Usage(reason) => {
            EngineFailure::Unavailable(reason)
        }
        Failure::Damaged(reason) => EngineFailure::Damaged(reason),
        Failure::HistoryRedone(reason) => EngineFailure::HistoryRedone(reason),
        Failure::Check(reason) => EngineFailure::Fault(reason),
        Failure::Bug(reason) => EngineFailure::Bug(reason),
        Failure::Poisoned { partition, offset } => EngineFailure::Poisoned { partition, offset },
    }
}

/// Why an engine ended, as the end of the command.
pub(crate) fn failure(failure: EngineFailure) -> Failure {
    match failure {
        EngineFailure::Unavailable(reason) => Failure::Unreachable(reason),
        EngineFailure::HistoryRedone(reason) => Failure::HistoryRedone(reason),
        EngineFailure::Damaged(reason) => Failure::Damaged(reason),
        EngineFailure::Fault(reason) => Failure::Check(reason),
        EngineFailure::Bug(reason) => Failure::Bug(reason),
        EngineFailure::Poisoned { partition, offset } => Failure::Poisoned { partition, offset },
    }
}

/// What a process with an engine says of itself; `following` is its word while another leads.
pub(crate) fn status(
    supervisor: &Supervisor,
    workers: u16,
    following: &'static str,
    log: LogStatus,
) -> impl Fn() -> ProcessStatus + Send + Sync + use<> {
    let report = supervisor.report_source();
    move || {
        let report = report();
        let word = if report.engine.standing == Standing::Follows { following } else { "ok" };
        ProcessStatus {
            ready: report.not_ready().map_or(Ok(word), Err),
            engine: Some(engine_status(&report, workers, &log.namespace)),
            log: log.clone(),
        }
    }
}

fn engine_status(report: &Report, workers: u16, namespace: &str) -> EngineStatus {
    let status = &report.engine;
    EngineStatus {
        standing: status.standing.as_str(),
        generation: u64::try_from(status.generation).unwrap_or(0),
        epoch: status.epoch,
        now: status.now.unwrap_or(Timestamp(0)),
        workers: workers.into(),
        invariants: status.invariants.iter().map(counted).collect(),
        dead_letters: status.dead_letters,
        late: status.late,
        applied: Arc::clone(&status.applied),
        held: status.held.iter().map(|it| held(it, namespace)).collect(),
        checkpoint: status.checkpoint.map(|Kept { epoch, at, bytes }| Checkpoint {
            epoch,
            at,
            bytes,
        }),
        started: started(status.started),
    }
}

fn started(took: Took) -> Started {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Took { before, checkpoint, load, replay } = took;
    Started {
        before_ms: ms(before),
        checkpoint_ms: ms(checkpoint),
        load_ms: ms(load),
        replay_ms: ms(replay),
    }
}

fn held(held: &Held, namespace: &str) -> queries::Held {
    let Held { partition, offset, schema } = *held;
    queries::Held { partition: partition.named(namespace), offset, schema_id: schema }
}

fn counted((id, count): (&'static str, Count)) -> (&'static str, Invariant) {
    (id, Invariant { checked: count.checked, breaches: count.breaches })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitCode;

    #[test]
    fn a_bug_ends_the_process_with_its_own_code() {
        let bug = failure(EngineFailure::Bug("I16: a digest differs".to_owned()));
        assert_eq!(bug.code(), ExitCode::from(101));
        assert_eq!(failure(again(bug)).code(), ExitCode::from(101), "after a new start too");
        let fault = failure(EngineFailure::Fault("no thread".to_owned()));
        assert_eq!(fault.code(), ExitCode::from(1));
    }
}
