//! The payment worker: one thread that asks the gateway for what the engine has requested. It
//! keeps nothing: what is open is the requests on the log less the results on the log.
//!
//! ```text
//! request read --> call --> taken ----> (webhook) ----> result read: forgotten
//!                  ^  ^ not taken          | 10 s without a result
//!                  |  +---- back-off       v
//! at a start,      never made <------ ask for the attempt --> done: the result is appended here
//! outcome unknown ------------------------^    | open: asked again, ever more seldom
//! ```
//!
//! - A call has a key that is fixed by its request's place on the log. A call that may have been
//!   made is not repeated before the gateway was asked for the attempt.
//! - At a start results are read first, up to their end, then the requests up to an end that was
//!   asked for before that: a request found open there may only have been answered later, and such
//!   an answer is read again.
//! - A lost webhook is made good by appending what the attempt says, so that any provider which can
//!   be asked will do. If the webhook comes as well, the order hears the same twice.
//! - A process has a worker only while its engine leads: of several processes, one asks.
//!
//! Taking over, from a process whose gateway has books of its own (the sandbox):
//!
//! ```text
//! one that led    authorize -> answered     capture called, then killed
//! log             request 0    result of 0    request 1
//! this one's worker                                       reads results, then requests
//!                                                         0 is answered: recalled to the gateway
//!                                                         1 is open: not known there, so called
//! ```
//!
//! The answer to a call depends on the calls before it on that payment and nothing else, and all
//! calls are requests on the log, in one partition a payment: so the books come out the same. What
//! the one that led had called may be answered late, by it or when it leads again: the same answer
//! to the same key, from which the order hears the same twice. What is answered so while it is open
//! here is recalled too, so that the next call on that payment finds it.
//!
//! - The results read here are any caller's: one that cannot be decoded is skipped, the engine
//!   makes a dead letter of it, or holds its partition: then the gateway is asked for the attempt.
//!   A request whose schema is not known waits for it, and so do those behind it; one that cannot
//!   be decoded ends the worker.

mod calls;
mod requests;
mod worker;

use requests::Requests;
use schemas::topic::TopicPartition;
use sinks::clock::Clock;
use sinks::event_log::{EventLog, ReadError};
use sinks::payment_gateway::PaymentGateway;
use sinks::schema_registry::Schemas;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use worker::Worker;

/// Why the worker ended before it was stopped.
#[derive(Debug, thiserror::Error)]
pub enum PaymentWorkerError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A request is not what the engine writes.
    #[error("cannot read the payment request at {partition} offset {offset}: {detail}")]
    Request {
        /// Its partition.
        partition: TopicPartition,
        /// Its offset.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// It panicked.
    #[error("the payment worker panicked")]
    Panicked,
}

/// A running worker.
pub struct PaymentWorker {
    stopping: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    thread: JoinHandle<Result<(), PaymentWorkerError>>,
}

impl PaymentWorker {
    /// Starts the thread.
    ///
    /// # Panics
    /// The system gives no thread: the shop cannot run.
    #[must_use]
    pub fn start(
        log: Arc<dyn EventLog>,
        schemas: Schemas,
        gateway: Arc<dyn PaymentGateway>,
        clock: Clock,
    ) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(Mutex::new(None));
        let mut worker = Worker {
            log,
            schemas,
            gateway,
            clock,
            stopping: Arc::clone(&stopping),
            requests: Requests::default(),
            newest: HashMap::new(),
        };
        let told = Arc::clone(&failure);
        let run = move || {
            let ended = worker.run();
            if let Err(error) = &ended {
                tracing::error!(%error, "payments are not asked for any more");
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
            ended
        };
        let thread = thread::Builder::new().name("payment-worker".to_owned()).spawn(run);
        let thread = thread.expect("the system gives a thread at the start");
        Self { stopping, failure, thread }
    }

    /// Asks why it ended, if it did, from anywhere; for the readiness of the shop.
    pub fn failure_source(&self) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let failure = Arc::clone(&self.failure);
        move || failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops it after the calls under way.
    ///
    /// # Errors
    /// It had ended already.
    pub fn stop(self) -> Result<(), PaymentWorkerError> {
        self.stopping.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or(Err(PaymentWorkerError::Panicked))
    }
}

#[cfg(test)]
mod tests;
