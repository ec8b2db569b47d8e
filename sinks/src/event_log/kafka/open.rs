//! How a cluster is used, and why it cannot be.

use super::Cluster;
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

impl OpenError {
    pub(super) fn unreachable(cluster: &Cluster, detail: String) -> Self {
        Self::Unreachable { cluster: cluster.to_string(), detail }
    }
}
