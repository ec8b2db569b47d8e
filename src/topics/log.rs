//! The log as these commands see it: to be read, with the names that its topics have there.

use crate::cli::{Global, Outside};
use crate::exit::Failure;
use crate::log;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::kafka::{self, Options};
use sinks::event_log::{EventLog, Location, ReadError};

/// An open log.
pub(crate) struct OpenLog {
    pub(crate) log: Box<dyn EventLog>,
    at: Location,
}

impl OpenLog {
    /// Opens the log to read it, whether or not a shop is running on it.
    ///
    /// # Errors
    /// Damaged, not there, or it does not answer.
    pub(crate) fn open(at: &Outside, global: &Global) -> Result<Self, Failure> {
        let log = log::read(at, &global.data, true)?;
        Ok(Self { log, at: at.log_url.clone() })
    }

    /// The offsets of the first records that are kept.
    ///
    /// # Errors
    /// The log does not answer.
    pub(crate) fn starts(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, Failure> {
        match &self.at {
            // Files are never cut at the front.
            Location::Embedded => Ok(vec![0; partitions.len()]),
            Location::Cluster(cluster) => {
                let spans = kafka::spans(cluster, partitions).map_err(|error| failure(&error))?;
                Ok(spans.into_iter().map(|(start, _)| start).collect())
            }
        }
    }

    /// What the topic is called there.
    pub(crate) fn name(&self, topic: Topic) -> String {
        name(&self.at, topic)
    }

    /// The topic that is meant, with or without the namespace.
    ///
    /// # Errors
    /// None is.
    pub(crate) fn topic(&self, named: &str) -> Result<Topic, Failure> {
        let is_meant = |topic: &Topic| topic.suffix() == named || self.name(*topic) == named;
        Topic::ALL.into_iter().find(is_meant).ok_or_else(|| {
            let known: Vec<_> = Topic::ALL.into_iter().map(Topic::suffix).collect();
            Failure::Usage(format!("there is no topic `{named}`; there are {}", known.join(", ")))
        })
    }
}

/// What the topic is called on this log.
pub(crate) fn name(at: &Location, topic: Topic) -> String {
    match at {
        Location::Embedded => topic.to_string(),
        Location::Cluster(cluster) => cluster.topic(topic),
    }
}

/// Reading what is there needs no more than one replica of it.
pub(crate) fn options(at: &Outside) -> Options {
    Options { connect_timeout: at.connect_timeout, single_broker: true, append_timeout: None }
}

/// Why the log could not be read, as the end of the command.
pub(crate) fn failure(error: &ReadError) -> Failure {
    match error {
        ReadError::Damaged { .. } => Failure::Damaged(error.to_string()),
        ReadError::BelowStart { .. } | ReadError::BeyondEnd { .. } => Failure::flag("from", error),
        ReadError::Unavailable(_) => Failure::Unreachable(error.to_string()),
    }
}
