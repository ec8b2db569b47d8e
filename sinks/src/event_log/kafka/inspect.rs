//! What an operator may ask of a cluster, for `doctor` and `topics list`; changes nothing.

use super::ends::Ends;
use super::topics::{self, Described, Flaw, Topics};
use super::{Cluster, OpenError, Options};
use crate::event_log::ReadError;
use schemas::topic::TopicPartition;

/// Brokers that can be reached, the topics there, and what is unsafe about them.
///
/// # Errors
/// No broker answers.
pub fn inspect(
    cluster: &Cluster,
    options: Options,
) -> Result<(usize, Vec<Described>, Vec<Flaw>), OpenError> {
    let ends = Ends::connect(cluster)?;
    let topics = Topics::new(cluster, &ends, options.connect_timeout);
    let (brokers, described) = topics.describe()?;
    let flaws = described.iter().flat_map(|t| topics::flaws(cluster, t, options.single_broker));
    let flaws = flaws.collect();
    Ok((brokers, described, flaws))
}

/// Of each partition the first offset that is kept, and the end.
///
/// # Errors
/// A partition is not there, or its leader does not answer.
pub fn spans(
    cluster: &Cluster,
    partitions: &[TopicPartition],
) -> Result<Vec<(u64, u64)>, ReadError> {
    let ends = Ends::connect(cluster).map_err(|error| ReadError::Unavailable(error.to_string()))?;
    let starts = ends.starts(partitions)?;
    Ok(starts.into_iter().zip(ends.ends(partitions)?).collect())
}
