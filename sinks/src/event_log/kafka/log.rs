//! The log: its clients put together.

use super::appends::Appends;
use super::ends::Ends;
use super::reader::KafkaReader;
use super::topics::Topics;
use super::{Cluster, OpenError, Options};
use crate::event_log::append::not_appended;
use crate::event_log::{Appending, EventLog, NewRecord, ReadError, Reader};
use schemas::topic::TopicPartition;
use std::sync::Arc;

/// What appends to a log that only reads are told.
const READ_ONLY: &str = "the log is open for reading only";

/// The event log on a cluster.
///
/// Three kinds of clients, since a fetch that waits at the end of the log holds up what else is
/// asked on its connection: those that append, one that asks for ends, and one for each reader.
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
        let ends = Ends::connect(cluster)?;
        let topics = Topics::new(cluster, &ends, options.connect_timeout);
        let replicas = topics.ensure(options.single_broker)?;
        if replicas == 1 {
            tracing::warn!("every record is on one broker only: with it, all is lost");
        }
        let appends = Appends::open(cluster, options.append_timeout)
            .map_err(|detail| OpenError::unreachable(cluster, detail))?;
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
        let ends = Ends::connect(cluster)?;
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
