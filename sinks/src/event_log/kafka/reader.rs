//! Reads partitions: a client of its own, which fetches ahead on threads of its own. What was there
//! when the reader was opened is handed out in the order of append times (`fetched.rs`).
//!
//! Offsets may have gaps, also at the end of a partition: what a transaction leaves behind its
//! records, say. No record tells that such an end is reached. When a reader has been idle for a
//! while it asks for the ends; where it is short of one and stays so until it asks again, it is
//! looked whether that is a gap (`gaps.rs`), and then it is passed.

use super::appends::OUTPUT_ID;
use super::context::Context;
use super::ends::Ends;
use super::fetched::{Fetched, Flow};
use super::{Cluster, gaps, settings};
use crate::clock::Clock;
use crate::event_log::{OutputId, ReadError, Reader, Record};
use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use std::sync::Arc;
use std::time::Duration;

/// How long a reader may be kept from what was there when it was opened: a machine may be starved
/// for seconds and go on. A stop does not wait for it, since that closes the log.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// Idle for so long after a record, a reader makes sure that it is at the ends.
const SILENCE: Duration = Duration::from_millis(50);
/// The same, when it was at the ends: they may have moved without a record.
const IDLE: Duration = Duration::from_secs(1);

/// Reads a [`KafkaLog`](super::KafkaLog).
pub(super) struct KafkaReader {
    cluster: Cluster,
    client: BaseConsumer<Context>,
    ends: Arc<Ends>,
    clock: Clock,
    topics: Vec<(String, Topic)>,
    fetched: Fetched,
    /// What [`Reader::wait`] has met.
    met: Option<ReadError>,
    /// When it last read a record or looked at the ends.
    active_at: Duration,
    /// It was at the ends then.
    at_ends: bool,
}

impl KafkaReader {
    /// A reader of these partitions, each from the offset beside it.
    pub(super) fn open(
        cluster: &Cluster,
        ends: Arc<Ends>,
        from: &[(TopicPartition, u64)],
    ) -> Result<Self, ReadError> {
        let partitions: Vec<_> = from.iter().map(|(at, _)| *at).collect();
        let fetched = Fetched::from(from, &ends.ends(&partitions)?);
        check(&ends, &fetched)?;
        let client = assigned(&settings::consumer(cluster), cluster, from)?;
        let clock = Clock::system();
        Ok(Self {
            cluster: cluster.clone(),
            client,
            ends,
            active_at: clock.elapsed(),
            at_ends: false,
            clock,
            topics: Topic::ALL.into_iter().map(|topic| (cluster.topic(topic), topic)).collect(),
            fetched,
            met: None,
        })
    }

    /// Takes the next record from the client, if one comes in time.
    fn poll(&mut self, timeout: Duration) -> Result<bool, ReadError> {
        let error = match self.client.poll(timeout) {
            None => return Ok(false),
            Some(Ok(message)) => {
                self.active_at = self.clock.elapsed();
                self.at_ends = false;
                let flow = read(&self.topics, &message).and_then(|r| self.fetched.put(r));
                drop(message);
                return flow.map_or(Ok(()), |flow| self.steer(flow)).map(|()| true);
            }
            Some(Err(error)) => error,
        };
        match meaning(&error) {
            Meaning::Lost => {
                check(&self.ends, &self.fetched)?;
                Err(ReadError::Unavailable(error.to_string()))
            }
            Meaning::Refused => Err(ReadError::Unavailable(error.to_string())),
            // The client goes on by itself when the brokers do.
            Meaning::Passing => {
                tracing::debug!(%error, "reading");
                Ok(false)
            }
        }
    }

    /// Has the client fetch no more of a partition for now, or go on.
    fn steer(&self, flow: Flow) -> Result<(), ReadError> {
        let (at, resume) = match flow {
            Flow::Pause(at) => (at, false),
            Flow::Resume(at) => (at, true),
        };
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&self.cluster.topic(at.topic), at.partition.into());
        let steered = if resume { self.client.resume(&list) } else { self.client.pause(&list) };
        steered.map_err(|error| ReadError::Unavailable(error.to_string()))
    }

    /// The next record to hand out, of what has come.
    fn next(&mut self) -> Result<Option<Record>, ReadError> {
        let Some((record, flow)) = self.fetched.take() else { return Ok(None) };
        flow.map_or(Ok(()), |flow| self.steer(flow))?;
        Ok(Some(record))
    }

    /// Blocks until more has come, what was there at the opening is read, or the log is closed.
    fn catch_up(&mut self) -> Result<(), ReadError> {
        let began = self.clock.elapsed();
        while self.fetched.is_behind() {
            if self.poll(SILENCE)? {
                return Ok(());
            }
            if self.ends.are_closed() {
                return Err(ReadError::Unavailable("the log is closed".to_owned()));
            }
            self.pass_gaps()?;
            if self.clock.elapsed().saturating_sub(began) > CATCH_UP_TIMEOUT {
                let last = self.client.context().last_error();
                let last = last.map_or_else(String::new, |last| format!(": {last}"));
                return Err(ReadError::Unavailable(format!("nothing comes from the log{last}")));
            }
        }
        Ok(())
    }

    /// How long it is idle before it looks at the ends.
    const fn look_after(&self) -> Duration {
        if self.at_ends { IDLE } else { SILENCE }
    }

    /// Makes sure, if it has been idle, that all partitions are at their ends; passes gaps.
    fn pass_gaps(&mut self) -> Result<(), ReadError> {
        if self.clock.elapsed().saturating_sub(self.active_at) < self.look_after() {
            return Ok(());
        }
        let ends = self.ends.ends(&self.fetched.partitions());
        self.active_at = self.clock.elapsed();
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => {
                tracing::debug!(%error, "idle");
                return Ok(());
            }
        };
        let stuck = self.fetched.stuck(&ends);
        let places: Vec<_> = stuck.iter().map(|(at, next, _)| (*at, *next)).collect();
        let at_end = gaps::ends_among(&self.cluster, &places)?;
        for (at, _, end) in stuck.into_iter().filter(|(at, ..)| at_end.contains(at)) {
            self.fetched.pass(at, end);
        }
        self.at_ends = self.fetched.are_at(&ends);
        Ok(())
    }
}

