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
//! | schemas | asks what an unknown schema id stands for | the registry |
//! | watch | looks whether epochs advance | a second |

use crate::dataflow;
use crate::hub::{Hub, State};
use crate::inputs;
use crate::invariants::watch;
use crate::opener::Opener;
use crate::planner::Planner;
use crate::publisher::Publisher;
use crate::status::status;
pub use crate::status::{Held, Status};
use crate::unknown_schemas;
use crate::views;
use schemas::events::epochs::Settings;
use schemas::id::EventId;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use std::fmt::Display;
use std::io::Read as _;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use timely::WorkerConfig;
use timely::communication::WorkerGuards;

/// What the engine works on.
#[derive(Clone)]
pub struct Parts {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The views.
    pub views: Arc<dyn ViewStore>,
    /// The schemas, and who is asked about others.
    pub schemas: Schemas,
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

/// What part an engine takes in planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Claims as soon as the log is replayed: the log is its own, or it shall take over.
    Leads,
    /// Follows whoever leads and appends nothing; claims after 3 s without a valid plan.
    StandsBy,
    /// Never claims; publishes what is planned, on a log that is its own.
    Replays,
}

/// Running timely workers; each gives the bytes of its state, if the hub asks for them.
pub type Workers = WorkerGuards<Vec<u8>>;

/// A running engine.
pub struct Engine {
    hub: Arc<Hub>,
    threads: Vec<JoinHandle<()>>,
    workers: Option<Workers>,
    /// The watch ends when this is gone.
    watched: Option<mpsc::Sender<()>>,
}

impl Engine {
    /// Starts the threads. Replay begins at once; planning when it is through.
    ///
    /// # Errors
    /// The log cannot be read, or a thread cannot be started.
    pub fn start(parts: &Parts, options: Options) -> Result<Self, String> {
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
    ) -> Result<Self, String> {
        Self::start_over(parts, options, Hub::with_faults(options.workers, faults))
    }

    fn start_over(parts: &Parts, options: Options, hub: Arc<Hub>) -> Result<Self, String> {
        let claim_id = match options.role {
            Role::Leads | Role::StandsBy => Some(claim_id()?),
            Role::Replays => None,
        };
        {
            let mut state = hub.lock();
            state.own_claim = claim_id;
            state.passive = options.role == Role::StandsBy;
        }
        let Parts { log, views, schemas, clock } = parts;
        let codec = &schemas.codec;
        let mark = views.marks().borrow().clone();
        hub.lock().views_at = (mark.era, mark.epoch);
        let epochs = TopicPartition { topic: Topic::Epochs, partition: 0 };
        let plan_reader = log.reader(&[(epochs, 0)]).map_err(|error| error.to_string())?;
        let publisher = Publisher::open(Arc::clone(&hub), Arc::clone(log), Arc::clone(codec))
            .map_err(|error| error.to_string())?;
        // At most one id a partition waits in there, and one of the plan topic.
        let (named, unknown) = mpsc::channel();
        let mut threads = Vec::new();
        let mut spawn = |name: &str, work: Work| {
            threads.push(spawn(&hub, name, work)?);
            Ok::<_, String>(())
        };
        {
            let (hub, log) = (Arc::clone(&hub), Arc::clone(log));
            let (codec, named) = (Arc::clone(codec), named.clone());
            let read = move || text(inputs::run(&hub, log.as_ref(), &codec, &named));
            spawn("inputs", Box::new(read))?;
        }
        {
            let (hub, schemas) = (Arc::clone(&hub), schemas.clone());
            let ask = move || unknown_schemas::run(&hub, &schemas, &unknown);
            spawn("schemas", unfailing(ask))?;
        }
        {
            let mut opener = Opener::new(
                Arc::clone(&hub),
                Arc::clone(codec),
                clock.clone(),
                options.workers,
                Arc::clone(&mark),
                named,
            );
            spawn("opener", Box::new(move || opener.run(plan_reader)))?;
        }
        spawn("publisher", Box::new(move || text(publisher.run())))?;
        {
            let (hub, views) = (Arc::clone(&hub), Arc::clone(views));
            spawn("views", Box::new(move || text(views::run(&hub, &views, &mark))))?;
        }
        if let Some(claim_id) = claim_id {
            let (hub, log, codec) = (Arc::clone(&hub), Arc::clone(log), Arc::clone(codec));
            let at_once = options.role == Role::Leads;
            let mut planner =
                Planner::new(hub, log, codec, clock.clone(), options.settings, claim_id, at_once);
            spawn("planner", Box::new(move || planner.run()))?;
        }
        let (watched, stop) = mpsc::channel();
        {
            let (hub, clock) = (Arc::clone(&hub), clock.clone());
            spawn("watch", unfailing(move || watch::run(&hub, &clock, &stop)))?;
        }
        let workers = start_workers(&hub, options.workers, options.hash_seed)?;
        Ok(Self { hub, threads, workers: Some(workers), watched: Some(watched) })
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        status(&self.hub)
    }

    /// Asks how it is doing, from anywhere.
    pub fn status_source(&self) -> impl Fn() -> Status + Send + Sync + use<> {
        let hub = Arc::clone(&self.hub);
        move || status(&hub)
    }

