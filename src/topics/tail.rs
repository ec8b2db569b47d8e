//! `watermart topics tail TOPIC`: its records, one a line, from an offset on.
//!
//! A partition's records come in the order of their offsets. Several partitions' come as the log
//! hands them out: on files in the order in which they were appended, on a cluster in none.

use super::log::{OpenLog, failure};
use super::record;
use crate::cli::{Global, Tail};
use crate::exit::Failure;
use crate::parts;
use crate::stdout::{Ended, Lines};
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{Reader, Record};
use sinks::schema_registry::Schemas;
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
/// How long it waits at the end before it asks again.
const WAIT: Duration = Duration::from_secs(1);

/// Shows the records.
pub(super) fn tail(tail: &Tail, global: &Global, lines: &mut Lines) -> Result<(), Ended> {
    let log = OpenLog::open(&tail.outside, global)?;
    let topic = log.topic(&tail.topic)?;
    let partitions = partitions(topic, tail.partition)?;
    let ends = log.log.ends(&partitions).map_err(|error| failure(&error))?;
    let firsts = firsts(tail, &log, &partitions, &ends)?;
    let from: Vec<_> = partitions.iter().copied().zip(firsts).collect();
    let reader = log.log.reader(&from).map_err(|error| failure(&error))?;
    let mut shown = Shown {
        name: log.name(topic),
        schemas: parts::read_schemas(&tail.outside, &global.data)?,
        json: global.json,
        from: tail.from.unwrap_or(0),
        left: tail.count.unwrap_or(u64::MAX),
    };
    let ends: Vec<_> = partitions.into_iter().zip(ends).collect();
    shown.show(reader, (!tail.follow).then_some(&*ends), lines)
}

fn partitions(topic: Topic, one: Option<u16>) -> Result<Vec<TopicPartition>, Failure> {
    let Some(partition) = one else { return Ok(TopicPartition::all(topic).collect()) };
    if partition < topic.partitions() {
        return Ok(vec![TopicPartition { topic, partition }]);
    }
    let last = topic.partitions() - 1;
    let detail = format!("{} has no partition {partition}; use 0 to {last}", topic.suffix());
    Err(Failure::flag("partition", detail))
}

/// Where reading begins in each partition; in those that are shorter, at their ends.
fn firsts(
    tail: &Tail,
    log: &OpenLog,
    partitions: &[TopicPartition],
    ends: &[u64],
) -> Result<Vec<u64>, Failure> {
    let Some(from) = tail.from else {
        return if tail.follow { Ok(ends.to_vec()) } else { log.starts(partitions) };
    };
    let end = ends.iter().max().copied().unwrap_or(0);
    if from > end {
        let detail = format!("nothing has the offset {from} yet; the log ends at {end} there");
        return Err(Failure::flag("from", detail));
    }
    Ok(ends.iter().map(|end| from.min(*end)).collect())
}

struct Shown {
    name: String,
    schemas: Schemas,
    json: bool,
    from: u64,
    left: u64,
}

impl Shown {
    /// Shows records until these ends, or for ever; or until as many were shown as are wanted.
    fn show(
        &mut self,
        mut reader: Box<dyn Reader>,
        until: Option<&[(TopicPartition, u64)]>,
        lines: &mut Lines,
    ) -> Result<(), Ended> {
        let stood = |record: &Record| {
            let below =
                |(at, end): &(TopicPartition, u64)| *at == record.partition && record.offset < *end;
            until.is_none_or(|ends| ends.iter().any(below))
        };
        let mut records = Vec::new();
        loop {
            let reached = |(at, end): &(TopicPartition, u64)| reader.position(*at) >= *end;
            if until.is_some_and(|ends| ends.iter().all(reached)) {
                return Ok(());
            }
            reader.read(READ_BYTES, &mut records).map_err(|error| failure(&error))?;
            if records.is_empty() {
                lines.flush()?;
                reader.wait(WAIT);
            }
            let wanted = |record: &Record| record.offset >= self.from && stood(record);
            for record in records.drain(..).filter(wanted) {
                self.line(&record, lines)?;
                self.left -= 1;
                if self.left == 0 {
                    return Ok(());
                }
            }
        }
    }

    fn line(&self, record: &Record, lines: &mut Lines) -> Result<(), Ended> {
        if self.json {
            lines.line(&record::as_json(&self.name, &self.schemas, record))
        } else {
            lines.line(&record::as_text(&self.name, &self.schemas, record))
        }
    }
}
