//! The event log on Kafka.

mod cluster;

pub use cluster::Cluster;

use super::{Appending, EventLog, NewRecord, ReadError, Reader};
use schemas::topic::TopicPartition;
use std::time::Duration;

/// How to use a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long the brokers may take to answer at the start.
    pub connect_timeout: Duration,
    /// Topics of one replica are made and taken: what is acknowledged is lost with its broker.
    pub single_broker: bool,
    /// How long an append may take before it is unknown; none: it is sent until it is durable.
    pub append_timeout: Option<Duration>,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No broker answered in time.
    #[error("no broker of {cluster} answered: {detail}")]
    Unreachable {
        /// The address.
        cluster: String,
        /// What the client says.
        detail: String,
    },
    /// A topic is not as it must be; the message says which command mends it.
    #[error("cannot use the topic {topic}: {detail}")]
    Unsafe {
        /// Its name there.
        topic: String,
        /// What is wrong, and what mends it.
        detail: String,
    },
    /// The topics are not there, and reading makes none.
    #[error("{cluster} has no topic {topic}; a `watermart up`, `process` or `ingest` makes it")]
    Missing {
        /// The address.
        cluster: String,
        /// Its name there.
        topic: String,
    },
}

/// The event log on a cluster.
pub struct KafkaLog;

impl KafkaLog {
    /// Opens the log, making what topics are not there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(cluster: &Cluster, options: Options) -> Result<Self, OpenError> {
        let _ = options;
        let detail = "not built yet".to_owned();
        Err(OpenError::Unreachable { cluster: cluster.to_string(), detail })
    }

    /// Opens the log to read, changing nothing. Appends are not appended.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_read_only(cluster: &Cluster, options: Options) -> Result<Self, OpenError> {
        Self::open(cluster, options)
    }
}

impl EventLog for KafkaLog {
    fn append(&self, _: Vec<NewRecord>) -> Appending {
        unreachable!("not built yet")
    }

    fn ends(&self, _: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        unreachable!("not built yet")
    }

    fn reader(&self, _: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        unreachable!("not built yet")
    }

    fn close(&self) {}
}
