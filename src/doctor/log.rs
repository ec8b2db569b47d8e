//! The event log: on files whether they are sound, on a cluster whether its brokers answer and its
//! topics keep what they are given.

use super::report::{Part, Verdict};
use crate::cli::Outside;
use crate::parts;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{FileLog, OpenError, VERSION};
use sinks::event_log::kafka::version::{self, Version};
use sinks::event_log::kafka::{self, Cluster, Described, Flaw, KafkaLog, Options};
use sinks::event_log::{EventLog, ReadError};
use std::path::Path;
use std::time::Duration;

/// More than clocks of machines differ that are kept right.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(60);

/// The log in a data directory.
pub(super) fn on_files(data: &Path, clock: &Clock) -> Part {
    let dir = parts::log_dir(data);
    let part = Part::new("log", "embedded:").version(format!("files, format {VERSION}"));
    if !dir.is_dir() {
        return part.with("files", Verdict::Ok, "there are none; the first start makes them");
    }
    let part = match FileLog::is_free(&dir) {
        Ok(()) => part.with("in use", Verdict::Ok, "no process has it open"),
        Err(error @ OpenError::InUse { pid: None, .. }) => {
            part.with("in use", Verdict::Unsafe, error.to_string())
        }
        Err(OpenError::InUse { pid: Some(pid), .. }) => {
            part.with("in use", Verdict::Ok, format!("process {pid} has it open"))
        }
        Err(error) => return part.with("in use", Verdict::Failed, error.to_string()),
    };
    match FileLog::open_beside_writer(&dir) {
        Ok(log) => {
            let bytes = log.journal_bytes() >> 20;
            let part = part.with("files", Verdict::Ok, format!("sound; {bytes} MiB of blocks"));
            time(part, &log, clock)
        }
        Err(error) => part.with("files", Verdict::Failed, error.to_string()),
    }
}

/// The log on a cluster.
pub(super) fn on_cluster(cluster: &Cluster, outside: &Outside, clock: &Clock) -> Part {
    let url = cluster.to_string();
    let options = Options {
        connect_timeout: outside.connect_timeout,
        single_broker: outside.single_broker,
        append_timeout: None,
    };
    let (brokers, described, flaws) = match kafka::inspect(cluster, options) {
        Ok(found) => found,
        Err(error) => return Part::silent("log", url, error.to_string()),
    };
    let part = Part::new("log", url).with("brokers", Verdict::Ok, format!("{brokers} are there"));
    let part = addresses(part, cluster, outside.connect_timeout);
    let part = topics(part, &described, &flaws);
    // Reading what is there needs no more than one replica of it.
    match KafkaLog::open_read_only(cluster, Options { single_broker: true, ..options }) {
        Ok(log) => time(part, &log, clock),
        // Said above, of the topic.
        Err(_) => part,
    }
}

/// Asks each broker of the address; the oldest of them is the version.
fn addresses(mut part: Part, cluster: &Cluster, timeout: Duration) -> Part {
    let mut oldest: Option<Version> = None;
    for address in cluster.brokers.split(',') {
        part = match version::ask(address, timeout) {
            Ok(version) => {
                if oldest.is_none_or(|oldest| version.known < oldest.known) {
                    oldest = Some(version);
                }
                part.with(address, Verdict::Ok, format!("it is {version}"))
            }
            Err(error) => part.with(address, Verdict::Unsafe, error.to_string()),
        };
    }
    match oldest {
        Some(version) => part.version(version.to_string()),
        None => part,
    }
}

fn topics(mut part: Part, described: &[Described], flaws: &[Flaw]) -> Part {
    for Described { name, found, .. } in described {
        let Some(found) = found else {
            part = part.with(name, Verdict::Ok, "it is not there; the first start makes it");
            continue;
        };
        let own: Vec<_> = flaws.iter().filter(|flaw| flaw.topic == *name).collect();
        for flaw in &own {
            part = part.with(name, Verdict::Failed, &flaw.detail);
        }
        let copies = format!("{} partitions, {} replicas", found.partitions, found.replicas);
        if own.is_empty() && found.replicas == 1 {
            let detail = format!("{copies}: with its broker all of it is lost");
            part = part.with(name, Verdict::Unsafe, detail);
        } else if own.is_empty() {
            part = part.with(name, Verdict::Ok, copies);
        }
    }
    part
}

/// Compares the clock with the newest plan: time on the log never goes back.
fn time(part: Part, log: &dyn EventLog, clock: &Clock) -> Part {
    let appended_at = match last_plan(log) {
        Ok(Some(at)) => at,
        Ok(None) => return part.with("time", Verdict::Ok, "nothing was planned yet"),
        Err(error) => return part.with("time", Verdict::Failed, error.to_string()),
    };
    let ahead = appended_at.0.saturating_sub(clock.now().0);
    let shown = format!("the last plan is of {}", appended_at.rfc3339());
    if u128::try_from(ahead).unwrap_or(0) > CLOCK_DIFFERENCE_MAX.as_millis() {
        let detail = format!("{shown}, {} s ahead of this machine's clock: set that", ahead / 1000);
        return part.with("time", Verdict::Failed, detail);
    }
    part.with("time", Verdict::Ok, shown)
}

fn last_plan(log: &dyn EventLog) -> Result<Option<schemas::time::Timestamp>, ReadError> {
    let plans = TopicPartition { topic: Topic::Epochs, partition: 0 };
    let end = log.ends(&[plans])?.first().copied().unwrap_or(0);
    let Some(last) = end.checked_sub(1) else { return Ok(None) };
    let mut records = Vec::new();
    log.reader(&[(plans, last)])?.read(1, &mut records)?;
    Ok(records.first().map(|record| record.appended_at))
}
