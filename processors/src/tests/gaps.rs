//! A log whose partitions end with offsets that no record has, as those of a broker may.

use super::determinism::SEED;
use super::history::steps;
use super::process::{Process, open, say};
use crate::engine::Role;
use schemas::topic::TopicPartition;
use sinks::event_log::{Appending, EventLog, NewRecord, ReadError, Reader, Record};
use sinks::schema_registry::Schemas;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Offsets behind the last record of each input partition.
const GAP: u64 = 3;

struct Gapped(Arc<dyn EventLog>);

fn gap(partition: TopicPartition) -> u64 {
    if partition.topic.is_input() { GAP } else { 0 }
}

impl EventLog for Gapped {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        self.0.append(records)
    }
    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        let ends = self.0.ends(partitions)?;
        Ok(partitions.iter().zip(ends).map(|(at, end)| end + gap(*at)).collect())
    }
    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        let partitions: Vec<_> = from.iter().map(|(at, _)| *at).collect();
        let ends = partitions.iter().copied().zip(self.0.ends(&partitions)?).collect();
        Ok(Box::new(GappedReader { inner: self.0.reader(from)?, ends }))
    }
    fn close(&self) {
        self.0.close();
    }
}

struct GappedReader {
    inner: Box<dyn Reader>,
    ends: HashMap<TopicPartition, u64>,
}

impl Reader for GappedReader {
    fn read(&mut self, bytes_max: usize, into: &mut Vec<Record>) -> Result<(), ReadError> {
        self.inner.read(bytes_max, into)
    }
    fn wait(&mut self, timeout: Duration) {
        self.inner.wait(timeout);
    }
    fn position(&self, partition: TopicPartition) -> u64 {
        let position = self.inner.position(partition);
        let at_end = self.ends.get(&partition) == Some(&position);
        if at_end { position + gap(partition) } else { position }
    }
}

#[test]
fn every_end_is_planned_though_no_record_stands_there() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let files = open(dir.path());
    let said = say(files.as_ref(), &steps[0]) + say(files.as_ref(), &steps[1]);
    let log: Arc<dyn EventLog> = Arc::new(Gapped(files));
    let leader = Process::start_with(&log, Role::Leads, Schemas::embedded());
    leader.has_applied(said);
    let ends = log.ends(&TopicPartition::inputs().collect::<Vec<_>>()).unwrap();
    let planned = |state: &crate::hub::State| {
        state.settled() && state.inputs.iter().zip(&ends).all(|(input, end)| input.planned == *end)
    };
    leader.engine.wait_until(planned).unwrap();
    // A follower takes the same cuts, and waits for nothing.
    let follower = Process::start_with(&log, Role::StandsBy, Schemas::embedded());
    follower.engine.wait_until(planned).unwrap();
    for process in [leader, follower] {
        process.engine.stop().unwrap();
    }
}
