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
//! - The results read here are any caller's: one that cannot be decoded is skipped, the engine
//!   makes a dead letter of it. A request that cannot be decoded ends the worker.

mod requests;

use bytes::Bytes;
use requests::{Next, Open, RequestId, Requests, Results};
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::payment_requests::PaymentRequested;
use schemas::events::{Event, EventKind};
use schemas::id::{EventId, action_id};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{EventLog, NewRecord, OutputId, ReadError, Reader, Record};
use sinks::payment_gateway::{Attempt, Call, GatewayError, PaymentGateway};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
/// Calls made at once: they share the gateway's round trip.
const CALLS_MAX: usize = 10_000;
/// How long a webhook may take before the attempt is asked for; each further time it is double.
const POLL_AFTER: Duration = Duration::from_secs(10);
const POLL_AFTER_MAX: Duration = Duration::from_secs(600);
/// What the first failed call waits; each further one waits double.
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long after the order's deadline an open attempt is asked for: providers forget keys then.
const POLLED_MS: i64 = 24 * 60 * 60 * 1000;
/// How soon a stop is noticed, and a clock that somebody moves by hand.
const WAIT_MAX: Duration = Duration::from_millis(100);

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
        codec: Arc<Codec>,
        gateway: Arc<dyn PaymentGateway>,
        clock: Clock,
    ) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(Mutex::new(None));
        let mut worker = Worker {
            log,
            codec,
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
        self.thread.join().unwrap_or(Err(PaymentWorkerError::Panicked))
    }
}

struct Worker {
    log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    gateway: Arc<dyn PaymentGateway>,
    clock: Clock,
    stopping: Arc<AtomicBool>,
    requests: Requests,
    /// The largest output id seen in each partition: what is not above it was seen.
    newest: HashMap<TopicPartition, OutputId>,
}

