//! The supervisor: one thread that keeps an engine running, and has payments asked for while its
//! engine leads.
//!
//! ```text
//! engine runs --its claim is in force--> gateway is opened, payment worker runs
//!    ^   |    <--another's is------------ worker ends, gateway is closed
//!    |   | the log did not answer, or nobody knows what it took
//!    |   v
//! back-off: the log is opened anew, a new engine replays it
//! ```
//!
//! - Whatever else an engine ends with (damage, another history, a broken invariant, a panic) ends
//!   the supervisor too: another engine would come to the same.
//! - What is asked about the engine is asked about the present one; between two, the last one still
//!   says why it ended.
//! - A stop that finds the log without an answer closes it: then everything in flight is answered,
//!   nobody waits any more, and the next start publishes what this one could not.

use crate::engine::{Engine, Handle, Options, Parts, Role, Status};
use crate::failure::{End, Failure};
use crate::mesh::Mesh;
use crate::payment_worker::PaymentWorker;
use crate::standing::Standing;
use sinks::event_log::EventLog;
use sinks::payment_gateway::PaymentGateway;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Before the first new start, and before the gateway is opened again; each further is double.
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// What the log has to answer in at a stop.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Opens the log anew.
pub type OpenLog = Box<dyn Fn() -> Result<Arc<dyn EventLog>, Failure> + Send>;
/// Opens the gateway.
pub type OpenGateway = Box<dyn Fn() -> Result<Arc<dyn PaymentGateway>, Failure> + Send>;

/// What a supervisor starts engines from.
pub struct Supplies {
    /// What the first engine works on.
    pub parts: Parts,
    /// How the first engine works.
    pub options: Options,
    /// The place of this process in a mesh of several.
    pub mesh: Option<Arc<Mesh>>,
    /// What part those after it take in planning.
    pub role_again: Role,
    /// Opens the log for those after it.
    pub reopen: OpenLog,
    /// Opens the gateway whenever an engine begins to lead.
    pub gateway: OpenGateway,
}

impl Supplies {
    fn start(&self, options: Options) -> Result<Engine, Failure> {
        match &self.mesh {
            None => Engine::start(&self.parts, options),
            Some(mesh) => Engine::start_in(Arc::clone(mesh), &self.parts, options),
        }
    }
}

/// How the engine is doing, and who asks for payments.
#[derive(Clone, Debug)]
pub struct Report {
    /// The present engine.
    pub engine: Status,
    /// Why nobody asks for payments though this process should.
    pub payments_failed: Option<String>,
}

impl Report {
    /// Why what is asked now is decided late, or not at all.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        self.engine.not_ready().or_else(|| self.payments_failed.clone())
    }
}

/// A running supervisor.
pub struct Supervisor {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    present: Mutex<Present>,
    changed: Condvar,
}

struct Present {
    engine: Handle,
    log: Arc<dyn EventLog>,
    /// How many engines there were before.
    before: u64,
    payments: Option<PaymentsFailed>,
    stopping: bool,
    ended: Option<Result<(), Failure>>,
}

type PaymentsFailed = Box<dyn Fn() -> Option<String> + Send>;

impl Supervisor {
    /// Starts the first engine, and the thread.
    ///
    /// # Errors
    /// The engine does not start.
    pub fn start(supplies: Supplies) -> Result<Self, Failure> {
        let engine = supplies.start(supplies.options)?;
        let present = Present {
            engine: engine.handle(),
            log: Arc::clone(&supplies.parts.log),
            before: 0,
            payments: None,
            stopping: false,
            ended: None,
        };
        let shared = Arc::new(Shared { present: Mutex::new(present), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let run = move || {
            let guard = EndOnPanic(Arc::clone(&theirs));
            let ended = Supervision { shared: theirs, supplies }.run(engine);
            guard.0.end(ended);
        };
        let thread = std::thread::Builder::new().name("supervisor".to_owned()).spawn(run);
        let thread =
            thread.map_err(|error| Failure::Fault(format!("could not start a thread: {error}")))?;
        Ok(Self { shared, thread })
    }

    /// The present engine.
    #[cfg(test)]
    pub(crate) fn engine(&self) -> Handle {
        self.shared.lock().engine.clone()
    }

    /// Asks how it is doing, from anywhere.
    pub fn report_source(&self) -> impl Fn() -> Report + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || {
            let present = shared.lock();
            let payments_failed = present.payments.as_ref().and_then(|failed| failed());
            Report { engine: present.engine.status(), payments_failed }
        }
    }

    /// Waits until an engine leads, or follows who leads, from anywhere.
    ///
    /// # Errors
    /// It ended before.
    pub fn ready_source(&self) -> impl FnOnce() -> Result<(), Failure> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.wait_ready()
    }

