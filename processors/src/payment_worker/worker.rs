//! The worker's loop: reads what was requested and what became of it, and lets what is due be done.

use super::PaymentWorkerError;
use super::requests::{Next, RequestId, Requests, Results};
use schemas::codec::DecodeError;
use schemas::envelope::Envelope;
use schemas::events::customer_actions::PaymentReported;
use schemas::events::payment_requests::PaymentRequested;
use schemas::events::{Event, EventKind};
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{EventLog, OutputId, ReadError, Reader, Record};
use sinks::payment_gateway::{Call, PaymentGateway};
use sinks::schema_registry::Schemas;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub(super) const READ_BYTES: usize = 1 << 20;
/// How soon a stop is noticed, and a clock that somebody moves by hand.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Before a log or registry that did not answer is asked anew.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) schemas: Schemas,
    pub(super) gateway: Arc<dyn PaymentGateway>,
    pub(super) clock: Clock,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) requests: Requests,
    /// The largest output id seen in each partition: what is not above it was seen.
    pub(super) newest: HashMap<TopicPartition, OutputId>,
}

impl Worker {
    pub(super) fn run(&mut self) -> Result<(), PaymentWorkerError> {
        loop {
            match self.serve() {
                Err(PaymentWorkerError::Read(error @ ReadError::Unavailable(_)))
                    if !self.stopping.load(Ordering::Acquire) =>
                {
                    tracing::warn!(%error, "payments wait for the log");
                    (self.requests, self.newest) = Default::default();
                    // Whoever stops it wakes it.
                    thread::park_timeout(RETRY);
                }
                ended => return ended,
            }
        }
    }

    /// Works until it is stopped, or the log cannot be read.
    fn serve(&mut self) -> Result<(), PaymentWorkerError> {
        let mut reader = self.catch_up()?;
        let mut records = Vec::new();
        while !self.stopping.load(Ordering::Acquire) {
            reader.read(READ_BYTES, &mut records)?;
            let is_idle = records.is_empty();
            for record in records.drain(..) {
                if let Some((id, request)) = self.request(&record)? {
                    self.requests.add(id, request, Next::Call);
                } else if let Some(report) = self.report(&record) {
                    // Another process may have asked for it.
                    for answered in self.requests.told(&report) {
                        self.gateway.recall(&answered.call());
                    }
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
            let Some((id, request)) = worker.request(record)? else { return Ok(()) };
            if results.answer(&request) {
                let idempotency_key = id.idempotency_key();
                worker.gateway.recall(&Call { idempotency_key, request });
            } else {
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
        let Some(decoded) = self.decode(record) else { return Ok(None) };
        let (_, event) = decoded.map_err(|error| bad(error.to_string()))?;
        let Event::PaymentRequested(request) = event else {
            return Err(bad("it is another event".to_owned()));
        };
        self.newest.insert(record.partition, output);
        let id = RequestId { partition: record.partition.partition, output };
        Ok(Some((id, request)))
    }

    /// Waits for a schema that is not known: another build of ours wrote this, and without it
    /// money would not move. `None`: it was stopped before.
    fn decode(&self, record: &Record) -> Option<Result<(Envelope, Event), DecodeError>> {
        loop {
            let decoded = self.schemas.decode(&record.value);
            if !matches!(decoded, Err(DecodeError::UnknownSchema(_))) {
                return Some(decoded);
            }
            if self.stopping.load(Ordering::Acquire) {
                return None;
            }
            thread::sleep(RETRY);
        }
    }

    /// The record as a result.
    fn report(&self, record: &Record) -> Option<PaymentReported> {
        let is_report = record.partition.topic == Topic::CustomerActions
            && matches!(self.schemas.codec.kind(&record.value), Ok(EventKind::PaymentReported));
        if !is_report {
            return None;
        }
        match self.schemas.codec.decode(&record.value) {
            Ok((_, Event::PaymentReported(report))) => Some(report),
            Ok(_) | Err(_) => None,
        }
    }
}
