//! The event log on Kafka.

mod appends;
mod cluster;
mod context;
mod ends;
mod reader;
mod settings;
mod topics;

pub use cluster::Cluster;
pub use topics::{Described, Flaw, Found};

use super::append::not_appended;
use super::{Appending, EventLog, NewRecord, ReadError, Reader};
use appends::Appends;
use ends::Ends;
use reader::KafkaReader;
use schemas::topic::TopicPartition;
use std::sync::Arc;
use std::time::Duration;
use topics::Topics;

/// What appends to a log that only reads are told.
const READ_ONLY: &str = "the log is open for reading only";

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
///
/// Three kinds of clients, since a fetch that waits at the end of the log holds up what else is
/// asked on its connection: one that appends, one that asks for ends, and one for each reader.
pub struct KafkaLog {
    cluster: Cluster,
    /// None: read only.
    appends: Option<Appends>,
    ends: Arc<Ends>,
    replicas: usize,
}

impl KafkaLog {
    /// Opens the log, making what topics are not there. Blocks; not for async code.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(cluster: &Cluster, options: Options) -> Result<Self, OpenError> {
        let ends = connect(cluster)?;
        let topics = Topics::new(cluster, &ends, options.connect_timeout);
        let replicas = topics.ensure(options.single_broker)?;
        if replicas == 1 {
            tracing::warn!("every record is on one broker only: with it, all is lost");
        }
        let appends = Appends::open(cluster, options.append_timeout)
            .map_err(|detail| unreachable(cluster, detail))?;
        Ok(Self {
            cluster: cluster.clone(),
            appends: Some(appends),
            ends: Arc::new(ends),
            replicas,
        })
    }

    /// Opens the log to read, changing nothing. Appends are not appended.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_read_only(cluster: &Cluster, options: Options) -> Result<Self, OpenError> {
        let ends = connect(cluster)?;
        let topics = Topics::new(cluster, &ends, options.connect_timeout);
        let replicas = topics.check(options.single_broker)?;
        Ok(Self { cluster: cluster.clone(), appends: None, ends: Arc::new(ends), replicas })
    }

    /// On how many brokers each record is.
    #[must_use]
    pub const fn replicas(&self) -> usize {
        self.replicas
    }
}

/// Brokers that can be reached, the topics there, and what is unsafe about them.
///
/// # Errors
/// No broker answers.
pub fn inspect(
    cluster: &Cluster,
    options: Options,
) -> Result<(usize, Vec<Described>, Vec<Flaw>), OpenError> {
    let ends = connect(cluster)?;
    let topics = Topics::new(cluster, &ends, options.connect_timeout);
    let (brokers, described) = topics.describe()?;
    let flaws = described.iter().flat_map(|t| topics::flaws(cluster, t, options.single_broker));
    let flaws = flaws.collect();
    Ok((brokers, described, flaws))
}

fn connect(cluster: &Cluster) -> Result<Ends, OpenError> {
    Ends::new(cluster).map_err(|detail| unreachable(cluster, detail))
}

fn unreachable(cluster: &Cluster, detail: String) -> OpenError {
    OpenError::Unreachable { cluster: cluster.to_string(), detail }
}

impl EventLog for KafkaLog {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        match &self.appends {
            Some(appends) => appends.append(&records),
            None => Appending::ready(not_appended(records.len(), READ_ONLY)),
        }
    }

    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        self.ends.ends(partitions)
    }

    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        Ok(Box::new(KafkaReader::open(&self.cluster, Arc::clone(&self.ends), from)?))
    }

    fn close(&self) {
        if let Some(appends) = &self.appends {
            appends.close();
        }
    }
}

#[cfg(test)]
mod tests;
