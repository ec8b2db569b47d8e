//! The output partitions as far as they are known: what is read there, and what is appended here.

use crate::checkpoints::manifest::OutputPosition;
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
    /// None: what was appended here is known without being read, so it would read behind.
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
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let from: Vec<_> = self.next.iter().map(|(at, next)| (*at, *next)).collect();
                self.reader.insert(self.log.reader(&from)?)
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
                    let tail = self.tails.entry(record.partition).or_insert(id);
                    *tail = id.max(*tail);
                }
            }
        }
        for (partition, next) in &mut self.next {
            *next = reader.position(*partition);
        }
        Ok(())
    }

    /// Takes in what was appended here.
    pub(crate) fn appended(&mut self, batch: &[NewRecord], answers: &[Appended]) {
        self.reader = None;
        for (record, appended) in batch.iter().zip(answers) {
            self.next.insert(record.partition, appended.offset + 1);
            self.tails.extend(record.output_id.map(|id| (record.partition, id)));
        }
    }

    /// Leaves of these records what is not on the log.
    pub(crate) fn retain_missing(&self, records: &mut Vec<NewRecord>) {
        records.retain(|record| {
            self.tails.get(&record.partition).is_none_or(|tail| record.output_id > Some(*tail))
        });
    }
}
