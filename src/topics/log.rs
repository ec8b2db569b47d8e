//! The log as these commands see it: to be read, with the names that its topics have there.

use crate::cli::{Global, LogAt};
use crate::exit::Failure;
use crate::parts;
use schemas::topic::Topic;
use sinks::event_log::{EventLog, Location, ReadError};

/// An open log.
pub(super) struct OpenLog {
    pub(super) log: Box<dyn EventLog>,
    at: Location,
}

impl OpenLog {
    /// Opens the log to read it, whether or not a shop is running on it.
    ///
    /// # Errors
    /// Damaged, not there, or it does not answer.
    pub(super) fn open(at: &LogAt, global: &Global) -> Result<Self, Failure> {
        let log: Box<dyn EventLog> = match &at.log_url {
            Location::Embedded => Box::new(parts::read_log_beside(&global.data)?),
            Location::Cluster(cluster) => {
                let detail =
                    format!("`{cluster}` is not known to this build; it knows `embedded:`");
                return Err(Failure::flag("log-url", detail));
            }
        };
        Ok(Self { log, at: at.log_url.clone() })
    }

    /// What the topic is called there.
    pub(super) fn name(&self, topic: Topic) -> String {
        match &self.at {
            Location::Embedded => topic.to_string(),
            Location::Cluster(cluster) => cluster.topic(topic),
        }
    }

    /// The topic that is meant, with or without the namespace.
    ///
    /// # Errors
    /// None is.
    pub(super) fn topic(&self, named: &str) -> Result<Topic, Failure> {
        let is_meant = |topic: &Topic| topic.suffix() == named || self.name(*topic) == named;
        Topic::ALL.into_iter().find(is_meant).ok_or_else(|| {
            let known: Vec<_> = Topic::ALL.into_iter().map(Topic::suffix).collect();
            Failure::Usage(format!("there is no topic `{named}`; there are {}", known.join(", ")))
        })
    }
}

/// Why the log could not be read, as the end of the command.
pub(super) fn failure(error: &ReadError) -> Failure {
    match error {
        ReadError::Damaged { .. } => Failure::Damaged(error.to_string()),
        ReadError::BelowStart { .. } => Failure::flag("from", error),
        ReadError::Unavailable(_) => Failure::Unreachable(error.to_string()),
    }
}
