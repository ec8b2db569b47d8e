//! `watermart topics list`: the topics, how far each partition goes, and the settings on which
//! promises rest.

use super::log::{OpenLog, failure, name, options};
use crate::cli::{Global, Outside};
use crate::exit::Failure;
use crate::log;
use crate::stdout::{Ended, Lines};
use schemas::topic::{Topic, TopicPartition};
use serde::Serialize;
use serde_json::json;
use sinks::event_log::Location;
use sinks::event_log::kafka::{self, Cluster, Described, Found};
use std::collections::BTreeMap;

/// A topic as it stands on the log. One that is not there has no partitions.
#[derive(Serialize)]
struct Listed {
    topic: String,
    partitions: Vec<Partition>,
    /// Copies of each record; none on files.
    replication: Option<usize>,
    settings: BTreeMap<String, String>,
}

/// Offsets of the first record that is kept and of the next one that comes.
#[derive(Serialize)]
struct Partition {
    partition: u16,
    start: u64,
    end: u64,
}

/// Lists the topics.
pub(super) fn list(at: &Outside, global: &Global, lines: &mut Lines) -> Result<(), Ended> {
    let topics = match &at.log_url {
        Location::Embedded => on_files(at, global)?,
        Location::Cluster(cluster) => on_cluster(at, cluster)?,
    };
    if global.json {
        return lines.line(&json!({ "log": at.log_url.to_string(), "topics": topics }));
    }
    let columns = ["topic", "partitions", "records", "settings"];
    lines.line(&format_args!(
        "{:<34} {:>10} {:>12}  {}",
        columns[0], columns[1], columns[2], columns[3]
    ))?;
    topics.iter().try_for_each(|topic| lines.line(&topic.text()))
}

fn on_files(at: &Outside, global: &Global) -> Result<Vec<Listed>, Failure> {
    let log = OpenLog::open(at, global)?.log;
    let listed = Topic::ALL.into_iter().map(|topic| {
        let partitions: Vec<_> = TopicPartition::all(topic).collect();
        let ends = log.ends(&partitions).map_err(|error| failure(&error))?;
        Ok(Listed {
            topic: name(&at.log_url, topic),
            partitions: spans(&partitions, ends.into_iter().map(|end| (0, end))),
            replication: None,
            settings: BTreeMap::new(),
        })
    });
    listed.collect()
}

fn on_cluster(at: &Outside, cluster: &Cluster) -> Result<Vec<Listed>, Failure> {
    let (_, described, _) =
        kafka::inspect(cluster, options(at)).map_err(|error| log::failure(&error))?;
    let listed = described.into_iter().map(|Described { topic, name, found }| {
        let Some(Found { partitions, replicas, settings }) = found else {
            let (partitions, settings) = (Vec::new(), BTreeMap::new());
            return Ok(Listed { topic: name, partitions, replication: None, settings });
        };
        let count = u16::try_from(partitions).unwrap_or(u16::MAX);
        let partitions: Vec<_> =
            (0..count).map(|partition| TopicPartition { topic, partition }).collect();
        let found = kafka::spans(cluster, &partitions).map_err(|error| failure(&error))?;
        Ok(Listed {
            topic: name,
            partitions: spans(&partitions, found),
            replication: Some(replicas),
            settings: settings.into_iter().collect(),
        })
    });
    listed.collect()
}

fn spans(
    partitions: &[TopicPartition],
    spans: impl IntoIterator<Item = (u64, u64)>,
) -> Vec<Partition> {
    let each = partitions.iter().zip(spans);
    each.map(|(at, (start, end))| Partition { partition: at.partition, start, end }).collect()
}

impl Listed {
    /// A line for a person. Offsets may have gaps, so the records are at most so many.
    fn text(&self) -> String {
        let records: u64 = self.partitions.iter().map(|at| at.end.saturating_sub(at.start)).sum();
        let copies = self.replication.map(|copies| format!("replication={copies}"));
        let settings = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        let settings: Vec<_> = copies.into_iter().chain(settings).collect();
        let partitions = self.partitions.len();
        format!("{:<34} {partitions:>10} {records:>12}  {}", self.topic, settings.join(" "))
    }
}
