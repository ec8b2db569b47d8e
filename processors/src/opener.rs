//! The opener: one thread that reads the plan topic back and opens the epochs that valid plans
//! say, and nothing else. The planner's own plans come back to it here like anybody's.

use crate::epoch::{Action, Dead, EpochInfo, EpochInput};
use crate::hub::{Hub, State};
use crate::inputs;
use crate::plan::{Read, ValidPlan};
use machines::message::{Context, ProductMessage, ToProduct};
use schemas::codec::{Codec, DecodeError};
use schemas::events::epochs::RecordSkipped;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{Reader, Record};
use sinks::view_store::Mark;
use std::sync::mpsc::Sender;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
const WAIT_MAX: Duration = Duration::from_millis(100);
const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// Opens epochs until told to stop.
pub struct Opener {
    hub: Arc<Hub>,
    codec: Arc<Codec>,
    /// Tells when a plan or claim was heard.
    clock: Clock,
    workers: usize,
    /// Where the view store stands: rows up to there are not wanted.
    mark: Arc<Mark>,
    applied: Vec<u64>,
    /// To whom schema ids are named that are not known.
    unknown: Sender<u32>,
}

impl Opener {
    /// An opener for this many workers, over views that stand at `mark`.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        codec: Arc<Codec>,
        clock: Clock,
        workers: usize,
        mark: Arc<Mark>,
        unknown: Sender<u32>,
    ) -> Self {
        let applied = vec![0; TopicPartition::inputs().count()];
        Self { hub, codec, clock, workers, mark, applied, unknown }
    }

    /// Reads until the hub stops or fails.
    ///
    /// # Errors
    /// The topic cannot be read, or contradicts the state here.
    pub fn run(&mut self, mut reader: Box<dyn Reader>) -> Result<(), String> {
        let mut records = Vec::new();
        loop {
            reader.read(READ_BYTES, &mut records).map_err(|error| error.to_string())?;
            let idle = records.is_empty();
            for record in records.drain(..) {
                if !self.read(&record)? {
                    return Ok(());
                }
            }
            {
                let mut state = self.hub.lock();
                if state.failed() || state.stopping {
                    return Ok(());
                }
                if state.plans_read_to != reader.position(EPOCHS) {
                    state.plans_read_to = reader.position(EPOCHS);
                    self.hub.notify();
                }
            }
            if idle {
                reader.wait(WAIT_MAX);
            }
        }
    }

    /// Takes in one record; false: the hub stops.
    fn read(&mut self, record: &Record) -> Result<bool, String> {
        let event = match self.codec.decode_bare(&record.value) {
            Ok(event) => event,
            Err(DecodeError::UnknownSchema(schema)) => {
                return if self.learned(schema) { self.read(record) } else { Ok(false) };
            }
            Err(error) => {
                tracing::warn!(offset = record.offset, %error, "void record on the plan topic");
                return Ok(true);
            }
        };
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        let led = state.leads();
        match state.plans.read(record.offset, record.appended_at, &record.value, event) {
            Read::Planned(valid) => {
                state.heard = self.clock.elapsed();
                state.expect_digests(&valid.plan.digests)?;
                return self.open(&hub, state, &valid);
            }
            Read::Drain(generation) => state.drained = Some(generation),
            // Said to a planner before this one, it says nothing of this one's clock.
            Read::TimeAccepted(wall) if state.leads() => state.time_accepted = Some(wall),
            Read::TimeAccepted(_) => {}
            Read::Claimed(claim) => {
                state.heard = self.clock.elapsed();
                state.passive |= led && !state.leads();
                tracing::info!(generation = record.offset, era = claim.era, "claim in force");
            }
            Read::Skip(skip) => set_aside(&mut state, skip),
            Read::Void => tracing::warn!(offset = record.offset, "void plan or claim"),
        }
        hub.notify();
        Ok(true)
    }

    /// Whether a plan is valid is not for the registry to say: a schema that is not known is waited
    /// for. False: the hub stops.
    fn learned(&self, schema: u32) -> bool {
        let mut state = self.hub.lock();
        state.plans_held = Some(schema);
        self.hub.notify();
        // Nobody listens any more only while the engine ends.
        let _ = self.unknown.send(schema);
        while !self.codec.knows(schema) {
            if state.failed() || state.stopping {
                return false;
            }
            state = self.hub.wait(state);
        }
        state.plans_held = None;
        true
    }

    /// Waits until the plan's records are read and another epoch may be opened; opens it.
    fn open<'a>(
        &mut self,
        hub: &'a Hub,
        mut state: MutexGuard<'a, State>,
        valid: &ValidPlan,
    ) -> Result<bool, String> {
        self.check_mark(valid)?;
        loop {
            if state.failed() || state.stopping {
                return Ok(false);
            }
            let mut short = valid.plan.cut.iter().filter_map(|cut| {
                let input = &state.inputs[input_of(cut.topic, cut.partition)?];
                (input.reached < cut.end).then_some(input.held.is_some())
            });
            // Who planned a record that holds its partition here knew its schema: it is waited for.
            let waits = short.next().map(|held| held && short.all(|held| held));
            if waits.is_none() && state.may_open() {
                break;
            }
            let reading_short = waits == Some(false);
            if std::mem::replace(&mut state.reading_short, reading_short) != reading_short {
                hub.notify();
            }
            state = hub.wait(state);
        }
        state.reading_short = false;
        let (inputs, dead, records) = self.take(&mut state, valid)?;
        state.records += records;
        let info = EpochInfo {
            context: context(valid),
            era: valid.era,
            hash: valid.hash,
            applied: Arc::new(self.applied.clone()),
        };
        state.open(info, inputs, dead);
        hub.notify();
        Ok(true)
    }

    /// A store that knows another history than the log stops the start.
    fn check_mark(&self, valid: &ValidPlan) -> Result<(), String> {
        let at_mark = (valid.era, valid.plan.epoch) == (self.mark.era, self.mark.epoch);
        if at_mark && valid.hash != self.mark.plan_hash {
            return Err(format!(
                "history was redone: the views know another plan of epoch {}; remove the views \
                 to rebuild them, or restore the log they belong to",
                valid.plan.epoch
            ));
        }
        Ok(())
    }

    /// Takes the plan's records out of the inputs, by worker.
    fn take(
        &mut self,
        state: &mut State,
        valid: &ValidPlan,
    ) -> Result<(Vec<EpochInput>, Vec<Dead>, u64), String> {
        let rows = (valid.era, valid.plan.epoch) > (self.mark.era, self.mark.epoch);
        let mut inputs: Vec<_> = (0..self.workers)
            .map(|_| EpochInput {
                context: context(valid),
                customers: Vec::new(),
                products: Vec::new(),
                rows,
                spare: Default::default(),
            })
            .collect();
        let (mut dead, mut records) = (Vec::new(), 0);
        for cut in &valid.plan.cut {
            let index = input_of(cut.topic, cut.partition)
                .ok_or_else(|| format!("epoch {} cuts no input", valid.plan.epoch))?;
            let partition = &mut state.inputs[index];
            if cut.end < partition.planned {
                return Err(format!("I13: epoch {} cuts backwards", valid.plan.epoch));
            }
            while partition.waiting.front().is_some_and(|input| input.offset < cut.end) {
                let input = partition.waiting.pop_front().expect("looked at above");
                records += 1;
                let skipped = state.skips.remove(&(index, input.offset));
                let action = if skipped { inputs::skipped(cut, &input) } else { input.action };
                self.route(action, &mut inputs, &mut dead);
            }
            partition.planned = cut.end;
            self.applied[index] = cut.end;
        }
        Ok((inputs, dead, records))
    }

    fn route(&self, action: Action, inputs: &mut [EpochInput], dead: &mut Vec<Dead>) {
        match action {
            Action::Customer(group, message) => {
                inputs[usize::from(group) % self.workers].customers.push(message);
            }
            Action::Product(group, message) => {
                inputs[usize::from(group) % self.workers].products.push(message);
            }
            Action::Warehouse(cause, cause_id, event) => {
                for input in inputs {
                    let body = ProductMessage::Warehouse(event.clone());
                    input.products.push(ToProduct { cause, cause_id, body });
                }
            }
            Action::Dead(letter) => dead.push(*letter),
        }
    }
}

/// A record that a valid plan took is part of what was decided: to skip it history must be
/// redone, under a claim of the next era, which this build cannot do. The word is void then.
fn set_aside(state: &mut State, skip: RecordSkipped) {
    let RecordSkipped { topic, partition, offset } = skip;
    match input_of(topic, partition) {
        Some(index) if offset >= state.inputs[index].planned => {
            state.skips.insert((index, offset));
        }
        Some(_) => tracing::warn!(?skip, "void: a plan has taken this record already"),
        None => tracing::warn!(?skip, "void: there is no such input"),
    }
}

fn context(valid: &ValidPlan) -> Context {
    Context { epoch: valid.plan.epoch, now: valid.now, deadline: valid.deadline }
}

fn input_of(topic: u8, partition: u16) -> Option<usize> {
    let topic = Topic::from_number(topic)?;
    let at = TopicPartition { topic, partition };
    at.input_index().filter(|_| partition < topic.partitions())
}
