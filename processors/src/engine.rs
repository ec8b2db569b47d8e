//! The engine: its threads, started and stopped together.
//!
//! | thread | does | waits for |
//! |---|---|---|
//! | inputs | reads and decodes input partitions | the log; room in the hub |
//! | opener | reads plans back, opens epochs | the log; records; room |
//! | planner | claims, plans | records, timers, finished epochs |
//! | workers | timely: customers, products | epochs |
//! | publisher | gives ids, appends outputs | finished epochs; the log |
//! | views | judges and applies rows and marks | finished epochs; the store |
//! | checkpoints | writes what workers have saved | outputs and rows to be durable; the store |
//! | schemas | asks what an unknown schema id stands for | the registry |
//! | watch | looks whether epochs advance | a second |

use crate::checkpoints::restored::Restored;
use crate::checkpoints::{self, spawn_keeper};
use crate::eras::Eras;
use crate::failure::{End, Failure, outcome};
use crate::hub::{Hub, State};
use crate::inputs;
use crate::invariants::watch;
use crate::no_publisher;
use crate::opener::Opener;
use crate::plan::rules_of;
use crate::planner::{Claim, Planner};
use crate::publisher::Publisher;
use crate::replay;
pub use crate::role::Role;
use crate::start::Start;
pub use crate::status::{Held, Status};
use crate::threads::Threads;
pub use crate::threads::{Workers, start_workers};
use crate::unknown_schemas;
use crate::views;
use schemas::events::epochs::Settings;
use schemas::id::EventId;
use schemas::topic::{Topic, TopicPartition};
use sinks::checkpoint_store::CheckpointStore;
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::schema_registry::Schemas;
use sinks::view_store::{Mark, ViewStore};
use std::io::Read as _;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What the engine works on.
#[derive(Clone)]
pub struct Parts {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The views; without them no rows are made, nor judged.
    pub views: Option<Arc<dyn ViewStore>>,
    /// The schemas, and who is asked about others.
    pub schemas: Schemas,
    /// Where checkpoints are, and how often one is made; without, a start replays the whole log.
    pub checkpoints: Option<(Arc<CheckpointStore>, Duration)>,
    /// The clock of the planner.
    pub clock: Clock,
}

/// How it works.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Timely workers, at least 1.
    pub workers: usize,
    /// What the rules may read; part of the claim.
    pub settings: Settings,
    /// Seeds the hash maps: changes nothing that shows.
    pub hash_seed: u64,
    /// What part it takes in planning.
    pub role: Role,
}

/// A running engine.
pub struct Engine {
    handle: Handle,
    threads: Threads,
    workers: Option<Workers>,
    /// The watch ends when this is gone.
    watched: Option<mpsc::Sender<()>>,
}

impl Engine {
    /// Starts the threads. Replay begins at once; planning when it is through.
    ///
    /// # Errors
    /// The log cannot be read, or a thread cannot be started.
    pub fn start(parts: &Parts, options: Options) -> Result<Self, Failure> {
        Self::start_over(parts, options, Hub::new(options.workers))
    }

    /// The same, with faults.
    ///
    /// # Errors
    /// As [`Engine::start`].
    #[cfg(feature = "sabotage")]
    pub fn start_sabotaged(
        parts: &Parts,
        options: Options,
        faults: crate::sabotage::Faults,
    ) -> Result<Self, Failure> {
        Self::start_over(parts, options, Hub::with_faults(options.workers, faults))
    }

    fn start_over(parts: &Parts, options: Options, hub: Arc<Hub>) -> Result<Self, Failure> {
        let mut start = Start::begin(&parts.clock);
        let claim_id = if options.role.may_lead() { Some(claim_id()?) } else { None };
        let mark = parts.views.as_ref().map(|views| Arc::clone(&views.marks().borrow()));
        let restored = checkpoints::restored(parts, mark.as_deref(), options.role)?;
        let manifest = restored.as_ref().map(|restored| &restored.manifest);
        let eras = Eras::read(parts.log.as_ref(), &parts.schemas.codec, manifest)?;
        eras.check_stored(mark.as_deref(), manifest)?;
        let in_force = manifest.and_then(|manifest| manifest.plans.in_force());
        in_force.map_or(Ok(()), |force| rules_of(force.claim.rules_version).map(drop))?;
        start.restored();
        {
            let mut state = hub.lock();
            state.start = start;
            if let Some(restored) = &restored {
                state.go_on_behind(restored);
            }
            if let Some((_, every)) = &parts.checkpoints {
                let epoch = state.finished;
                state.checkpoints.make(*every, parts.clock.elapsed(), epoch);
            }
            state.skips.extend(eras.skips());
            state.own_claim = claim_id;
            state.passive = options.role.stands_by();
            state.muted = mark.is_none();
            state.views_at = mark.as_ref().map_or((0, 0), |mark| (mark.era, mark.epoch));
        }
        let mut threads = Threads::over(Arc::clone(&hub));
        let known = (mark.clone(), eras);
        spawn_readers(&mut threads, parts, options.workers, known, restored.as_deref())?;
        spawn_writers(&mut threads, parts, options.role, mark, restored.as_deref())?;
        spawn_keeper(&mut threads, parts, options.role, restored.as_deref())?;
        spawn_planner(&mut threads, parts, options, claim_id)?;
        let (watched, stop) = mpsc::channel();
        let clock = parts.clock.clone();
        threads.spawn("watch", move |hub| {
            watch::run(hub, &clock, &stop);
            Ok(())
        })?;
        hub.lock().restored = restored;
        let workers = start_workers(&hub, options.workers, options.hash_seed)?;
        let handle = Handle { hub };
        Ok(Self { handle, threads, workers: Some(workers), watched: Some(watched) })
    }

