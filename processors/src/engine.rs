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

use crate::failure::{End, Failure};
use crate::hub::{Hub, State};
use crate::launch::{Started, start_threads};
use crate::mesh::Mesh;
pub use crate::role::Role;
pub use crate::status::{Held, Status};
pub use crate::threads::{Workers, start_workers};
use schemas::events::epochs::Settings;
use schemas::id::EventId;
use sinks::checkpoint_store::CheckpointStore;
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use std::io::Read as _;
use std::sync::Arc;
use std::thread::JoinHandle;
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
    running: Option<Running>,
}

/// Its threads.
enum Running {
    /// All of them.
    Started(Started),
    /// The one that waits for the other processes of a mesh, and starts them.
    Gathers(JoinHandle<Result<Started, End>>),
}

impl Engine {
    /// Starts the threads. Replay begins at once; planning when it is through.
    ///
    /// # Errors
    /// The log cannot be read, or a thread cannot be started.
    pub fn start(parts: &Parts, options: Options) -> Result<Self, Failure> {
        Self::start_over(parts, options, Hub::new(options.workers))
    }

    /// The same, in a mesh: it begins when all of its processes are there. Who is not the head
    /// follows.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start_in(mesh: Arc<Mesh>, parts: &Parts, options: Options) -> Result<Self, Failure> {
        let role = if mesh.is_head() { options.role } else { Role::Follows };
        let (hub, options) = (Hub::new(options.workers), Options { role, ..options });
        hub.lock().share = mesh.share();
        let (theirs, parts) = (Arc::clone(&hub), parts.clone());
        let start = move || {
            let started = start_threads(&parts, options, &theirs, Some(&mesh));
            if let Err(End::Failed(failure)) = &started {
                theirs.fail(failure.clone());
            }
            started
        };
        let thread = std::thread::Builder::new().name("mesh".to_owned()).spawn(start);
        let thread = thread
            .map_err(|error| Failure::Fault(format!("could not start the thread mesh: {error}")))?;
        Ok(Self { handle: Handle { hub }, running: Some(Running::Gathers(thread)) })
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
        match start_threads(parts, options, &hub, None) {
            Ok(started) => {
                let running = Some(Running::Started(started));
                Ok(Self { handle: Handle { hub }, running })
            }
            Err(End::Failed(failure)) => Err(failure),
            Err(End::Stopped) => Err(stopped()),
        }
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

    /// The same, of all processes of a mesh.
    #[cfg(test)]
    pub(crate) fn stop_all_with_dump(engines: Vec<Self>) -> Result<Vec<Vec<u8>>, Failure> {
        for engine in &engines {
            engine.handle.hub.lock().dump = true;
        }
        engines.iter().for_each(|engine| engine.handle.stop());
        let ended: Result<Vec<_>, _> = engines.into_iter().map(|mut engine| engine.end()).collect();
        Ok(ended?.concat())
    }

    fn end(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        self.handle.stop();
        let started = match self.running.take() {
            Some(Running::Started(started)) => Some(started),
            Some(Running::Gathers(thread)) => match thread.join() {
                Ok(Ok(started)) => Some(started),
                // A failure stands in the hub.
                Ok(Err(End::Stopped | End::Failed(_))) => None,
                Err(_) => return Err(self.why(Failure::Bug("the thread mesh panicked".to_owned()))),
            },
            None => None,
        };
        let dumps = started.map_or_else(|| Ok(Vec::new()), |started| self.end_threads(started))?;
        self.handle.hub.lock().failure.clone().map_or(Ok(dumps), Err)
    }

    fn end_threads(&self, started: Started) -> Result<Vec<Vec<u8>>, Failure> {
        let Started { mut threads, workers, watched, links } = started;
        drop(watched);
        let ended = workers.join();
        if let Some(mut links) = links {
            let failed = self.handle.hub.lock().failed();
            links.close(failed);
        }
        let dumps = ended.into_iter().collect::<Result<_, _>>();
        let dumps = dumps.map_err(|panic| self.why(Failure::Bug(panic)))?;
        self.handle.hub.notify();
        threads.join().map_err(|panic| self.why(panic))?;
        Ok(dumps)
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
        if self.running.is_some()
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

    /// Blocks until it leads, or follows who leads, and all of its mesh are there.
    ///
    /// # Errors
    /// It failed or was stopped before.
    pub fn wait_ready(&self) -> Result<(), Failure> {
        self.wait(|state| state.standing.not_ready().is_none() && state.waits_for.is_empty())
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

    /// Blocks until this is so.
    #[cfg(test)]
    pub(crate) fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<(), Failure> {
        self.wait(done)
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
                Err(failure.unwrap_or_else(stopped))
            }
        }
    }
}

fn stopped() -> Failure {
    Failure::Fault("the engine was stopped".to_owned())
}

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
