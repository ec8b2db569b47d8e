//! The start of an engine: what it goes on from, then its threads. In a mesh the head says what all go
//! on from, once all are there.

use crate::checkpoints::restored::Restored;
use crate::checkpoints::{self, spawn_keeper};
use crate::engine::{Options, Parts, Role, claim_id};
use crate::eras::Eras;
use crate::failure::{End, Failure, outcome};
use crate::hub::Hub;
use crate::inputs;
use crate::invariants::watch;
use crate::mesh::{Connections, Links, Mesh, Offer, Share};
use crate::no_publisher;
use crate::opener::Opener;
use crate::plan::rules_of;
use crate::planner::{Claim, Planner};
use crate::publisher::Publisher;
use crate::replay;
use crate::start::Start;
use crate::threads::{Threads, Workers, run_workers, start_workers};
use crate::unknown_schemas;
use crate::views;
use schemas::id::EventId;
use schemas::topic::{Topic, TopicPartition};
use sinks::view_store::Mark;
use std::sync::{Arc, mpsc};

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// Threads that run.
pub(crate) struct Started {
    pub(crate) threads: Threads,
    pub(crate) workers: Workers,
    /// The watch ends when this is gone.
    pub(crate) watched: mpsc::Sender<()>,
    /// The connections of a mesh.
    pub(crate) links: Option<Links>,
}

/// Starts all threads; in a mesh, once all of its processes are there.
pub(crate) fn start_threads(
    parts: &Parts,
    options: Options,
    hub: &Arc<Hub>,
    mesh: Option<&Arc<Mesh>>,
) -> Result<Started, End> {
    let mut start = Start::begin(&parts.clock);
    let claim_id = if options.role.may_lead() { Some(claim_id()?) } else { None };
    let Begin { mark, restored, saves, connections } = begin(parts, options.role, hub, mesh)?;
    let manifest = restored.as_ref().map(|restored| &restored.manifest);
    let eras = Eras::read(parts.log.as_ref(), &parts.schemas.codec, manifest)?;
    eras.check_stored(mark.as_deref(), manifest)?;
    let in_force = manifest.and_then(|manifest| manifest.plans.in_force());
    in_force.map_or(Ok(()), |force| rules_of(force.claim.rules_version).map(drop))?;
    start.restored();
    let share = {
        let mut state = hub.lock();
        state.start = start;
        if let Some(restored) = &restored {
            state.go_on_behind(restored);
        }
        if state.share.is_head() {
            if let Some((_, every)) = &parts.checkpoints {
                let epoch = state.finished;
                state.checkpoints.make(*every, parts.clock.elapsed(), epoch);
            }
        } else {
            // Its workers' parts are compared, and saved, by the head.
            state.digests.from = u64::MAX;
            state.checkpoints.keep_changes = saves;
        }
        state.skips.extend(eras.skips());
        state.own_claim = claim_id;
        state.passive = options.role.stands_by();
        state.muted = parts.views.is_none();
        state.views_at = mark.as_ref().map_or((0, 0), |mark| (mark.era, mark.epoch));
        state.restored.clone_from(&restored);
        state.share
    };
    let mut threads = Threads::over(Arc::clone(hub));
    let linked = match (mesh, connections) {
        (Some(mesh), Some(connections)) => Some(Links::start(mesh, connections, &mut threads)?),
        (_, None) | (None, _) => None,
    };
    let known = (mark.clone(), eras);
    spawn_readers(&mut threads, parts, share, known, restored.as_deref())?;
    spawn_writers(&mut threads, parts, options.role, mark, restored.as_deref())?;
    if share.is_head() {
        spawn_keeper(&mut threads, parts, options.role, restored.as_deref())?;
    }
    spawn_planner(&mut threads, parts, options, claim_id)?;
    let (watched, stop) = mpsc::channel();
    let clock = parts.clock.clone();
    threads.spawn("watch", move |hub| {
        watch::run(hub, &clock, &stop);
        Ok(())
    })?;
    let (links, workers) = match linked {
        Some((links, builders)) => {
            let workers = run_workers(hub, (builders, Box::new(())), options.hash_seed)?;
            (Some(links), workers)
        }
        None => (None, start_workers(hub, options.workers, options.hash_seed)?),
    };
    Ok(Started { threads, workers, watched, links })
}

/// What a start goes on from.
struct Begin {
    mark: Option<Arc<Mark>>,
    restored: Option<Arc<Restored>>,
    /// Whether somebody else makes checkpoints of what changes here.
    saves: bool,
    connections: Option<Connections>,
}