    /// Waits until it is ready to decide, from anywhere; an error if it failed or was stopped
    /// before.
    pub fn ready_source(&self) -> impl FnOnce() -> Result<(), String> + Send + use<> {
        let hub = Arc::clone(&self.hub);
        move || wait(&hub, |state| state.not_ready.is_none())
    }

    /// Blocks until all plans on the log up to this offset are done, published and in the views.
    ///
    /// # Errors
    /// It failed or was stopped before.
    pub fn wait_replayed(&self, plans_end: u64) -> Result<(), String> {
        wait(&self.hub, |state| state.plans_read_to >= plans_end && state.settled())
    }

    /// Digests of finished epochs that no plan has carried.
    #[cfg(test)]
    pub(crate) fn digests(
        &self,
    ) -> std::collections::BTreeMap<u64, [u64; crate::epoch::OPERATORS]> {
        self.hub.lock().digests.clone()
    }

    /// Blocks until this is so.
    #[cfg(test)]
    pub(crate) fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<(), String> {
        wait(&self.hub, done)
    }

    /// Has its threads look at a clock that was moved by hand.
    #[cfg(test)]
    pub(crate) fn wake(&self) {
        // With the lock, so that nobody is between looking and waiting.
        let _state = self.hub.lock();
        self.hub.notify();
    }

    /// Waits for a failure, from anywhere.
    pub fn failure_source(&self) -> impl FnOnce() -> Option<String> + Send + use<> {
        let hub = Arc::clone(&self.hub);
        move || wait_failed(&hub)
    }

    /// Plans no more, finishes and publishes what is open, ends all threads.
    ///
    /// # Errors
    /// It had failed, or fails now.
    pub fn stop(mut self) -> Result<(), String> {
        self.end().map(drop)
    }

    /// [`Engine::stop`], and the bytes of all state, by worker: for tests that compare runs.
    ///
    /// # Errors
    /// It had failed, or fails now.
    pub fn stop_with_dump(mut self) -> Result<Vec<Vec<u8>>, String> {
        self.hub.lock().dump = true;
        self.end()
    }

    fn end(&mut self) -> Result<Vec<Vec<u8>>, String> {
        self.hub.stop();
        self.watched = None;
        let mut dumps = Vec::new();
        if let Some(workers) = self.workers.take() {
            for dump in workers.join() {
                dumps.push(dump?);
            }
        }
        self.hub.notify();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                return Err("a thread of the engine panicked".to_owned());
            }
        }
        self.hub.lock().failure.clone().map_or(Ok(dumps), Err)
    }
}

impl Drop for Engine {
    /// Stops it; a failure has been logged where it arose.
    fn drop(&mut self) {
        if self.workers.is_some()
            && let Err(reason) = self.end()
        {
            tracing::error!(%reason, "the engine had failed");
        }
    }
}

type Work = Box<dyn FnOnce() -> Result<(), String> + Send>;

fn unfailing(work: impl FnOnce() + Send + 'static) -> Work {
    Box::new(move || {
        work();
        Ok(())
    })
}

fn text<E: Display>(result: Result<(), E>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

/// Fails the hub if its thread panics, so that the others do not wait for it.
struct FailOnPanic(Arc<Hub>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("a thread of the engine panicked; its message stands above".to_owned());
        }
    }
}

fn spawn(hub: &Arc<Hub>, name: &str, work: Work) -> Result<JoinHandle<()>, String> {
    let hub = Arc::clone(hub);
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread
        .spawn(move || {
            let guard = FailOnPanic(Arc::clone(&hub));
            if let Err(reason) = work() {
                hub.fail(reason);
            }
            drop(guard);
        })
        .map_err(|error| format!("could not start the thread {name}: {error}"))
}

/// Starts the timely workers over the hub.
///
/// # Errors
/// A thread cannot be started.
pub fn start_workers(hub: &Arc<Hub>, workers: usize, hash_seed: u64) -> Result<Workers, String> {
    let communication = if workers == 1 {
        timely::CommunicationConfig::Thread
    } else {
        timely::CommunicationConfig::Process(workers)
    };
    let config = timely::Config { communication, worker: WorkerConfig::default() };
    let hub = Mutex::new(Arc::clone(hub));
    timely::execute(config, move |worker| {
        let hub = Arc::clone(&hub.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let guard = FailOnPanic(Arc::clone(&hub));
        let dump = dataflow::run(worker, &hub, hash_seed);
        drop(guard);
        dump
    })
}

fn wait(hub: &Hub, done: impl Fn(&State) -> bool) -> Result<(), String> {
    let mut state = hub.lock();
    loop {
        if let Some(reason) = &state.failure {
            return Err(reason.clone());
        }
        if done(&state) {
            return Ok(());
        }
        if state.stopping {
            return Err("the engine was stopped".to_owned());
        }
        state = hub.wait(state);
    }
}

fn wait_failed(hub: &Hub) -> Option<String> {
    let mut state = hub.lock();
    while state.failure.is_none() && !state.stopping {
        state = hub.wait(state);
    }
    state.failure.clone()
}

fn claim_id() -> Result<EventId, String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| format!("could not draw a random claim id: {error}"))?;
    Ok(EventId(bytes))
}
