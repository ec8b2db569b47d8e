//! The event log, as `--log-url` says, opened for each of those who use it in a process.
//!
//! Files are opened once and shared: the log is this process's alone. A cluster is opened anew for
//! each: callers are told within [`CALLERS_WAIT`] that the outcome of their append is unknown; what
//! the engine appends is sent until it is durable, so that brokers that are away stall it and do
//! not end it.

use crate::cli::Outside;
use crate::exit::Failure;
use crate::parts;
use schemas::topic::TopicPartition;
use sinks::clock::Clock;
use sinks::event_log::kafka::{Cluster, KafkaLog, OpenError, Options};
use sinks::event_log::{EventLog, Location, ReadError, Record};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long callers wait to hear that their action is durable.
const CALLERS_WAIT: Duration = Duration::from_secs(10);
/// Before topics that are not there yet are looked for again.
const TOPICS_LOOK: Duration = Duration::from_millis(200);
/// How long it is waited at once for a record that stands on the log.
const READ_WAIT: Duration = Duration::from_millis(100);

/// The log of a process. A clone is the same one.
#[derive(Clone)]
pub(crate) enum LogSource {
    /// Files, which nobody else writes.
    Files(Arc<dyn EventLog>),
    /// A cluster, which other processes write too.
    Brokers(Brokers),
}

/// A log that is open.
pub(crate) struct OpenLog {
    /// The log.
    pub(crate) log: Arc<dyn EventLog>,
    /// On how many brokers each record is; none: on this machine.
    pub(crate) replicas: Option<usize>,
}

impl From<KafkaLog> for OpenLog {
    fn from(log: KafkaLog) -> Self {
        let replicas = Some(log.replicas());
        Self { log: Arc::new(log), replicas }
    }
}

/// Where the cluster is, and how it is used.
#[derive(Clone)]
pub(crate) struct Brokers {
    cluster: Cluster,
    connect_timeout: Duration,
    single_broker: bool,
}

impl LogSource {
    /// Finds the log; files are opened, for as long as this lives.
    ///
    /// # Errors
    /// Files in use, damaged, or not to be had.
    pub(crate) fn find(outside: &Outside, data: &Path, clock: &Clock) -> Result<Self, Failure> {
        match Brokers::of(outside) {
            Some(brokers) => Ok(Self::Brokers(brokers)),
            None => Ok(Self::Files(Arc::new(parts::open_log(data, clock.clone())?))),
        }
    }

    /// Finds the log of a process that is one of several.
    ///
    /// # Errors
    /// Files: they are one process's alone.
    pub(crate) fn find_shared(outside: &Outside, _: &Path, _: &Clock) -> Result<Self, Failure> {
        Brokers::of(outside).map(Self::Brokers).ok_or_else(|| {
            let detail = "the log is files of one process with `embedded:`; use `watermart up`, \
                          or give --log-url kafka://HOST:9092/NAMESPACE";
            Failure::flag("log-url", detail)
        })
    }

    /// Whether no other process can write it.
    pub(crate) const fn is_exclusive(&self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// For those who wait for an answer.
    ///
    /// # Errors
    /// It does not answer, or cannot be used.
    pub(crate) fn for_callers(&self) -> Result<OpenLog, Failure> {
        self.open(Some(CALLERS_WAIT))
    }

    /// For the engine, and for who asks for payments.
    ///
    /// # Errors
    /// It does not answer, or cannot be used.
    pub(crate) fn for_engine(&self) -> Result<OpenLog, Failure> {
        self.open(None)
    }

    fn open(&self, append_timeout: Option<Duration>) -> Result<OpenLog, Failure> {
        match self {
            Self::Files(files) => Ok(OpenLog { log: Arc::clone(files), replicas: None }),
            Self::Brokers(brokers) => {
                let log = KafkaLog::open(&brokers.cluster, brokers.options(append_timeout));
                Ok(log.map_err(|error| failure(&error))?.into())
            }
        }
    }

    /// For those who append nothing, and make nothing that is not there: processes that start
    /// together wait for the one of them that makes the topics.
    ///
    /// # Errors
    /// It does not answer, or cannot be used.
    pub(crate) fn to_read(&self) -> Result<OpenLog, Failure> {
        match self {
            Self::Files(files) => Ok(OpenLog { log: Arc::clone(files), replicas: None }),
            Self::Brokers(brokers) => Ok(brokers.wait_to_read()?.into()),
        }
    }
}

impl Brokers {
    fn of(outside: &Outside) -> Option<Self> {
        let Outside { connect_timeout, single_broker, .. } = *outside;
        match &outside.log_url {
            Location::Embedded => None,
            Location::Cluster(cluster) => {
                Some(Self { cluster: cluster.clone(), connect_timeout, single_broker })
            }
        }
    }

