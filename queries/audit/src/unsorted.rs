//! Outputs that were read and not yet taken in. A reader gives each partition in order and promises
//! nothing of the order between them: on files they come as they were appended, from brokers a
//! piece of one partition after a piece of another.
//!
//! So an output waits here until its epoch is open, and an epoch is over when every output
//! partition is past it: its next record is of a later epoch, or it is read to an end below which
//! the epoch is known to be whole.

use crate::AuditError;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{EventLog, Reader, Record};
use std::collections::VecDeque;

/// An output partition.
struct Queue {
    at: TopicPartition,
    records: VecDeque<Record>,
    /// Where it ended when that was asked for.
    end: u64,
}

/// The output partitions.
pub(crate) struct Unsorted {
    queues: Vec<Queue>,
    /// Epochs up to here are whole below the ends.
    whole: u64,
    /// The newest output that was read.
    pub(crate) newest: Newest,
}

/// Of the outputs that were read: the newest epoch of any, and when the last was appended.
#[derive(Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) epoch: u64,
    pub(crate) appended_at: Timestamp,
}

impl Unsorted {
    /// Nothing read yet; epochs up to `whole` are whole on the log as it is now.
    pub(crate) fn open(log: &dyn EventLog, whole: u64) -> Result<Self, AuditError> {
        let partitions = Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all);
        let queues = partitions.map(|at| Queue { at, records: VecDeque::new(), end: 0 }).collect();
        let newest = Newest { epoch: 0, appended_at: Timestamp::MIN };
        let mut unsorted = Self { queues, whole: 0, newest };
        unsorted.look(log, whole)?;
        Ok(unsorted)
    }

    /// Asks for the ends, if more epochs than before are `whole` below them.
    pub(crate) fn look(&mut self, log: &dyn EventLog, whole: u64) -> Result<(), AuditError> {
        if whole <= self.whole {
            return Ok(());
        }
        let partitions: Vec<_> = self.queues.iter().map(|queue| queue.at).collect();
        for (queue, end) in self.queues.iter_mut().zip(log.ends(&partitions)?) {
            queue.end = end;
        }
        self.whole = whole;
        Ok(())
    }

    /// Keeps an output.
    pub(crate) fn push(&mut self, record: Record) {
        let Newest { epoch, appended_at } = self.newest;
        self.newest = Newest {
            epoch: epoch.max(record.output_id.map_or(0, |id| id.epoch)),
            appended_at: appended_at.max(record.appended_at),
        };
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.at == record.partition) {
            queue.records.push_back(record);
        }
    }

    /// The next record, in its partition's order, of an epoch up to `open` or of none.
    pub(crate) fn pop(&mut self, open: u64) -> Option<Record> {
        let queue = self.queues.iter_mut().find(|queue| {
            let next = queue.records.front();
            next.is_some_and(|next| next.output_id.is_none_or(|id| id.epoch <= open))
        });
        queue.and_then(|queue| queue.records.pop_front())
    }

    /// Whether all outputs of this epoch were given out by [`Unsorted::pop`].
    pub(crate) fn are_past(&self, epoch: u64, reader: &dyn Reader) -> bool {
        self.queues.iter().all(|queue| match queue.records.front() {
            Some(next) => next.output_id.is_some_and(|id| id.epoch > epoch),
            None => epoch <= self.whole && reader.position(queue.at) >= queue.end,
        })
    }
}