fn begin(parts: &Parts, role: Role, hub: &Hub, mesh: Option<&Arc<Mesh>>) -> Result<Begin, End> {
    if let Some(mesh) = mesh.filter(|mesh| !mesh.is_head()) {
        let (connections, offer) = mesh.join(hub, &parts.clock)?;
        let restored = offer.checkpoint.as_ref().map(|name| checkpoints::named(parts, name));
        let mark = offer.mark().map(Arc::new);
        let connections = Some(connections);
        return Ok(Begin {
            mark,
            restored: restored.transpose()?,
            saves: offer.saves,
            connections,
        });
    }
    let mark = parts.views.as_ref().map(|views| Arc::clone(&views.marks().borrow()));
    let restored = checkpoints::restored(parts, mark.as_deref(), role)?;
    let Some(mesh) = mesh else {
        return Ok(Begin { mark, restored, saves: false, connections: None });
    };
    let offer = Offer {
        checkpoint: restored.as_ref().map(|restored| restored.manifest.path()),
        saves: parts.checkpoints.is_some(),
        views: mark.as_ref().map(|mark| (mark.era, mark.epoch, mark.plan_hash.0)),
    };
    let connections = Some(mesh.gather(hub, &parts.clock, &offer)?);
    Ok(Begin { mark, restored, saves: false, connections })
}

fn spawn_readers(
    threads: &mut Threads,
    parts: &Parts,
    share: Share,
    (mark, eras): (Option<Arc<Mark>>, Eras),
    restored: Option<&Restored>,
) -> Result<(), Failure> {
    let from = restored.map_or(0, |restored| restored.manifest.plans.last_offset() + 1);
    let plans = parts.log.reader(&[(EPOCHS, from)])?;
    let Parts { log, schemas, clock, .. } = parts.clone();
    // At most one id a partition waits in there, and one of the plan topic.
    let (named, unknown) = mpsc::channel();
    let (codec, ids) = (Arc::clone(&schemas.codec), named.clone());
    threads.spawn("inputs", move |hub| Ok(inputs::run(hub, log.as_ref(), &codec, &ids)?))?;
    let codec = Arc::clone(&schemas.codec);
    threads.spawn("schemas", move |hub| {
        unknown_schemas::run(hub, &schemas, &unknown);
        Ok(())
    })?;
    let hub = Arc::clone(&threads.hub);
    let mut opener = Opener::new(hub, codec, clock, share, mark, eras, named);
    if let Some(restored) = restored {
        opener = opener.behind(restored);
    }
    threads.spawn("opener", move |_| opener.run(plans))
}

fn spawn_writers(
    threads: &mut Threads,
    parts: &Parts,
    role: Role,
    mark: Option<Arc<Mark>>,
    restored: Option<&Restored>,
) -> Result<(), Failure> {
    if role == Role::Follows {
        threads.spawn("publisher", |hub| {
            no_publisher::discard(hub);
            Ok(())
        })?;
    } else {
        let (log, codec) = (Arc::clone(&parts.log), Arc::clone(&parts.schemas.codec));
        let known = restored.map_or_else(Vec::new, |restored| restored.manifest.outputs.clone());
        threads.spawn("publisher", move |hub| {
            Publisher::open(Arc::clone(hub), log, codec, &known)?.run()
        })?;
    }
    let (Some(views), Some(mark)) = (parts.views.clone(), mark) else { return Ok(()) };
    threads.spawn("views", move |hub| Ok(views::run(hub, &views, &mark)?))
}

fn spawn_planner(
    threads: &mut Threads,
    parts: &Parts,
    options: Options,
    claim_id: Option<EventId>,
) -> Result<(), Failure> {
    let Parts { log, schemas, clock, .. } = parts.clone();
    let codec = schemas.codec;
    let Options { settings, role, .. } = options;
    if let Some(claim_id) = claim_id {
        let planner_of = move |hub: &Arc<Hub>| {
            let claim = Claim { id: claim_id, settings, at_once: role.claims_at_once() };
            Planner::new(Arc::clone(hub), log, codec, clock, claim, role.timing())
        };
        return threads.spawn("planner", move |hub| planner_of(hub).run());
    }
    if role == Role::Follows {
        return threads.spawn("follower", move |hub| outcome(replay::follow(hub, &*log)));
    }
    Ok(())
}
