//! The publisher: one thread that appends outputs, in the order of epochs. While a replay is at or
//! behind a partition's tail, nothing is written there again. An append whose outcome is not known
//! ends the engine, which starts anew from the log.
//!
//! An append costs the log a request for each partition, and a small epoch has outputs for as many
//! as a large one. So epochs that finish while an append is under way share the next: the publisher
//! keeps up however many are planned, and the slower the log, the more of them share.
//!
//! A process that follows publishes nothing. What it has ready it holds until it sees it on the
//! log, or leads itself and publishes what the one before it did not get to.

use crate::epoch::{Finished, weight};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::outputs::encode;
use schemas::codec::Codec;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{
    AppendError, BATCH_BYTES_MAX, EventLog, NewRecord, OutputId, ReadError, Reader,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const READ_BYTES: usize = 4 << 20;
/// Bytes of one append: a quarter of what the log takes at once, so that a disk serves others too.
const BATCH_BYTES: usize = BATCH_BYTES_MAX / 4;
/// Events that are likely to make one append: an output takes some 200 bytes.
const BATCH_EVENTS: usize = BATCH_BYTES / 200;
/// How soon what is held is looked for on the log again, unless something happens before.
const LOOK: Duration = Duration::from_millis(100);
/// Before outputs that the log did not take are sent again.
const RESEND: Duration = Duration::from_millis(20);

/// The last output id of each output partition.
pub type Tails = HashMap<TopicPartition, OutputId>;

/// The output partitions as they stand on the log.
struct Outputs {
    reader: Box<dyn Reader>,
    tails: Tails,
}

impl Outputs {
    fn open(log: &dyn EventLog) -> Result<Self, ReadError> {
        let from: Vec<_> =
            Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0)).collect();
        Ok(Self { reader: log.reader(&from)?, tails: Tails::new() })
    }

    /// Reads on to the end.
    fn catch_up(&mut self) -> Result<(), ReadError> {
        let mut records = Vec::new();
        loop {
            self.reader.read(READ_BYTES, &mut records)?;
            if records.is_empty() {
                return Ok(());
            }
            for record in records.drain(..) {
                if let Some(id) = record.output_id {
                    let tail = self.tails.entry(record.partition).or_insert(id);
                    *tail = id.max(*tail);
                }
            }
        }
    }

    /// Leaves of these records what is not on the log.
    fn retain_missing(&self, records: &mut Vec<NewRecord>) {
        records.retain(|record| {
            self.tails.get(&record.partition).is_none_or(|tail| record.output_id > Some(*tail))
        });
    }
}

/// Outputs that are ready and not all on the log, of one epoch or of several that follow each other.
struct Held {
    /// The last of them.
    epoch: u64,
    events: usize,
    records: Vec<NewRecord>,
}

impl Held {
    /// Takes in the epochs behind these.
    fn join(&mut self, next: Self) {
        self.epoch = next.epoch;
        self.events += next.events;
        self.records.extend(next.records);
    }
}

/// Publishes finished epochs.
pub struct Publisher {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    outputs: Outputs,
    held: VecDeque<Held>,
}

enum Next {
    /// At least one.
    Finished(Vec<Finished>),
    /// What is held may be on the log by now, or ours to publish.
    Held,
}