impl Worker {
    fn run(&mut self) -> Result<(), PaymentWorkerError> {
        let mut reader = self.catch_up()?;
        let mut records = Vec::new();
        while !self.stopping.load(Ordering::Acquire) {
            reader.read(READ_BYTES, &mut records)?;
            let is_idle = records.is_empty();
            for record in records.drain(..) {
                if let Some((id, request)) = self.request(&record)? {
                    self.requests.add(id, request, Next::Call);
                } else if let Some(report) = self.report(&record) {
                    self.requests.told(&report);
                }
            }
            self.work();
            if is_idle {
                let due = self.requests.next_due();
                let wait = due.map(|due| due.saturating_sub(self.clock.elapsed()));
                reader.wait(wait.map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX)));
            }
        }
        Ok(())
    }

    /// Collects what is open, and returns a reader of all that comes later.
    fn catch_up(&mut self) -> Result<Box<dyn Reader>, PaymentWorkerError> {
        let mut results = Results::default();
        let mut open = Vec::new();
        let request_ends = self.ends(Topic::PaymentRequests)?;
        let result_ends = self.ends(Topic::CustomerActions)?;
        let mut from = self.read_to(&result_ends, |worker, record| {
            if let Some(report) = worker.report(record) {
                results.add(&report);
            }
            Ok(())
        })?;
        from.extend(self.read_to(&request_ends, |worker, record| {
            if let Some((id, request)) = worker.request(record)?
                && !results.answer(&request)
            {
                open.push((id, request));
            }
            Ok(())
        })?);
        for (id, request) in open {
            self.requests.add(id, request, Next::Ask);
        }
        Ok(self.log.reader(&from)?)
    }

    fn ends(&self, topic: Topic) -> Result<Vec<(TopicPartition, u64)>, ReadError> {
        let partitions: Vec<_> = TopicPartition::all(topic).collect();
        let ends = self.log.ends(&partitions)?;
        Ok(partitions.into_iter().zip(ends).collect())
    }

    /// Reads these partitions from 0 to at least these ends, and says up to where.
    fn read_to(
        &mut self,
        ends: &[(TopicPartition, u64)],
        mut take: impl FnMut(&mut Self, &Record) -> Result<(), PaymentWorkerError>,
    ) -> Result<Vec<(TopicPartition, u64)>, PaymentWorkerError> {
        let from: Vec<_> = ends.iter().map(|(partition, _)| (*partition, 0)).collect();
        let mut reader = self.log.reader(&from)?;
        let mut records = Vec::new();
        while !self.stopping.load(Ordering::Acquire)
            && ends.iter().any(|(partition, end)| reader.position(*partition) < *end)
        {
            reader.read(READ_BYTES, &mut records)?;
            for record in records.drain(..) {
                take(self, &record)?;
            }
        }
        Ok(from.into_iter().map(|(at, _)| (at, reader.position(at))).collect())
    }

    /// The record as a request that was not seen before.
    fn request(
        &mut self,
        record: &Record,
    ) -> Result<Option<(RequestId, PaymentRequested)>, PaymentWorkerError> {
        if record.partition.topic != Topic::PaymentRequests {
            return Ok(None);
        }
        let bad = |detail: String| PaymentWorkerError::Request {
            partition: record.partition,
            offset: record.offset,
            detail,
        };
        let output = record.output_id.ok_or_else(|| bad("it has no output id".to_owned()))?;
        if self.newest.get(&record.partition).is_some_and(|newest| output <= *newest) {
            return Ok(None);
        }
        let (_, event) =
            self.codec.decode(&record.value).map_err(|error| bad(error.to_string()))?;
        let Event::PaymentRequested(request) = event else {
            return Err(bad("it is another event".to_owned()));
        };
        self.newest.insert(record.partition, output);
        let id = RequestId { partition: record.partition.partition, output };
        Ok(Some((id, request)))
    }

    /// The record as a result.
    fn report(&self, record: &Record) -> Option<PaymentReported> {
        let is_report = record.partition.topic == Topic::CustomerActions
            && matches!(self.codec.kind(&record.value), Ok(EventKind::PaymentReported));
        if !is_report {
            return None;
        }
        match self.codec.decode(&record.value) {
            Ok((_, Event::PaymentReported(report))) => Some(report),
            Ok(_) | Err(_) => None,
        }
    }

    /// Takes every step that is due.
    fn work(&mut self) {
        let (now, wall) = (self.clock.elapsed(), self.clock.now());
        let (mut to_call, mut to_report) = (Vec::new(), Vec::new());
        for open in self.requests.take_due(now, CALLS_MAX) {
            match open.next {
                Next::Call => to_call.push(open),
                Next::Ask => match self.gateway.attempt(&open.id.idempotency_key()) {
                    Ok(Attempt::NeverMade) => to_call.push(open),
                    Ok(Attempt::Open) => self.poll_later(open, now, wall),
                    Ok(Attempt::Done(outcome)) => to_report.push((open, outcome)),
                    Err(GatewayError::Unavailable(_) | GatewayError::Unknown(_)) => {
                        self.requests.again(open, Next::Ask, now, backoff(open.waited));
                    }
                },
            }
        }
        self.call(to_call, now);
        self.append(to_report, now);
    }

    fn poll_later(&mut self, open: Open, now: Duration, wall: Timestamp) {
        let given_up_at = open.request.expires_at.plus_ms(POLLED_MS);
        if !self.gateway.answers() || wall > given_up_at {
            return;
        }
        let wait = (2 * open.waited).clamp(POLL_AFTER, POLL_AFTER_MAX);
        self.requests.again(open, Next::Ask, now, wait);
    }

    fn call(&mut self, to_call: Vec<Open>, now: Duration) {
        if to_call.is_empty() {
            return;
        }
        let call = |open: &Open| Call {
            idempotency_key: open.id.idempotency_key(),
            request: open.request,
        };
        let calls: Vec<_> = to_call.iter().map(call).collect();
        let answers = self.gateway.call(&calls);
        assert_eq!(answers.len(), calls.len(), "a gateway answers every call");
        for (open, answer) in to_call.into_iter().zip(answers) {
            let wait = backoff(open.waited);
            match answer {
                Ok(()) if self.gateway.answers() => {
                    self.requests.again(open, Next::Ask, now, POLL_AFTER);
                }
                Ok(()) => {}
                Err(GatewayError::Unavailable(_)) => {
                    self.requests.again(open, Next::Call, now, wait);
                }
                Err(GatewayError::Unknown(_)) => self.requests.again(open, Next::Ask, now, wait),
            }
        }
    }

    /// Appends what attempts told. A request stays open until its result is read, so an append
    /// that failed is made again.
    fn append(&mut self, to_report: Vec<(Open, PaymentOutcome)>, now: Duration) {
        if to_report.is_empty() {
            return;
        }
        let records = to_report.iter().map(|(open, outcome)| self.record(open, *outcome)).collect();
        for ((open, _), answer) in to_report.into_iter().zip(self.log.append(records).wait()) {
            let wait = if answer.is_ok() { POLL_AFTER } else { backoff(open.waited) };
            self.requests.again(open, Next::Ask, now, wait);
        }
    }

    fn record(&self, open: &Open, outcome: PaymentOutcome) -> NewRecord {
        let PaymentRequested { order_id, payment_id, amount, currency, .. } = open.request;
        let provider_event_id = format!("attempt:{}", open.id.idempotency_key());
        let event_id = action_id(order_id.group(), &[provider_event_id.as_bytes()]).to_bytes();
        let envelope = Envelope {
            event_id: EventId(event_id),
            occurred_at: self.clock.now(),
            role: Role::Provider,
            subject: None,
            causation_id: EventId(event_id),
            correlation_id: EventId(order_id.to_bytes()),
        };
        let report = PaymentReported {
            provider_event_id,
            payment_id,
            order_id,
            outcome,
            amount,
            currency,
            decline_code: None,
        };
        let mut value = Vec::new();
        self.codec.encode(&envelope, &report.into(), &mut value);
        NewRecord {
            partition: TopicPartition::of_group(Topic::CustomerActions, order_id.group()),
            key: order_id.with_text(|text| Bytes::copy_from_slice(text.as_bytes())),
            value: value.into(),
            output_id: None,
        }
    }
}

fn backoff(waited: Duration) -> Duration {
    (2 * waited).clamp(BACKOFF, BACKOFF_MAX)
}

#[cfg(test)]
mod tests;
