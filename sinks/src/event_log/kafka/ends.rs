//! Asks where partitions start and end, on a connection of its own.

use super::context::Context;
use super::{Cluster, OpenError, settings};
use crate::clock::Clock;
use crate::event_log::ReadError;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use schemas::topic::TopicPartition;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longer than a healthy broker takes, and shorter than a stop may.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Of one question: one to a leader that is dead waits at it, while another leads by now.
const ONE_ANSWER: Duration = Duration::from_millis(500);
/// Within it the client hands over all that it has had to tell.
const DRAIN: Duration = Duration::from_millis(5);
/// Between the first two questions.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Asks for starts and ends.
pub(super) struct Ends {
    cluster: Cluster,
    client: BaseConsumer<Context>,
    closed: AtomicBool,
}

impl Ends {
    /// Talks to the brokers as soon as it is asked something.
    pub(super) fn connect(cluster: &Cluster) -> Result<Self, OpenError> {
        let client = settings::create(&settings::asker(cluster))
            .map_err(|detail| OpenError::unreachable(cluster, detail))?;
        Ok(Self { cluster: cluster.clone(), client, closed: AtomicBool::new(false) })
    }

    /// Nobody is to wait any more for what lies before the ends.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether the log is closed.
    pub(super) fn are_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The client, for what else is asked of the brokers.
    pub(super) fn client(&self) -> &BaseConsumer<Context> {
        &self.client
    }

    /// The last thing that went wrong with a connection. What the client had to tell is taken off
    /// its queue here: nobody else does.
    pub(super) fn last_error(&self) -> Option<String> {
        while self.client.poll(DRAIN).is_some() {}
        self.client.context().last_error()
    }

    /// The offsets that the next records of these partitions would have.
    pub(super) fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        self.ask(partitions, Offset::End)
    }

    /// The first offsets of these partitions that are kept.
    pub(super) fn starts(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        self.ask(partitions, Offset::Beginning)
    }

    /// Asks until it is answered, for leaders move; not for longer than [`ANSWER_TIMEOUT`].
    fn ask(&self, partitions: &[TopicPartition], which: Offset) -> Result<Vec<u64>, ReadError> {
        let clock = Clock::system();
        let mut wait = ASK_AGAIN;
        loop {
            let left = ANSWER_TIMEOUT.saturating_sub(clock.elapsed());
            let detail = match self.ask_once(partitions, which, left.min(ONE_ANSWER)) {
                Ok(offsets) => return Ok(offsets),
                Err(detail) => detail,
            };
            if clock.elapsed() + wait >= ANSWER_TIMEOUT {
                let last = self.last_error().unwrap_or_default();
                let detail = format!("the ends of the log: {detail}. {last}");
                return Err(ReadError::Unavailable(detail));
            }
            tracing::debug!(detail, "asking for the ends again");
            std::thread::sleep(wait);
            wait *= 2;
            self.refresh(partitions, ANSWER_TIMEOUT.saturating_sub(clock.elapsed()));
        }
    }

    /// Has the client look at the topics anew: what it knows may be from before they were whole.
    fn refresh(&self, partitions: &[TopicPartition], timeout: Duration) {
        let topics: BTreeSet<_> = partitions.iter().map(|at| at.topic).collect();
        for topic in topics {
            if let Err(error) =
                self.client.fetch_metadata(Some(&self.cluster.topic(topic)), timeout)
            {
                tracing::debug!(%error, "asking for a topic");
                return;
            }
        }
    }

    /// One request to each leader: the protocol's question for the offset at a time, where two
    /// special times mean the end and the start.
    fn ask_once(
        &self,
        partitions: &[TopicPartition],
        which: Offset,
        timeout: Duration,
    ) -> Result<Vec<u64>, String> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let text = |error: KafkaError| error.to_string();
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for at in partitions {
            let topic = self.cluster.topic(at.topic);
            asked.add_partition_offset(&topic, at.partition.into(), which).map_err(text)?;
        }
        let answered = self.client.offsets_for_times(asked, timeout).map_err(text)?;
        let offsets = partitions.iter().map(|at| {
            let topic = self.cluster.topic(at.topic);
            let element = answered
                .find_partition(&topic, at.partition.into())
                .ok_or_else(|| format!("{at} was not answered"))?;
            element.error().map_err(|error| format!("{at}: {error}"))?;
            let Offset::Offset(offset) = element.offset() else {
                return Err(format!("{at} was answered with {:?}", element.offset()));
            };
            Ok(offset.unsigned_abs())
        });
        offsets.collect()
    }
}