    const fn options(&self, append_timeout: Option<Duration>) -> Options {
        let Self { connect_timeout, single_broker, .. } = *self;
        Options { connect_timeout, single_broker, append_timeout }
    }

    fn to_read(&self, single_broker: bool) -> Result<KafkaLog, OpenError> {
        let options = Options { single_broker, ..self.options(None) };
        KafkaLog::open_read_only(&self.cluster, options)
    }

    fn wait_to_read(&self) -> Result<KafkaLog, Failure> {
        let mut waited = Duration::ZERO;
        loop {
            match self.to_read(self.single_broker) {
                Err(OpenError::Missing { .. }) if waited < self.connect_timeout => {
                    waited += TOPICS_LOOK;
                    std::thread::sleep(TOPICS_LOOK);
                }
                opened => return opened.map_err(|error| failure(&error)),
            }
        }
    }
}

/// Opens the log for a command that reads it, of a stopped shop or `beside` one that runs. Reading
/// what is there needs no more than one replica of it.
///
/// # Errors
/// It does not answer, is in use, damaged, or not there.
pub(crate) fn read(
    outside: &Outside,
    data: &Path,
    beside: bool,
) -> Result<Box<dyn EventLog>, Failure> {
    match Brokers::of(outside) {
        Some(brokers) => Ok(Box::new(brokers.to_read(true).map_err(|error| failure(&error))?)),
        None if beside => Ok(Box::new(parts::read_log_beside(data)?)),
        None => Ok(Box::new(parts::read_log(data)?)),
    }
}

/// Why a cluster's log could not be opened, as the end of the command.
pub(crate) fn failure(error: &OpenError) -> Failure {
    match error {
        OpenError::Unreachable { .. } => Failure::Unreachable(error.to_string()),
        OpenError::Unsafe { .. } | OpenError::Missing { .. } => Failure::flag("log-url", error),
    }
}

/// The record at this offset; none: none has it, or it is not there yet.
///
/// # Errors
/// The log cannot be read there.
pub(crate) fn record_at(
    log: &dyn EventLog,
    at: TopicPartition,
    offset: u64,
) -> Result<Option<Record>, ReadError> {
    let end = log.ends(&[at])?[0];
    if offset >= end {
        return Ok(None);
    }
    let (mut reader, mut records) = (log.reader(&[(at, offset)])?, Vec::new());
    while records.is_empty() && reader.position(at) < end {
        reader.read(1, &mut records)?;
        if records.is_empty() {
            reader.wait(READ_WAIT);
        }
    }
    Ok(records.into_iter().next().filter(|record| record.offset == offset))
}

/// Why records that an argument names cannot be read, as the end of the command.
pub(crate) fn unread(error: &ReadError) -> Failure {
    match error {
        ReadError::Damaged { .. } => Failure::Damaged(error.to_string()),
        ReadError::BelowStart { .. } | ReadError::BeyondEnd { .. } => {
            Failure::Usage(error.to_string())
        }
        ReadError::Unavailable(_) => Failure::Unreachable(error.to_string()),
    }
}
