//! Whether the places that a reader does not get beyond are ends: then what it is short of is a gap.
//!
//! A second client looks from the same places; nobody else is told that a partition ends there.
//! When brokers are back, many partitions are short at once, only because the reader is not
//! connected again. So all are looked at together, and a look takes [`LOOK_TIMEOUT`] at most,
//! however many they are.

use super::context::Context;
use super::reader::assigned;
use super::{Cluster, settings};
use crate::clock::Clock;
use crate::event_log::ReadError;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use schemas::topic::{Topic, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the second client may take to see what is there.
pub(super) const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Those of these places where nothing is, for certain.
pub(super) fn ends_among(
    cluster: &Cluster,
    places: &[(TopicPartition, u64)],
) -> Result<Vec<TopicPartition>, ReadError> {
    let mut by_topic: BTreeMap<Topic, Vec<(TopicPartition, u64)>> = BTreeMap::new();
    for place in places {
        by_topic.entry(place.0.topic).or_default().push(*place);
    }
    let looks: Vec<_> = by_topic
        .iter()
        .map(|(topic, at)| Look::open(cluster, *topic, at))
        .collect::<Result<_, _>>()?;
    let clock = Clock::system();
    let left = || LOOK_TIMEOUT.checked_sub(clock.elapsed());
    Ok(looks.into_iter().flat_map(|look| look.ends(left)).collect())
}

/// A client that looks at partitions of one topic: of an end it is told the partition alone.
struct Look {
    topic: Topic,
    client: BaseConsumer<Context>,
    untold: BTreeSet<u16>,
}

impl Look {
    fn open(
        cluster: &Cluster,
        topic: Topic,
        places: &[(TopicPartition, u64)],
    ) -> Result<Self, ReadError> {
        let mut config = settings::consumer(cluster);
        config.set("enable.partition.eof", "true");
        // The first record of a partition says enough of it.
        config.set("queued.min.messages", "1");
        let client = assigned(&config, cluster, places)?;
        let untold = places.iter().map(|(at, _)| at.partition).collect();
        Ok(Self { topic, client, untold })
    }

    /// Waits until each partition has told of a record or its end, while there is time left.
    fn ends(mut self, left: impl Fn() -> Option<Duration>) -> Vec<TopicPartition> {
        let mut ends = Vec::new();
        while !self.untold.is_empty()
            && let Some(left) = left()
        {
            let (partition, is_end) = match self.client.poll(left) {
                Some(Err(KafkaError::PartitionEOF(partition))) => (partition, true),
                Some(Ok(message)) => (message.partition(), false),
                Some(Err(_)) | None => continue,
            };
            let Ok(partition) = u16::try_from(partition) else { continue };
            if self.untold.remove(&partition) && is_end {
                ends.push(TopicPartition { topic: self.topic, partition });
            }
        }
        ends
    }
}
