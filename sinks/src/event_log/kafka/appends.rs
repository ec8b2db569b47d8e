//! Appends: idempotent producers, their deliveries counted down into each append's answers.
//!
//! There are two, each with connections of its own, since brokers answer what comes on one in its
//! order: a plan must not wait behind the outputs of the epochs before it, of which there are as
//! many requests as partitions. A partition belongs to one of them, which keeps its order.
//!
//! A failed delivery is *unknown*: the broker may have the record. Only what it refused in so many
//! words, or was never handed to the client, is *not appended*. A producer that the library has declared
//! fatally broken (the broker lost what it had acknowledged to it, say) takes nothing more, and one
//! that gave a record up may deliver nothing more, though the broker is back: the next append goes
//! to a new one.
//!
//! Where appends have a time of their own, callers wait for them: of a partition that is silent
//! ([`Pulse`]) nothing more is taken then, so that they are told at once and may come again.

use super::context::Context;
use super::pulse::Pulse;
use super::{Cluster, settings};
use crate::clock::Clock;
use crate::event_log::append::{content_bytes, not_appended, refuse_size};
use crate::event_log::{Answers, AppendError, Appended, Appending, NewRecord, OutputId};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// The header of an output's id.
pub(super) const OUTPUT_ID: &str = "watermart-id";
/// How long closing waits for what is under way at a client before it calls that unknown, twice at
/// most: a process that stops has 10 s for everything.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// What a record costs in the client's memory besides its key and value.
const OVERHEAD_BYTES: usize = 256;
const CLOSED: &str = "the log is closed";
const SILENT: &str = "earlier appends wait for the brokers to answer";

type Client = ThreadedProducer<Deliveries>;

/// Appends records.
pub(super) struct Appends {
    cluster: Cluster,
    timeout: Option<Duration>,
    /// None: closed.
    producers: RwLock<Option<Producers>>,
    in_flight: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
}

/// The clients.
struct Producers {
    /// Of the plan topic.
    plans: Client,
    /// Of all others.
    others: Client,
}

impl Producers {
    fn start(cluster: &Cluster, timeout: Option<Duration>) -> Result<Self, String> {
        Ok(Self { plans: start(cluster, timeout)?, others: start(cluster, timeout)? })
    }

    const fn of(&self, topic: Topic) -> &Client {
        if matches!(topic, Topic::Epochs) { &self.plans } else { &self.others }
    }

    const fn all(&mut self) -> [&mut Client; 2] {
        [&mut self.plans, &mut self.others]
    }

    fn are_whole(&self) -> bool {
        [&self.plans, &self.others].iter().all(|producer| !is_broken(producer))
    }
}

fn is_broken(producer: &Client) -> bool {
    producer.context().broken.load(Ordering::Acquire)
}

/// An append whose deliveries come in one by one.
struct Batch {
    answers: Mutex<(usize, Answers)>,
    sender: Mutex<Option<oneshot::Sender<Answers>>>,
    bytes: usize,
    in_flight: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
}

impl Batch {
    fn answer(&self, place: usize, answer: Result<Appended, AppendError>) {
        let mut guard = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, answers) = &mut *guard;
        answers[place] = answer;
        *left -= 1;
        if *left > 0 {
            return;
        }
        let answers = std::mem::take(answers);
        drop(guard);
        self.in_flight.fetch_sub(self.bytes, Ordering::AcqRel);
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Whoever asked may have gone: then nobody wants to know.
            let _ = sender.send(answers);
        }
    }
}

/// The producer's context: takes deliveries.
struct Deliveries {
    /// The producer is to be replaced.
    broken: AtomicBool,
    context: Context,
}

impl Deliveries {
    /// Notes if an error says that nothing good may come any more: the library takes no more
    /// records, or has given one up, after which it numbers them anew and was seen to send none
    /// for good (one broker of fifteen that stood still for 10 s).
    fn look_at(&self, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::MessageTimedOut)) {
            self.broken.store(true, Ordering::Release);
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.look_at(&error);
        self.context.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(Arc<Batch>, TopicPartition, usize)>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Self::DeliveryOpaque) {
        let (batch, at, place) = *place;
        if let Err((error, _)) = result {
            self.look_at(error);
        }
        let answer = match result {
            Ok(message) => Ok(Appended {
                offset: message.offset().unsigned_abs(),
                appended_at: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
            }),
            Err((error, _)) if is_refusal(error) => {
                Err(AppendError::NotAppended(error.to_string()))
            }
            Err((error, _)) => Err(AppendError::Unknown(error.to_string())),
        };
        batch.pulse.answered(at, !matches!(answer, Err(AppendError::Unknown(_))));
        batch.answer(place, answer);
    }
}

impl Appends {
    /// What is not durable within `timeout`, if there is one, is answered as unknown.
    pub(super) fn open(cluster: &Cluster, timeout: Option<Duration>) -> Result<Self, String> {
        let producers = RwLock::new(Some(Producers::start(cluster, timeout)?));
        let in_flight = Arc::new(AtomicUsize::new(0));
        let pulse = Arc::new(Pulse::new(Clock::system()));
        Ok(Self { cluster: cluster.clone(), timeout, producers, in_flight, pulse })
    }

