//! The engine's threads: one that fails or panics fails the hub, so that no other waits for it.

use crate::dataflow;
use crate::failure::Failure;
use crate::hub::Hub;
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use timely::WorkerConfig;
use timely::communication::{AllocatorBuilder, WorkerGuards};
use timely::execute::execute_from;

/// Running timely workers; each gives the bytes of its state, if the hub asks for them.
pub type Workers = WorkerGuards<Vec<u8>>;

/// Running threads over one hub.
pub(crate) struct Threads {
    pub(crate) hub: Arc<Hub>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// None yet.
    pub(crate) const fn over(hub: Arc<Hub>) -> Self {
        Self { hub, running: Vec::new() }
    }

    /// Starts one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&Arc<Hub>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let hub = Arc::clone(&self.hub);
        #[cfg(test)]
        let off = crate::protection::here();
        let run = move || {
            #[cfg(test)]
            crate::protection::switch_off(off);
            let guard = FailOnPanic(Arc::clone(&hub));
            if let Err(failure) = work(&hub) {
                hub.fail(failure);
            }
            drop(guard);
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|error| {
            Failure::Fault(format!("could not start the thread {name}: {error}"))
        })?;
        self.running.push(thread);
        Ok(())
    }

    /// Waits until all have ended.
    ///
    /// # Errors
    /// One panicked.
    pub(crate) fn join(&mut self) -> Result<(), Failure> {
        let ended: Vec<_> = self.running.drain(..).map(JoinHandle::join).collect();
        if ended.iter().any(Result::is_err) {
            return Err(Failure::Bug("a thread of the engine panicked".to_owned()));
        }
        Ok(())
    }
}

/// Fails the hub if its thread panics.
struct FailOnPanic(Arc<Hub>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let told = "a thread of the engine panicked; its message stands above";
            self.0.fail(Failure::Bug(told.to_owned()));
        }
    }
}

/// Starts the timely workers over the hub.
///
/// # Errors
/// A thread cannot be started.
pub fn start_workers(hub: &Arc<Hub>, workers: usize, hash_seed: u64) -> Result<Workers, Failure> {
    let communication = if workers == 1 {
        timely::CommunicationConfig::Thread
    } else {
        timely::CommunicationConfig::Process(workers)
    };
    let (builders, others) = communication.try_build().map_err(Failure::Fault)?;
    run_workers(hub, (builders, others), hash_seed)
}

/// Starts the timely workers over the hub, as these are connected.
///
/// # Errors
/// A thread cannot be started.
pub(crate) fn run_workers(
    hub: &Arc<Hub>,
    (builders, others): (Vec<AllocatorBuilder>, Box<dyn Any + Send>),
    hash_seed: u64,
) -> Result<Workers, Failure> {
    let hub = Mutex::new(Arc::clone(hub));
    #[cfg(test)]
    let off = crate::protection::here();
    let started = execute_from(builders, others, WorkerConfig::default(), move |worker| {
        #[cfg(test)]
        crate::protection::switch_off(off);
        let hub = Arc::clone(&hub.lock().unwrap_or_else(PoisonError::into_inner));
        let guard = FailOnPanic(Arc::clone(&hub));
        let dump = dataflow::run(worker, &hub, hash_seed);
        drop(guard);
        dump
    });
    started.map_err(|error| Failure::Fault(format!("could not start the workers: {error}")))
}