impl Reader for KafkaReader {
    fn read(&mut self, bytes_max: usize, into: &mut Vec<Record>) -> Result<(), ReadError> {
        if let Some(met) = self.met.take() {
            return Err(met);
        }
        let mut bytes = 0;
        while bytes < bytes_max {
            if let Some(record) = self.next()? {
                bytes += (record.key.len() + record.value.len()).max(1);
                into.push(record);
            } else if !self.poll(Duration::ZERO)? {
                if bytes > 0 {
                    return Ok(());
                }
                if !self.fetched.is_behind() {
                    return self.pass_gaps();
                }
                self.catch_up()?;
            }
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) {
        if self.met.is_none() && !self.fetched.has_next() {
            self.met = self.poll(timeout.min(self.look_after())).err();
        }
    }

    fn position(&self, partition: TopicPartition) -> u64 {
        self.fetched.position(partition)
    }
}

/// Refuses places that are not on the log.
fn check(ends: &Ends, fetched: &Fetched) -> Result<(), ReadError> {
    let partitions = fetched.partitions();
    let (starts, ends) = (ends.starts(&partitions)?, ends.ends(&partitions)?);
    for (partition, (start, end)) in partitions.into_iter().zip(starts.into_iter().zip(ends)) {
        let asked = fetched.next(partition);
        if asked < start {
            return Err(ReadError::BelowStart { partition, asked, start });
        }
        if asked > end {
            return Err(ReadError::BeyondEnd { partition, asked, end });
        }
    }
    Ok(())
}

/// A client that reads these partitions.
pub(super) fn assigned(
    config: &ClientConfig,
    cluster: &Cluster,
    from: &[(TopicPartition, u64)],
) -> Result<BaseConsumer<Context>, ReadError> {
    let client: BaseConsumer<Context> = settings::create(config).map_err(ReadError::Unavailable)?;
    let mut list = TopicPartitionList::with_capacity(from.len());
    let assigned = from.iter().try_for_each(|(at, offset)| {
        let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
        list.add_partition_offset(&cluster.topic(at.topic), at.partition.into(), offset)
    });
    assigned
        .and_then(|()| client.assign(&list))
        .map_err(|error| ReadError::Unavailable(error.to_string()))?;
    Ok(client)
}

/// The record of a message; none if its topic is not asked for, which the client never gives.
fn read(topics: &[(String, Topic)], message: &BorrowedMessage<'_>) -> Option<Record> {
    let (_, topic) = topics.iter().find(|(name, _)| name == message.topic())?;
    let bytes = |part: Option<&[u8]>| part.map_or_else(Bytes::new, Bytes::copy_from_slice);
    Some(Record {
        partition: TopicPartition {
            topic: *topic,
            partition: u16::try_from(message.partition()).ok()?,
        },
        offset: message.offset().unsigned_abs(),
        appended_at: Timestamp(message.timestamp().to_millis().unwrap_or(0)),
        key: bytes(message.key()),
        value: bytes(message.payload()),
        output_id: output_id(message),
    })
}

fn output_id(message: &BorrowedMessage<'_>) -> Option<OutputId> {
    let header = message.headers()?.iter().find(|header| header.key == OUTPUT_ID)?;
    let (epoch, n) = std::str::from_utf8(header.value?).ok()?.split_once('.')?;
    Some(OutputId { epoch: epoch.parse().ok()?, n: n.parse().ok()? })
}

/// What an error means to a reader.
enum Meaning {
    /// The place it was at is not on the log.
    Lost,
    /// It will not be read by trying again soon.
    Refused,
    /// The brokers are away or moving.
    Passing,
}

fn meaning(error: &KafkaError) -> Meaning {
    use RDKafkaErrorCode::{
        AutoOffsetReset, BadCompression, BadMessage, InvalidMessage, LogTruncation,
        OffsetOutOfRange, TopicAuthorizationFailed, UnknownPartition, UnknownTopic,
        UnknownTopicOrPartition,
    };
    match error.rdkafka_error_code() {
        Some(AutoOffsetReset | LogTruncation | OffsetOutOfRange) => Meaning::Lost,
        Some(
            UnknownTopic
            | UnknownPartition
            | UnknownTopicOrPartition
            | TopicAuthorizationFailed
            | BadMessage
            | BadCompression
            | InvalidMessage,
        ) => Meaning::Refused,
        Some(_) | None => Meaning::Passing,
    }
}