    /// Waits until it has ended, from anywhere; none: it was stopped.
    pub fn failure_source(&self) -> impl FnOnce() -> Option<Failure> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.wait_ended(None).and_then(Result::err)
    }

    /// Plans no more, finishes and publishes what is open, makes no further call to the gateway.
    ///
    /// # Errors
    /// It had ended with a failure, or does now.
    pub fn stop(self) -> Result<(), Failure> {
        {
            let mut present = self.shared.lock();
            present.stopping = true;
            present.engine.stop();
            self.shared.changed.notify_all();
        }
        if self.shared.wait_ended(Some(STOP_MAX)).is_none() {
            tracing::warn!("the log does not answer: stopping without it");
            let log = Arc::clone(&self.shared.lock().log);
            log.close();
        }
        if self.thread.join().is_err() {
            return Err(Failure::Bug("the supervisor panicked".to_owned()));
        }
        self.shared.wait_ended(None).unwrap_or(Ok(()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_ready(&self) -> Result<(), Failure> {
        loop {
            let (engine, before) = {
                let present = self.lock();
                (present.engine.clone(), present.before)
            };
            let Err(failure) = engine.wait_ready() else { return Ok(()) };
            let mut present = self.lock();
            while present.before == before {
                if present.ended.is_some() {
                    return Err(failure);
                }
                present = self.changed.wait(present).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// How it ended; none: it did not in this time.
    fn wait_ended(&self, within: Option<Duration>) -> Option<Result<(), Failure>> {
        let not_ended = |present: &mut Present| present.ended.is_none();
        let present = match within {
            None => self.changed.wait_while(self.lock(), not_ended),
            Some(within) => {
                let waited = self.changed.wait_timeout_while(self.lock(), within, not_ended);
                Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
            }
        };
        present.unwrap_or_else(PoisonError::into_inner).ended.clone()
    }

    fn end(&self, ended: Result<(), Failure>) {
        self.lock().ended.get_or_insert(ended);
        self.changed.notify_all();
    }

    /// Waits for so long, unless it is to stop.
    fn pause(&self, time: Duration) -> Result<(), End> {
        let present = self.lock();
        let waited = self.changed.wait_timeout_while(present, time, |present| !present.stopping);
        let (present, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if present.stopping { Err(End::Stopped) } else { Ok(()) }
    }
}

/// Nobody may wait for a supervisor that is gone.
struct EndOnPanic(Arc<Shared>);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Err(Failure::Bug("the supervisor panicked".to_owned())));
        }
    }
}

/// What the thread does.
struct Supervision {
    shared: Arc<Shared>,
    supplies: Supplies,
}

impl Supervision {
    fn run(mut self, mut engine: Engine) -> Result<(), Failure> {
        let mut wait = BACKOFF;
        loop {
            let served = self.serve(&engine.handle());
            if engine.status().standing != Standing::Replays {
                wait = BACKOFF;
            }
            let stopped = engine.stop();
            let failure = match (served, stopped) {
                (Err(End::Failed(failure)), _) | (_, Err(failure)) => failure,
                (Ok(()) | Err(End::Stopped), Ok(())) => return Ok(()),
            };
            if !failure.may_pass() {
                return Err(failure);
            }
            engine = match self.start_anew(&failure, &mut wait) {
                Ok(engine) => engine,
                Err(End::Stopped) => return Ok(()),
                Err(End::Failed(failure)) => return Err(failure),
            };
        }
    }

    /// Has payments asked for whenever the engine leads, until it ends.
    fn serve(&self, engine: &Handle) -> Result<(), End> {
        loop {
            let claimed = engine.wait_claim(true);
            self.shared.lock().payments = None;
            claimed?;
            match (self.supplies.gateway)() {
                Ok(gateway) => {
                    let worker = self.ask_for_payments(gateway);
                    let ended = engine.wait_claim(false);
                    self.shared.lock().payments = None;
                    worker.stop().map_err(Failure::from)?;
                    ended?;
                }
                Err(failure) if failure.may_pass() => {
                    tracing::warn!(%failure, "payments wait for the gateway");
                    self.shared.lock().payments = Some(Box::new(move || Some(failure.to_string())));
                    self.shared.pause(BACKOFF)?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    fn ask_for_payments(&self, gateway: Arc<dyn PaymentGateway>) -> PaymentWorker {
        let Parts { log, schemas, clock, .. } = self.supplies.parts.clone();
        let worker = PaymentWorker::start(log, schemas, gateway, clock);
        self.shared.lock().payments = Some(Box::new(worker.failure_source()));
        worker
    }

    /// Starts another engine in the place of one that failed so, as soon as it can be.
    fn start_anew(&mut self, failure: &Failure, wait: &mut Duration) -> Result<Engine, End> {
        let mut reason = failure.to_string();
        loop {
            tracing::warn!(%reason, "the engine starts anew");
            self.shared.pause(*wait)?;
            *wait = (2 * *wait).min(BACKOFF_MAX);
            match self.open_anew() {
                Ok(engine) => return Ok(engine),
                Err(failure) if failure.may_pass() => reason = failure.to_string(),
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    fn open_anew(&mut self) -> Result<Engine, Failure> {
        self.supplies.parts.log = (self.supplies.reopen)()?;
        let Supplies { parts, options, role_again, .. } = &self.supplies;
        let engine = self.supplies.start(Options { role: *role_again, ..*options })?;
        let mut present = self.shared.lock();
        present.engine = engine.handle();
        present.log = Arc::clone(&parts.log);
        present.before += 1;
        if present.stopping {
            present.engine.stop();
        }
        self.shared.changed.notify_all();
        Ok(engine)
    }
}