    /// Asks and stops it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.handle.status()
    }

    /// Blocks until all plans on the log up to this offset are done, published and in the views.
    ///
    /// # Errors
    /// It failed or was stopped before.
    pub fn wait_replayed(&self, plans_end: u64) -> Result<(), Failure> {
        self.handle.wait(|state| state.plans_read_to >= plans_end && state.settled())
    }

    /// Digests of finished epochs that no plan has carried.
    #[cfg(test)]
    pub(crate) fn digests(
        &self,
    ) -> std::collections::BTreeMap<u64, [u64; crate::epoch::OPERATORS]> {
        self.handle.hub.lock().digests.ours.clone()
    }

    /// Blocks until this is so.
    #[cfg(test)]
    pub(crate) fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<(), Failure> {
        self.handle.wait(done)
    }

    /// Looks at it after a moment in which all its threads have looked again at what they wait for:
    /// a clock that was moved by hand, or a pause before something is tried again.
    #[cfg(test)]
    pub(crate) fn pulse<T>(&self, moment: Duration, look: impl Fn(&State) -> T) -> T {
        let state = self.handle.hub.lock();
        self.handle.hub.notify();
        look(&self.handle.hub.wait_for(state, moment))
    }

    /// Plans no more, finishes and publishes what is open, ends all threads.
    ///
    /// # Errors
    /// It had failed, or fails now.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.end().map(drop)
    }

    /// [`Engine::stop`], and the bytes of all state, by worker: for tests that compare runs.
    ///
    /// # Errors
    /// It had failed, or fails now.
    pub fn stop_with_dump(mut self) -> Result<Vec<Vec<u8>>, Failure> {
        self.handle.hub.lock().dump = true;
        self.end()
    }

    fn end(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        self.handle.stop();
        self.watched = None;
        let mut dumps = Vec::new();
        if let Some(workers) = self.workers.take() {
            for dump in workers.join() {
                dumps.push(dump.map_err(|panic| self.why(Failure::Bug(panic)))?);
            }
        }
        self.handle.hub.notify();
        self.threads.join().map_err(|panic| self.why(panic))?;
        self.handle.hub.lock().failure.clone().map_or(Ok(dumps), Err)
    }
}

impl Engine {
    /// The first thing that went wrong: it says more than that a thread panicked.
    fn why(&self, panic: Failure) -> Failure {
        self.handle.hub.lock().failure.clone().unwrap_or(panic)
    }
}

impl Drop for Engine {
    /// Stops it; a failure has been logged where it arose.
    fn drop(&mut self) {
        if self.workers.is_some()
            && let Err(failure) = self.end()
        {
            tracing::error!(%failure, "the engine had failed");
        }
    }
}

/// What may be asked of an engine, from anywhere; also when it has ended.
#[derive(Clone)]
pub struct Handle {
    hub: Arc<Hub>,
}

impl Handle {
    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.hub.lock())
    }

    /// Blocks until it leads, or follows who leads.
    ///
    /// # Errors
    /// It failed or was stopped before.
    pub fn wait_ready(&self) -> Result<(), Failure> {
        self.wait(|state| state.standing.not_ready().is_none())
    }

    /// Blocks until its claim is in force, or is not any more.
    ///
    /// # Errors
    /// It failed or was stopped before.
    pub fn wait_claim(&self, in_force: bool) -> Result<(), End> {
        self.hub.wait_until(|state| state.standing.has_claim() == in_force).map(drop)
    }

    /// Has its threads look at a clock that was moved by hand.
    #[cfg(test)]
    pub(crate) fn wake(&self) {
        // With the lock, so that nobody is between looking and waiting.
        let _state = self.hub.lock();
        self.hub.notify();
    }

    /// Blocks until it stands so.
    #[cfg(test)]
    pub(crate) fn wait_standing(&self, standing: crate::standing::Standing) {
        self.wait(|state| state.standing == standing).unwrap();
    }

    /// Has it plan no more: what is open is finished and published.
    pub fn stop(&self) {
        self.hub.stop();
    }

    fn wait(&self, done: impl Fn(&State) -> bool) -> Result<(), Failure> {
        let ended = self.hub.wait_until(done).map(drop);
        match ended {
            Ok(()) => Ok(()),
            Err(End::Failed(failure)) => Err(failure),
            Err(End::Stopped) => {
                let failure = self.hub.lock().failure.clone();
                Err(failure.unwrap_or_else(|| Failure::Fault("the engine was stopped".to_owned())))
            }
        }
    }
}

fn spawn_readers(
    threads: &mut Threads,
    parts: &Parts,
    workers: usize,
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
    let mut opener = Opener::new(hub, codec, clock, workers, mark, eras, named);
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

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// A random id for a claim.
///
/// # Errors
/// The system gives none.
pub fn claim_id() -> Result<EventId, Failure> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Failure::Fault(format!("could not draw a random claim id: {error}")))?;
    Ok(EventId(bytes))
}
