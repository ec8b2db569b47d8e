//! Where the log is, as `--log-url` says it.

use super::kafka::{Cluster, NAMESPACE};
use std::fmt;
use std::str::FromStr;

/// `embedded:`, or `kafka://h1:9092,h2:9092/NAMESPACE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Files under the data directory.
    Embedded,
    /// Topics of a cluster.
    Cluster(Cluster),
}

impl Location {
    /// The first word of the names of topics and subjects.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Embedded => NAMESPACE,
            Self::Cluster(cluster) => &cluster.namespace,
        }
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if url == "embedded:" {
            return Ok(Self::Embedded);
        }
        let cluster = url.strip_prefix("kafka://").ok_or_else(|| {
            format!("`{url}` is not where a log is; use embedded: or kafka://HOST:9092/NAMESPACE")
        })?;
        cluster.parse().map(Self::Cluster)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded:"),
            Self::Cluster(cluster) => cluster.fmt(f),
        }
    }
}
