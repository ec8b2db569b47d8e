//! Outputs on their way to the log, an append at a time.

use crate::hub::Hub;
use sinks::event_log::{AppendError, Appended, EventLog, NewRecord};
use std::time::Duration;

/// Before outputs that the log did not take are sent again.
const RESEND: Duration = Duration::from_millis(20);

/// Bytes of these records.
pub(crate) fn bytes(records: &[NewRecord]) -> usize {
    records.iter().map(|record| record.key.len() + record.value.len()).sum()
}

/// Appends a batch and waits until it is durable: the next is not sent before, so that a batch
/// which the log could not take for now may be sent again without falling behind another. None:
/// it is not for this process to publish.
pub(crate) fn append(
    hub: &Hub,
    log: &dyn EventLog,
    batch: &[NewRecord],
) -> Result<Option<Vec<Appended>>, AppendError> {
    let mut told = false;
    loop {
        if hub.lock().passive {
            return Ok(None);
        }
        let answers = log.append(batch.to_vec()).wait();
        let refused =
            |answer: &Result<_, AppendError>| matches!(answer, Err(AppendError::NotAppended(_)));
        if !answers.iter().all(refused) {
            return answers.into_iter().collect::<Result<_, _>>().map(Some);
        }
        let refusal = answers.into_iter().find_map(Result::err);
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(records = batch.len(), ?refusal, "the log takes no outputs now");
        }
        let state = hub.lock();
        if state.failed() || state.stopping {
            // The next start publishes them.
            return refusal.map_or(Ok(Some(Vec::new())), Err);
        }
        drop(hub.wait_for(state, RESEND));
    }
}

/// Splits records, in order, so that none of the parts is over this many bytes.
pub(crate) fn batches(records: Vec<NewRecord>, bytes_max: usize) -> Vec<Vec<NewRecord>> {
    let mut batches: Vec<Vec<NewRecord>> = Vec::new();
    let mut bytes = bytes_max;
    for record in records {
        let size = record.key.len() + record.value.len();
        if bytes + size > bytes_max || batches.is_empty() {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        batches.last_mut().expect("one was pushed").push(record);
    }
    batches
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bytes::Bytes;
    use schemas::time::Timestamp;
    use schemas::topic::{Topic, TopicPartition};
    use sinks::event_log::{Appending, OutputId, ReadError, Reader, Record};
    use std::sync::{Arc, Mutex};

    pub(crate) fn outputs(sizes: &[usize]) -> Vec<NewRecord> {
        let partition = TopicPartition { topic: Topic::Orders, partition: 0 };
        let record = |(n, size): (u32, &usize)| NewRecord {
            partition,
            key: Bytes::new(),
            value: vec![0; *size].into(),
            output_id: Some(OutputId { epoch: 1, n }),
        };
        (0..).zip(sizes).map(record).collect()
    }

    /// A log that takes nothing the first times, for fault injection.
    #[derive(Default)]
    pub(crate) struct Full {
        refuses: usize,
        /// The ids of each append.
        pub(crate) asked: Mutex<Vec<Vec<(u64, u32)>>>,
        /// What somebody else has appended.
        there: Arc<Mutex<Vec<Record>>>,
    }

    impl Full {
        /// Somebody else has appended these outputs.
        pub(crate) fn holds(&self, partition: TopicPartition, ids: &[OutputId]) {
            let records = (0..).zip(ids).map(|(offset, id)| Record {
                partition,
                offset,
                appended_at: Timestamp(0),
                key: Bytes::new(),
                value: Bytes::new(),
                output_id: Some(*id),
            });
            self.there.lock().unwrap().extend(records);
        }
    }

    /// Reads what is there, once.
    struct There(Arc<Mutex<Vec<Record>>>);

    impl Reader for There {
        fn read(&mut self, _: usize, records: &mut Vec<Record>) -> Result<(), ReadError> {
            records.append(&mut self.0.lock().unwrap());
            Ok(())
        }
        fn wait(&mut self, _: Duration) {}
        fn position(&self, _: TopicPartition) -> u64 {
            0
        }
    }

    impl EventLog for Full {
        fn append(&self, records: Vec<NewRecord>) -> Appending {
            let mut asked = self.asked.lock().unwrap();
            let ids = records.iter().flat_map(|record| record.output_id);
            asked.push(ids.map(|id| (id.epoch, id.n)).collect());
            let answer = if asked.len() <= self.refuses {
                Err(AppendError::NotAppended("full".to_owned()))
            } else {
                Ok(Appended { offset: 0, appended_at: Timestamp(0) })
            };
            Appending::ready(vec![answer; records.len()])
        }
        fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
            Ok(vec![0; partitions.len()])
        }
        fn reader(&self, _: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
            Ok(Box::new(There(Arc::clone(&self.there))))
        }
        fn close(&self) {}
    }

    #[test]
    fn a_large_epoch_is_split_in_order_and_nothing_is_lost() {
        let records = outputs(&[4, 4, 3, 9, 1, 10]);
        let split = batches(records.clone(), 10);
        let sizes: Vec<Vec<usize>> = split
            .iter()
            .map(|batch| batch.iter().map(|record| record.value.len()).collect())
            .collect();
        assert_eq!(sizes, [vec![4, 4], vec![3], vec![9, 1], vec![10]]);
        assert_eq!(split.concat(), records);
        assert_eq!(batches(Vec::new(), 10), Vec::<Vec<NewRecord>>::new());
    }

    #[test]
    fn what_the_log_did_not_take_is_sent_again_and_ends_nothing() {
        let log = Full { refuses: 2, ..Full::default() };
        assert_eq!(append(&Hub::new(1), &log, &outputs(&[1, 2])).unwrap().unwrap().len(), 2);
        assert_eq!(*log.asked.lock().unwrap(), vec![[(1, 0), (1, 1)]; 3]);
    }
}
