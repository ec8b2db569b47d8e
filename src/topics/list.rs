//! `watermart topics list`: the topics, how far each partition goes, and the settings on which
//! promises rest.

use super::log::{OpenLog, failure};
use crate::cli::{Global, LogAt};
use crate::stdout::{Ended, Lines};
use schemas::topic::{Topic, TopicPartition};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A topic as it stands on the log.
#[derive(Serialize)]
struct Shown {
    topic: String,
    partitions: Vec<Partition>,
    /// Copies of each record, on a cluster.
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
pub(super) fn list(at: &LogAt, global: &Global, lines: &mut Lines) -> Result<(), Ended> {
    let log = OpenLog::open(at, global)?;
    let topics: Result<Vec<_>, _> = Topic::ALL.iter().map(|topic| shown(&log, *topic)).collect();
    let topics = topics?;
    if global.json {
        return lines.line(&json!({ "log": at.log_url.to_string(), "topics": topics }));
    }
    lines.line(&format_args!(
        "{:<34} {:>10} {:>12}  {}",
        "topic", "partitions", "records", "settings"
    ))?;
    for topic in &topics {
        lines.line(&topic.text())?;
    }
    Ok(())
}

fn shown(log: &OpenLog, topic: Topic) -> Result<Shown, Ended> {
    let partitions: Vec<_> = TopicPartition::all(topic).collect();
    let ends = log.log.ends(&partitions).map_err(|error| failure(&error))?;
    let partitions = partitions.iter().zip(ends);
    Ok(Shown {
        topic: log.name(topic),
        partitions: partitions
            .map(|(at, end)| Partition { partition: at.partition, start: 0, end })
            .collect(),
        replication: None,
        settings: BTreeMap::new(),
    })
}

impl Shown {
    fn text(&self) -> String {
        let records: u64 = self.partitions.iter().map(|at| at.end - at.start).sum();
        let copies = self.replication.map(|copies| format!("replication={copies}"));
        let settings = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        let settings: Vec<_> = copies.into_iter().chain(settings).collect();
        let partitions = self.partitions.len();
        format!("{:<34} {partitions:>10} {records:>12}  {}", self.topic, settings.join(" "))
    }
}