impl Publisher {
    /// A publisher behind what stands on the log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn open(
        hub: Arc<Hub>,
        log: Arc<dyn EventLog>,
        codec: Arc<Codec>,
    ) -> Result<Self, ReadError> {
        let mut outputs = Outputs::open(log.as_ref())?;
        outputs.catch_up()?;
        let last = outputs.tails.values().map(|tail| tail.epoch).max();
        hub.lock().outputs_at = Some(last.unwrap_or(0));
        hub.notify();
        Ok(Self { hub, log, codec, outputs, held: VecDeque::new() })
    }

    /// Publishes until the hub fails, or stops and nothing is left.
    ///
    /// # Errors
    /// An append failed, or its outcome is not known; or the log cannot be read.
    pub fn run(mut self) -> Result<(), Failure> {
        while let Some(next) = self.next() {
            match next {
                Next::Finished(finished) => finished.into_iter().for_each(|epoch| self.hold(epoch)),
                Next::Held => {
                    self.outputs.catch_up()?;
                    for held in &mut self.held {
                        self.outputs.retain_missing(&mut held.records);
                    }
                }
            }
            self.publish()?;
        }
        Ok(())
    }

    /// Waits for a finished epoch, or a change of what is held; none: there is nothing left to
    /// publish.
    fn next(&self) -> Option<Next> {
        let mut state = self.hub.lock();
        loop {
            if state.failed() {
                return None;
            }
            if !self.held.is_empty() && !state.passive {
                return Some(Next::Held);
            }
            let finished = take(&mut state.to_publish);
            if !finished.is_empty() {
                return Some(Next::Finished(finished));
            }
            if state.stopping && state.worker_done() {
                return None;
            }
            if !self.held.is_empty() {
                drop(self.hub.wait_for(state, LOOK));
                return Some(Next::Held);
            }
            state = self.hub.wait(state);
        }
    }

    /// Encodes an epoch's outputs.
    fn hold(&mut self, finished: Finished) {
        let (epoch, events) = (finished.info.context.epoch, weight(&finished.events));
        let records = encode(&self.codec, &finished, &self.outputs.tails);
        recycle(&self.hub, finished);
        self.held.push_back(Held { epoch, events, records });
    }

    /// Publishes what is held, in order, or as long as it is passive what is found on the log
    /// stops being held.
    fn publish(&mut self) -> Result<(), AppendError> {
        while let Some(mut held) = self.group() {
            let mut left = batches(std::mem::take(&mut held.records), BATCH_BYTES).into_iter();
            while let Some(batch) = left.next() {
                if !append(&self.hub, self.log.as_ref(), &batch)? {
                    held.records = batch.into_iter().chain(left.flatten()).collect();
                    break;
                }
            }
            if held.records.is_empty() {
                self.hub.lock().set_published(held.epoch, held.events);
                self.hub.notify();
                continue;
            }
            let newest = self.held.back().map_or(held.epoch, |newest| newest.epoch);
            self.held.push_front(held);
            self.hub.lock().set_held(newest);
            self.hub.notify();
            break;
        }
        Ok(())
    }

    /// The first of what is held: as many epochs as one append takes, or of a larger epoch all.
    /// Each for itself while it is passive: then one stops being held when it is seen on the log,
    /// and a group that always grew never would.
    fn group(&mut self) -> Option<Held> {
        let mut group = self.held.pop_front()?;
        if self.hub.lock().passive {
            return Some(group);
        }
        let mut bytes = bytes(&group.records);
        while let Some(next) = self.held.pop_front() {
            bytes += self::bytes(&next.records);
            if bytes > BATCH_BYTES {
                self.held.push_front(next);
                break;
            }
            group.join(next);
        }
        Some(group)
    }
}

/// Takes the first epochs off this queue, as many as one append is likely to take.
fn take(queue: &mut VecDeque<Finished>) -> Vec<Finished> {
    let mut events = 0;
    let fits = |finished: &&Finished| {
        let is_first = events == 0;
        events += weight(&finished.events).max(1);
        is_first || events <= BATCH_EVENTS
    };
    let count = queue.iter().take_while(fits).count();
    queue.drain(..count).collect()
}

/// In the place of a publisher, where outputs are never this process's to publish: lets go of
/// them, until the hub fails, or stops and nothing is left. Nothing is encoded.
pub fn discard(hub: &Hub) {
    let mut state = hub.lock();
    state.outputs_at = Some(0);
    hub.notify();
    while !(state.failed() || state.stopping && state.worker_done()) {
        let Some(finished) = state.to_publish.pop_front() else {
            state = hub.wait(state);
            continue;
        };
        drop(state);
        let (epoch, events) = (finished.info.context.epoch, weight(&finished.events));
        recycle(hub, finished);
        state = hub.lock();
        state.set_published(epoch, events);
        hub.notify();
    }
}

/// Empties an epoch's vectors without the lock, and gives them back.
fn recycle(hub: &Hub, mut finished: Finished) {
    finished.events.iter_mut().flatten().for_each(Vec::clear);
    hub.lock().recycle(finished.events);
}

fn bytes(records: &[NewRecord]) -> usize {
    records.iter().map(|record| record.key.len() + record.value.len()).sum()
}

/// Appends a batch and waits until it is durable: the next is not sent before, so that a batch
/// which the log could not take for now may be sent again without falling behind another. False:
/// it is not for this process to publish.
fn append(hub: &Hub, log: &dyn EventLog, batch: &[NewRecord]) -> Result<bool, AppendError> {
    let mut told = false;
    loop {
        if hub.lock().passive {
            return Ok(false);
        }
        let answers = log.append(batch.to_vec()).wait();
        let refused =
            |answer: &Result<_, AppendError>| matches!(answer, Err(AppendError::NotAppended(_)));
        if !answers.iter().all(refused) {
            return answers.into_iter().try_for_each(|answer| answer.map(drop)).map(|()| true);
        }
        let refusal = answers.into_iter().find_map(Result::err);
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(records = batch.len(), ?refusal, "the log takes no outputs now");
        }
        let state = hub.lock();
        if state.failed() || state.stopping {
            // The next start publishes them.
            return refusal.map_or(Ok(true), Err);
        }
        drop(hub.wait_for(state, RESEND));
    }
}