    pub(super) fn append(&self, records: &[NewRecord]) -> Appending {
        if records.is_empty() {
            return Appending::ready(Vec::new());
        }
        if let Some(answers) = refuse_size(records) {
            return Appending::ready(answers);
        }
        let bytes = content_bytes(records) + records.len() * OVERHEAD_BYTES;
        let refused = |why: &str| {
            self.in_flight.fetch_sub(bytes, Ordering::AcqRel);
            Appending::ready(not_appended(records.len(), why))
        };
        if self.in_flight.fetch_add(bytes, Ordering::AcqRel) > settings::IN_FLIGHT_BYTES_MAX {
            return refused("too much waits for the brokers already");
        }
        if let Err(why) = self.mend() {
            return refused(&why);
        }
        // Held while the batch is handed over, so that closing does not come in between.
        let producers = self.producers.read().unwrap_or_else(PoisonError::into_inner);
        let Some(producers) = &*producers else {
            return refused(CLOSED);
        };
        let silent = self.asked(records.iter().map(|record| record.partition));
        let (sender, receiver) = oneshot::channel();
        let unanswered = Err(AppendError::Unknown("no answer yet".to_owned()));
        let batch = Arc::new(Batch {
            answers: Mutex::new((records.len(), vec![unanswered; records.len()])),
            sender: Mutex::new(Some(sender)),
            bytes,
            in_flight: Arc::clone(&self.in_flight),
            pulse: Arc::clone(&self.pulse),
        });
        for (place, record) in records.iter().enumerate() {
            if silent.contains(&record.partition) {
                batch.answer(place, Err(AppendError::NotAppended(SILENT.to_owned())));
            } else {
                self.send(producers.of(record.partition.topic), record, &batch, place);
            }
        }
        Appending::new(records.len(), receiver)
    }

    /// Notes that records go to these partitions; gives those that are silent, if callers wait: to
    /// them none go.
    fn asked(&self, of: impl Iterator<Item = TopicPartition> + Clone) -> HashSet<TopicPartition> {
        if self.timeout.is_some() {
            return self.pulse.asked_but_silent(of);
        }
        self.pulse.asked(of);
        HashSet::new()
    }

    fn send(&self, producer: &Client, record: &NewRecord, batch: &Arc<Batch>, place: usize) {
        let NewRecord { partition: at, key, value, output_id } = record;
        let topic = self.cluster.topic(at.topic);
        let id = output_id.map(|OutputId { epoch, n }| format!("{epoch}.{n}"));
        let headers = id.as_deref().map(|id| {
            OwnedHeaders::new_with_capacity(1).insert(Header { key: OUTPUT_ID, value: Some(id) })
        });
        let opaque = Box::new((Arc::clone(batch), *at, place));
        let mut message = BaseRecord::with_opaque_to(&topic, opaque)
            .partition(at.partition.into())
            .key(&key[..])
            .payload(&value[..]);
        message.headers = headers;
        if let Err((error, message)) = producer.send(message) {
            producer.context().look_at(&error);
            let (batch, at, place) = *message.delivery_opaque;
            self.pulse.answered(at, true);
            batch.answer(place, Err(AppendError::NotAppended(error.to_string())));
        }
    }

    /// Replaces a producer that is broken.
    fn mend(&self) -> Result<(), String> {
        let producers = self.producers.read().unwrap_or_else(PoisonError::into_inner);
        if producers.as_ref().is_none_or(Producers::are_whole) {
            return Ok(());
        }
        drop(producers);
        let mut producers = self.producers.write().unwrap_or_else(PoisonError::into_inner);
        let all = producers.iter_mut().flat_map(Producers::all);
        for producer in all.filter(|producer| is_broken(producer)) {
            let replaced = std::mem::replace(producer, start(&self.cluster, self.timeout)?);
            // What it still holds is answered, which takes a while.
            std::thread::Builder::new()
                .name("kafka-producer-end".to_owned())
                .spawn(move || end(&replaced))
                .map_err(|error| format!("could not start a thread: {error}"))?;
        }
        Ok(())
    }

    /// Takes no more and blocks until all under way is answered.
    pub(super) fn close(&self) {
        let closed = self.producers.write().unwrap_or_else(PoisonError::into_inner).take();
        closed.iter().flat_map(|Producers { plans, others }| [plans, others]).for_each(end);
    }
}

impl Drop for Appends {
    fn drop(&mut self) {
        self.close();
    }
}

fn start(cluster: &Cluster, timeout: Option<Duration>) -> Result<Client, String> {
    settings::producer(cluster, timeout)
        .create_with_context(Deliveries {
            broken: AtomicBool::new(false),
            context: Context::default(),
        })
        .map_err(|error| format!("could not start a producer: {error}"))
}

/// Waits for what is under way, or has it answered as unknown.
fn end(producer: &Client) {
    if let Err(error) = producer.flush(CLOSE_TIMEOUT) {
        tracing::warn!(%error, "closing with appends whose outcome is unknown");
        producer.purge(PurgeConfig::default().queue().inflight());
        if let Err(error) = producer.flush(CLOSE_TIMEOUT) {
            tracing::warn!(%error, "closing with appends that were not answered");
        }
    }
}

/// Whether the record is certainly not on the log: the client never sent it, or a broker refused
/// it. That no earlier attempt succeeded is seen to by the producer's sequence numbers.
fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}
