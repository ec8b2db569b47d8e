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

use crate::checkpoints::manifest::OutputPosition;
use crate::epoch::{Finished, weight};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::known_outputs::Outputs;
use crate::outputs::{encode, recycle};
use crate::sending::{append, batches, bytes};
use schemas::codec::Codec;
use sinks::event_log::{BATCH_BYTES_MAX, EventLog, NewRecord, ReadError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one append: a quarter of what the log takes at once, so that a disk serves others too.
const BATCH_BYTES: usize = BATCH_BYTES_MAX / 4;
/// Events that are likely to make one append: an output takes some 200 bytes.
const BATCH_EVENTS: usize = BATCH_BYTES / 200;
/// How soon what is held is looked for on the log again, unless something happens before.
const LOOK: Duration = Duration::from_millis(100);

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
    /// This process leads, and since it does it has looked which of what is held is on the log.
    looked: bool,
}

enum Next {
    /// At least one.
    Finished(Vec<Finished>),
    /// What is held may be on the log by now, or ours to publish.
    Held,
}

impl Publisher {
    /// A publisher behind what stands on the log, of which this much is known.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn open(
        hub: Arc<Hub>,
        log: Arc<dyn EventLog>,
        codec: Arc<Codec>,
        known: &[OutputPosition],
    ) -> Result<Self, ReadError> {
        let mut outputs = Outputs::known(Arc::clone(&log), known);
        outputs.catch_up()?;
        let last = outputs.tails.values().map(|tail| tail.epoch).max();
        hub.lock().outputs_at = Some(last.unwrap_or(0));
        hub.notify();
        Ok(Self { hub, log, codec, outputs, held: VecDeque::new(), looked: false })
    }

    /// Publishes until the hub fails, or stops and nothing is left.
    ///
    /// # Errors
    /// An append failed, or its outcome is not known; or the log cannot be read.
    pub fn run(mut self) -> Result<(), Failure> {
        while let Some(next) = self.next() {
            match next {
                Next::Finished(finished) => finished.into_iter().for_each(|epoch| self.hold(epoch)),
                Next::Held => self.look()?,
            }
            self.publish()?;
        }
        self.hub.lock().checkpoints.all_published();
        self.hub.notify();
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

    /// Looks for what is held on the log; what is there is held no more.
    fn look(&mut self) -> Result<(), ReadError> {
        self.outputs.catch_up()?;
        for held in &mut self.held {
            self.outputs.retain_missing(&mut held.records);
        }
        Ok(())
    }

    /// Publishes what is held, in order, or as long as it is passive what was found on the log
    /// stops being held. Who begins to lead looks first: the one before may have published it.
    fn publish(&mut self) -> Result<(), Failure> {
        let leads = !self.hub.lock().passive;
        if leads && !self.looked {
            self.look()?;
        }
        self.looked = leads;
        while let Some(mut held) = self.group() {
            let mut left = batches(std::mem::take(&mut held.records), BATCH_BYTES).into_iter();
            while let Some(batch) = left.next() {
                let appended =
                    if leads { append(&self.hub, self.log.as_ref(), &batch)? } else { None };
                let Some(appended) = appended else {
                    self.looked = false;
                    held.records = batch.into_iter().chain(left.flatten()).collect();
                    break;
                };
                self.outputs.appended(&batch, &appended);
            }
            if held.records.is_empty() {
                let mut state = self.hub.lock();
                state.set_published(held.epoch, held.events);
                if state.checkpoints.are_made() {
                    state.checkpoints.outputs = Arc::new(self.outputs.positions());
                }
                drop(state);
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
        if !self.looked {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::{Dead, EpochInfo};
    use crate::sending::tests::{Full, outputs};
    use machines::message::{Cause, Context};
    use machines::rules::Rules;
    use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
    use schemas::id::EventId;
    use schemas::time::Timestamp;
    use sinks::event_log::OutputId;

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
            context: Context { epoch, now, before: now, deadline, rules: Rules::NEWEST },
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
            Publisher::open(Arc::clone(&hub), Arc::<Full>::clone(&log), codec, &[]).unwrap();
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
        let mut publisher =
            Publisher::open(Hub::new(1), Arc::new(Full::default()), codec, &[]).unwrap();
        publisher.looked = true;
        for (epoch, size) in (1..).zip([BATCH_BYTES + 1, 1, BATCH_BYTES - 1, 1]) {
            publisher.held.push_back(Held { epoch, events: 10, records: outputs(&[size]) });
        }
        let groups: Vec<_> = std::iter::from_fn(|| publisher.group())
            .map(|group| (group.epoch, group.events, group.records.len()))
            .collect();
        assert_eq!(groups, [(1, 10, 1), (3, 20, 2), (4, 10, 1)]);
    }

    /// As when an epoch is finished in the very moment in which this process begins to lead.
    #[test]
    fn who_begins_to_lead_looks_what_the_one_before_it_has_published() {
        let (hub, log) = (Hub::new(1), Arc::new(Full::default()));
        let codec = Arc::new(Codec::compiled());
        let mut publisher =
            Publisher::open(Arc::clone(&hub), Arc::<Full>::clone(&log), codec, &[]).unwrap();
        hub.lock().passive = true;
        [1, 2, 3].into_iter().for_each(|epoch| publisher.hold(finished(epoch)));
        publisher.publish().unwrap();
        let at = publisher.held[0].records[0].partition;
        log.holds(at, &[OutputId { epoch: 1, n: 0 }, OutputId { epoch: 2, n: 0 }]);
        hub.lock().passive = false;
        publisher.hold(finished(4));
        publisher.publish().unwrap();
        assert_eq!(*log.asked.lock().unwrap(), [vec![(3, 0), (4, 0)]]);
    }
}