/// Splits records, in order, so that none of the parts is over this many bytes.
fn batches(records: Vec<NewRecord>, bytes_max: usize) -> Vec<Vec<NewRecord>> {
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
mod tests {
    use super::*;
    use crate::epoch::{Dead, EpochInfo};
    use bytes::Bytes;
    use machines::message::{Cause, Context};
    use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
    use schemas::id::EventId;
    use schemas::time::Timestamp;
    use sinks::event_log::{Appended, Appending, Record};
    use std::sync::Mutex;

    fn outputs(sizes: &[usize]) -> Vec<NewRecord> {
        let partition = TopicPartition { topic: Topic::Orders, partition: 0 };
        let record = |(n, size): (u32, &usize)| NewRecord {
            partition,
            key: Bytes::new(),
            value: vec![0; *size].into(),
            output_id: Some(OutputId { epoch: 1, n }),
        };
        (0..).zip(sizes).map(record).collect()
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

    /// A log that takes nothing the first times, for fault injection.
    #[derive(Default)]
    struct Full {
        refuses: usize,
        /// The ids of each append.
        asked: Mutex<Vec<Vec<(u64, u32)>>>,
    }

    /// A reader of a log where nothing stands.
    struct Nothing;

    impl Reader for Nothing {
        fn read(&mut self, _: usize, _: &mut Vec<Record>) -> Result<(), ReadError> {
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
            Ok(Box::new(Nothing))
        }
        fn close(&self) {}
    }

    #[test]
    fn what_the_log_did_not_take_is_sent_again_and_ends_nothing() {
        let log = Full { refuses: 2, ..Full::default() };
        assert!(append(&Hub::new(1), &log, &outputs(&[1, 2])).unwrap());
        assert_eq!(*log.asked.lock().unwrap(), vec![[(1, 0), (1, 1)]; 3]);
    }

    /// A finished epoch with one output: a dead letter.
    fn finished(epoch: u64) -> Finished {
        let letter = DeadLetter {
            topic: 1,
            partition: 0,
            offset: epoch,
            appended_at: Timestamp(0),
            cause: DeadLetterCause::Undecodable,
            detail: "no record".to_owned(),
        };
        let (now, deadline) = (Timestamp(0), Timestamp(0));
        let info = EpochInfo {
            context: Context { epoch, now, deadline },
            era: 0,
            hash: EventId([0; 16]),
            applied: Arc::default(),
        };
        let cause = Cause::default();
        let dead = vec![Dead { cause, id: EventId([0; 16]), event: letter.into() }];
        Finished { info, events: Vec::new(), dead }
    }

    #[test]
    fn epochs_that_wait_share_an_append_and_while_passive_each_is_held_for_itself() {
        let (hub, log) = (Hub::new(1), Arc::new(Full::default()));
        let codec = Arc::new(Codec::compiled());
        let mut publisher =
            Publisher::open(Arc::clone(&hub), Arc::<Full>::clone(&log), codec).unwrap();
        hub.lock().passive = true;
        [1, 2, 3].into_iter().for_each(|epoch| publisher.hold(finished(epoch)));
        publisher.publish().unwrap();
        let held: Vec<_> = publisher.held.iter().map(|held| held.epoch).collect();
        assert_eq!((held, log.asked.lock().unwrap().len()), (vec![1, 2, 3], 0));
        {
            let mut state = hub.lock();
            state.passive = false;
            state.to_publish.extend([4, 5].map(finished));
        }
        hub.stop();
        publisher.run().unwrap();
        let asked = [vec![(1, 0), (2, 0), (3, 0)], vec![(4, 0), (5, 0)]];
        assert_eq!(*log.asked.lock().unwrap(), asked);
        assert_eq!(hub.lock().published, 5);
    }

    #[test]
    fn a_group_is_no_larger_than_an_append_unless_an_epoch_is() {
        let codec = Arc::new(Codec::compiled());
        let mut publisher = Publisher::open(Hub::new(1), Arc::new(Full::default()), codec).unwrap();
        for (epoch, size) in (1..).zip([BATCH_BYTES + 1, 1, BATCH_BYTES - 1, 1]) {
            publisher.held.push_back(Held { epoch, events: 10, records: outputs(&[size]) });
        }
        let groups: Vec<_> = std::iter::from_fn(|| publisher.group())
            .map(|group| (group.epoch, group.events, group.records.len()))
            .collect();
        assert_eq!(groups, [(1, 10, 1), (3, 20, 2), (4, 10, 1)]);
    }
}
