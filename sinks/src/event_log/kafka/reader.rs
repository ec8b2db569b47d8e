//! Reads partitions: a client of its own, which fetches ahead on threads of its own.
//!
//! Offsets may have gaps, also at the end of a partition: what a transaction leaves behind its
//! records, say. No record tells that such an end is reached. When a reader has been idle for a
//! while it asks for the ends; where it is short of one and stays so until it asks again, a second
//! client looks from the same place, and if that is told that nothing is there, the gap is passed.

use super::appends::OUTPUT_ID;
use super::context::Context;
use super::ends::Ends;
use super::{Cluster, settings};
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
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a reader may be kept from what was there when it was opened.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle for so long after a record, a reader makes sure that it is at the ends.
const SILENCE: Duration = Duration::from_millis(50);
/// The same, when it was at the ends: they may have moved without a record.
const IDLE: Duration = Duration::from_secs(1);
/// How long the second client may take to see what is there.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads a [`KafkaLog`](super::KafkaLog).
pub(super) struct KafkaReader {
    cluster: Cluster,
    client: BaseConsumer<Context>,
    ends: Arc<Ends>,
    clock: Clock,
    topics: Vec<(String, Topic)>,
    partitions: BTreeMap<TopicPartition, Place>,
    /// What [`Reader::wait`] has met.
    met: Option<Result<Record, ReadError>>,
    /// All partitions have been read to their ends at the opening.
    caught_up: bool,
    /// When it last read a record or looked at the ends.
    active_at: Duration,
    /// It was at the ends then.
    at_ends: bool,
}

/// How far a partition is read.
struct Place {
    next: u64,
    /// Its end when the reader was opened.
    first_end: u64,
    /// Where it was short of its end and idle when it was last looked at.
    stuck_at: Option<u64>,
}

impl KafkaReader {
    /// A reader of these partitions, each from the offset beside it.
    pub(super) fn open(
        cluster: &Cluster,
        ends: Arc<Ends>,
        from: &[(TopicPartition, u64)],
    ) -> Result<Self, ReadError> {
        let partitions: Vec<_> = from.iter().map(|(at, _)| *at).collect();
        let first_ends = ends.ends(&partitions)?;
        let place = |((at, next), first_end): (&(TopicPartition, u64), u64)| {
            (*at, Place { next: *next, first_end, stuck_at: None })
        };
        let partitions: BTreeMap<_, _> = from.iter().zip(first_ends).map(place).collect();
        check(&ends, &partitions)?;
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
            partitions,
            met: None,
            caught_up: false,
        })
    }

    /// The next record, if one comes in time.
    fn poll(&mut self, timeout: Duration) -> Result<Option<Record>, ReadError> {
        let error = match self.client.poll(timeout) {
            None => return Ok(None),
            Some(Ok(message)) => {
                self.active_at = self.clock.elapsed();
                self.at_ends = false;
                return Ok(read(&self.topics, &message));
            }
            Some(Err(error)) => error,
        };
        match meaning(&error) {
            Meaning::Lost => {
                check(&self.ends, &self.partitions)?;
                Err(ReadError::Unavailable(error.to_string()))
            }
            Meaning::Refused => Err(ReadError::Unavailable(error.to_string())),
            // The client goes on by itself when the brokers do.
            Meaning::Passing => {
                tracing::debug!(%error, "reading");
                Ok(None)
            }
        }
    }

    fn take(&mut self, record: Record, into: &mut Vec<Record>) -> usize {
        if let Some(place) = self.partitions.get_mut(&record.partition) {
            place.next = record.offset + 1;
        }
        let bytes = record.key.len() + record.value.len();
        into.push(record);
        bytes
    }

    /// Blocks until a record has come, or what was there at the opening is read.
    fn catch_up(&mut self) -> Result<Option<Record>, ReadError> {
        let began = self.clock.elapsed();
        while self.partitions.values().any(|place| place.next < place.first_end) {
            if let Some(record) = self.poll(SILENCE)? {
                return Ok(Some(record));
            }
            self.pass_gaps()?;
            if self.clock.elapsed().saturating_sub(began) > CATCH_UP_TIMEOUT {
                let last = self.client.context().last_error().unwrap_or_default();
                return Err(ReadError::Unavailable(format!("nothing comes from the log: {last}")));
            }
        }
        self.caught_up = true;
        Ok(None)
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
        let partitions: Vec<_> = self.partitions.keys().copied().collect();
        let ends = self.ends.ends(&partitions);
        self.active_at = self.clock.elapsed();
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => {
                tracing::debug!(%error, "idle");
                return Ok(());
            }
        };
        let mut short = false;
        for ((at, place), end) in self.partitions.iter_mut().zip(ends) {
            let was_stuck = place.stuck_at == Some(place.next);
            if was_stuck && place.next < end && nothing_at(&self.cluster, *at, place.next)? {
                place.next = end;
            }
            place.stuck_at = (place.next < end).then_some(place.next);
            short |= place.stuck_at.is_some();
        }
        self.at_ends = !short;
        Ok(())
    }
}

impl Reader for KafkaReader {
    fn read(&mut self, bytes_max: usize, into: &mut Vec<Record>) -> Result<(), ReadError> {
        let mut bytes = 0;
        if let Some(met) = self.met.take() {
            bytes += self.take(met?, into);
        }
        while bytes < bytes_max {
            let record = match self.poll(Duration::ZERO)? {
                None if bytes > 0 => return Ok(()),
                None if self.caught_up => return self.pass_gaps(),
                None => self.catch_up()?,
                record => record,
            };
            let Some(record) = record else { return Ok(()) };
            bytes += self.take(record, into).max(1);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) {
        if self.met.is_none() {
            self.met = self.poll(timeout.min(self.look_after())).transpose();
        }
    }

    fn position(&self, partition: TopicPartition) -> u64 {
        self.partitions.get(&partition).map_or(0, |place| place.next)
    }
}

/// Refuses places that are not on the log.
fn check(ends: &Ends, partitions: &BTreeMap<TopicPartition, Place>) -> Result<(), ReadError> {
    let asked: Vec<_> = partitions.keys().copied().collect();
    let (starts, ends) = (ends.starts(&asked)?, ends.ends(&asked)?);
    for ((partition, place), (start, end)) in partitions.iter().zip(starts.into_iter().zip(ends)) {
        let (partition, asked) = (*partition, place.next);
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
fn assigned(
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

/// Whether a client that looks from this place is told that it has reached the end.
fn nothing_at(cluster: &Cluster, at: TopicPartition, offset: u64) -> Result<bool, ReadError> {
    let mut config = settings::consumer(cluster);
    config.set("enable.partition.eof", "true");
    let client = assigned(&config, cluster, &[(at, offset)])?;
    let clock = Clock::system();
    while let Some(left) = LOOK_TIMEOUT.checked_sub(clock.elapsed()) {
        match client.poll(left) {
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(true),
            Some(Ok(_)) => return Ok(false),
            Some(Err(_)) | None => {}
        }
    }
    Ok(false)
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
