//! The output partitions as far as they are known: what is read there, and what is appended here.

use crate::checkpoints::manifest::OutputPosition;
use crate::protection::{Protection, is_off};
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{Appended, EventLog, NewRecord, OutputId, ReadError, Reader};
use std::collections::HashMap;
use std::sync::Arc;

const READ_BYTES: usize = 4 << 20;

/// The last output id of each output partition.
pub type Tails = HashMap<TopicPartition, OutputId>;

/// The output partitions as they stand on the log.
pub(crate) struct Outputs {
    log: Arc<dyn EventLog>,
    /// None: it would read what was appended here, which is known.
    reader: Option<Box<dyn Reader>>,
    pub(crate) tails: Tails,
    /// What stands below is known.
    next: HashMap<TopicPartition, u64>,
}

impl Outputs {
    /// As far as they were known then.
    pub(crate) fn known(log: Arc<dyn EventLog>, positions: &[OutputPosition]) -> Self {
        let all = Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all);
        let mut outputs = Self {
            log,
            reader: None,
            tails: Tails::new(),
            next: all.map(|partition| (partition, 0)).collect(),
        };
        for OutputPosition { partition, next, last } in positions {
            outputs.next.insert(*partition, *next);
            outputs.tails.extend(last.map(|(epoch, n)| (*partition, OutputId { epoch, n })));
        }
        outputs
    }

    pub(crate) fn positions(&self) -> Vec<OutputPosition> {
        let mut positions: Vec<_> = self
            .next
            .iter()
            .map(|(partition, next)| OutputPosition {
                partition: *partition,
                next: *next,
                last: self.tails.get(partition).map(|tail| (tail.epoch, tail.n)),
            })
            .collect();
        positions.sort_unstable_by_key(|position| position.partition);
        positions
    }

    /// Reads on to the end.
    pub(crate) fn catch_up(&mut self) -> Result<(), ReadError> {
        if is_off(Protection::Tail) {
            return Ok(());
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let from: Vec<_> = self.next.iter().map(|(at, next)| (*at, *next)).collect();
                self.log.reader(&from)?
            }
        };
        let mut records = Vec::new();
        loop {
            reader.read(READ_BYTES, &mut records)?;
            if records.is_empty() {
                break;
            }
            for record in records.drain(..) {
                if let Some(id) = record.output_id {
                    self.see(record.partition, id);
                }
            }
        }
        for (partition, next) in &mut self.next {
            *next = reader.position(*partition);
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Takes in what was appended here. Where something else came in between, say of a process
    /// that leads by now, it is still to be read.
    pub(crate) fn appended(&mut self, batch: &[NewRecord], answers: &[Appended]) {
        self.reader = None;
        for (record, appended) in batch.iter().zip(answers) {
            let next = self.next.entry(record.partition).or_default();
            if *next == appended.offset {
                *next += 1;
            }
            if let Some(id) = record.output_id {
                self.see(record.partition, id);
            }
        }
    }

    fn see(&mut self, partition: TopicPartition, id: OutputId) {
        let tail = self.tails.entry(partition).or_insert(id);
        *tail = id.max(*tail);
    }

    /// Leaves of these records what is not on the log.
    pub(crate) fn retain_missing(&self, records: &mut Vec<NewRecord>) {
        records.retain(|record| {
            self.tails.get(&record.partition).is_none_or(|tail| record.output_id > Some(*tail))
        });
    }
}

/// The last epoch of which outputs stand on the log, all of which is read.
///
/// # Errors
/// It cannot be read.
pub fn last_epoch(log: Arc<dyn EventLog>) -> Result<Option<u64>, ReadError> {
    let mut outputs = Outputs::known(log, &[]);
    outputs.catch_up()?;
    Ok(outputs.tails.values().map(|tail| tail.epoch).max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schemas::time::Timestamp;
    use sinks::clock::Clock;
    use sinks::event_log::embedded::{Durability, FileLog};
    use tempfile::TempDir;

    const AT: TopicPartition = TopicPartition { topic: Topic::Orders, partition: 3 };

    fn output(epoch: u64) -> NewRecord {
        let output_id = Some(OutputId { epoch, n: 0 });
        NewRecord { partition: AT, key: Bytes::new(), value: Bytes::new(), output_id }
    }

    /// As when a process that was paused goes on to publish beside the one that took over.
    #[test]
    fn what_somebody_else_appends_in_between_is_seen() {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(Timestamp(0));
        let log: Arc<dyn EventLog> =
            Arc::new(FileLog::open(dir.path(), clock, Durability::NotDurable).unwrap());
        let append = |epoch| log.append(vec![output(epoch)]).wait().remove(0).unwrap();
        let mut outputs = Outputs::known(Arc::clone(&log), &[]);
        outputs.catch_up().unwrap();
        outputs.appended(&[output(4)], &[append(4)]);
        append(100);
        outputs.appended(&[output(5)], &[append(5)]);
        let position = |outputs: &Outputs| {
            let all = outputs.positions();
            all.into_iter().find(|position| position.partition == AT).unwrap()
        };
        assert_eq!((position(&outputs).next, position(&outputs).last), (1, Some((5, 0))));
        outputs.catch_up().unwrap();
        assert_eq!((position(&outputs).next, position(&outputs).last), (3, Some((100, 0))));
        let mut held = vec![output(100), output(101)];
        outputs.retain_missing(&mut held);
        assert_eq!(held, [output(101)]);
        // Who starts from there knows the same.
        let mut known = Outputs::known(Arc::clone(&log), &outputs.positions());
        known.catch_up().unwrap();
        assert_eq!(known.positions(), outputs.positions());
    }
}
