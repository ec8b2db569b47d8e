//! The opener: one thread that reads the plan topic back and opens the epochs that valid plans
//! say, and nothing else. The planner's own plans come back to it here like anybody's.

use crate::checkpoints::restored::Restored;
use crate::epoch::{Action, Dead, EpochInfo, EpochInput};
use crate::eras::Eras;
use crate::failure::{End, Failure, outcome};
use crate::hub::{Hub, State};
use crate::inputs;
use crate::mesh::Share;
use crate::plan::{Read, ValidPlan, rules_of};
use crate::plan_history::input_of;
use crate::protection::{Protection, is_off};
use crate::standing::Standing;
use machines::message::{Context, ProductMessage, ToCustomer, ToProduct};
use schemas::codec::{Codec, DecodeError};
use schemas::events::epochs::RecordSkipped;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{Reader, Record};
use sinks::view_store::Mark;
use std::collections::BTreeSet;
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
    share: Share,
    /// Where the view store stands: rows up to there are not wanted; none at all without a store.
    mark: Option<Arc<Mark>>,
    /// Where history was redone, as far as is known.
    eras: Eras,
    applied: Vec<u64>,
    /// Messages that enter the first epoch, of the one before it.
    left: Vec<ToCustomer>,
    /// To whom schema ids are named that are not known.
    unknown: Sender<u32>,
}

impl Opener {
    /// An opener for these workers, over views that stand at `mark`, if there are any.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        codec: Arc<Codec>,
        clock: Clock,
        share: Share,
        mark: Option<Arc<Mark>>,
        eras: Eras,
        unknown: Sender<u32>,
    ) -> Self {
        let applied = vec![0; TopicPartition::inputs().count()];
        Self { hub, codec, clock, share, mark, eras, applied, left: Vec::new(), unknown }
    }

    /// The same, going on behind a checkpoint.
    #[must_use]
    pub fn behind(mut self, restored: &Restored) -> Self {
        for position in &restored.manifest.inputs {
            if let Some(index) = position.partition.input_index() {
                self.applied[index] = position.next;
            }
        }
        if !is_off(Protection::LoopMessages) {
            self.left.clone_from(&restored.left);
        }
        self
    }

    /// Reads until the hub stops or fails.
    ///
    /// # Errors
    /// The topic cannot be read, or contradicts the state here.
    pub fn run(&mut self, reader: Box<dyn Reader>) -> Result<(), Failure> {
        outcome(self.read_on(reader))
    }

    fn read_on(&mut self, mut reader: Box<dyn Reader>) -> Result<(), End> {
        let mut records = Vec::new();
        loop {
            reader.read(READ_BYTES, &mut records)?;
            let idle = records.is_empty();
            for record in records.drain(..) {
                self.read(&record)?;
            }
            {
                let mut state = self.hub.lock();
                state.go_on()?;
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

    /// Takes in one record.
    fn read(&mut self, record: &Record) -> Result<(), End> {
        let event = match self.codec.decode_bare(&record.value) {
            Ok(event) => event,
            Err(DecodeError::UnknownSchema(schema)) => {
                self.learned(schema)?;
                return self.read(record);
            }
            Err(error) => {
                tracing::warn!(offset = record.offset, %error, "void record on the plan topic");
                return Ok(());
            }
        };
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        let led = state.leads();
        match state.plans.read(record.offset, record.appended_at, &record.value, event) {
            Read::Planned(mut valid) => {
                valid.era = self.eras.of(valid.plan.epoch, valid.era);
                self.heard(&mut state, led);
                state.expect_digests(&valid.plan.digests)?;
                // Opening may have to wait; who waits for what is planned need not.
                hub.notify();
                return self.open(&hub, state, &valid);
            }
            Read::Drain(generation) => state.drained = Some(generation),
            // Said to a planner before this one, it says nothing of this one's clock.
            Read::TimeAccepted(wall) if state.leads() => state.time_accepted = Some(wall),
            Read::TimeAccepted(_) => {}
            Read::Claimed(claim) if self.eras.is_newer(claim.era) => {
                return Err(Failure::HistoryRedone(format!(
                    "history was redone: an operator has begun era {}; start this process again",
                    claim.era
                ))
                .into());
            }
            Read::Claimed(claim) => {
                rules_of(claim.rules_version)?;
                self.heard(&mut state, led);
                tracing::info!(generation = record.offset, era = claim.era, "claim in force");
            }
            Read::Skip(skip) => set_aside(&mut state, skip, self.eras.skips()),
            Read::Void => tracing::warn!(offset = record.offset, "void plan or claim"),
        }
        hub.notify();
        Ok(())
    }

    /// A valid plan or claim was read, by a process that led before it or not: who does not lead
    /// now follows.
    fn heard(&self, state: &mut State, led: bool) {
        state.heard = self.clock.elapsed();
        if state.leads() {
            return;
        }
        state.passive |= led;
        if led || state.standing == Standing::Waits {
            state.standing = Standing::Follows;
        }
    }

    /// Whether a plan is valid is not for the registry to say: a schema that is not known is waited
    /// for.
    fn learned(&self, schema: u32) -> Result<(), End> {
        {
            self.hub.lock().plans_held = Some(schema);
            self.hub.notify();
        }
        // Nobody listens any more only while the engine ends.
        let _ = self.unknown.send(schema);
        self.hub.wait_until(|_| self.codec.knows(schema))?.plans_held = None;
        Ok(())
    }

    /// Waits until the plan's records are read and another epoch may be opened; opens it.
    fn open<'a>(
        &mut self,
        hub: &'a Hub,
        mut state: MutexGuard<'a, State>,
        valid: &ValidPlan,
    ) -> Result<(), End> {
        self.check_mark(valid)?;
        loop {
            state.go_on()?;
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
        let context = context(valid)?;
        let (mut inputs, dead, records) = self.take(&mut state, valid, context)?;
        state.records += records;
        let epoch = valid.plan.epoch;
        let begun = state.checkpoints.begin(epoch, records, self.clock.elapsed());
        inputs.iter_mut().for_each(|input| input.save = begun);
        let begun = begun.then(|| state.behind_last_plan());
        let info = EpochInfo {
            context,
            era: valid.era,
            hash: valid.hash,
            applied: Arc::new(self.applied.clone()),
        };
        state.open(info, inputs, dead, begun);
        hub.notify();
        Ok(())
    }

    /// A store that knows another history than the log stops the start.
    fn check_mark(&self, valid: &ValidPlan) -> Result<(), Failure> {
        let at = (valid.era, valid.plan.epoch);
        let known = self.mark.as_ref().filter(|mark| at == (mark.era, mark.epoch));
        if known.is_some_and(|mark| valid.hash != mark.plan_hash) {
            return Err(Failure::HistoryRedone(format!(
                "history was redone: the views know another plan of epoch {}; remove the views \
                 to rebuild them, or restore the log they belong to",
                valid.plan.epoch
            )));
        }
        Ok(())
    }

    /// Takes the plan's records out of the inputs, by worker.
    fn take(
        &mut self,
        state: &mut State,
        valid: &ValidPlan,
        context: Context,
    ) -> Result<(Vec<EpochInput>, Vec<Dead>, u64), Failure> {
        let at = (valid.era, valid.plan.epoch);
        let rows = self.mark.as_ref().is_some_and(|mark| at > (mark.era, mark.epoch));
        let mut inputs: Vec<_> = (0..self.share.workers)
            .map(|_| EpochInput {
                context,
                customers: Vec::new(),
                products: Vec::new(),
                rows,
                save: false,
                spare: Default::default(),
            })
            .collect();
        for message in self.left.drain(..) {
            let group = message.body.group();
            if let Some(worker) = self.share.here(group) {
                inputs[worker].customers.push(message);
            }
        }
        let (mut dead, mut records) = (Vec::new(), 0);
        for cut in &valid.plan.cut {
            let index = input_of(cut.topic, cut.partition)
                .ok_or_else(|| Failure::Bug(format!("I13: epoch {} cuts no input", at.1)))?;
            let partition = &mut state.inputs[index];
            if cut.end < partition.planned {
                return Err(Failure::Bug(format!("I13: epoch {} cuts backwards", at.1)));
            }
            while partition.waiting.front().is_some_and(|input| input.offset < cut.end) {
                let input = partition.waiting.pop_front().expect("looked at above");
                records += 1;
                partition.planned_at = Some(input.appended_at);
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
                if let Some(worker) = self.share.here(group) {
                    inputs[worker].customers.push(message);
                }
            }
            Action::Product(group, message) => {
                if let Some(worker) = self.share.here(group) {
                    inputs[worker].products.push(message);
                }
            }
            Action::Warehouse(cause, cause_id, event) => {
                for input in inputs {
                    let body = ProductMessage::Warehouse(event.clone());
                    input.products.push(ToProduct { cause, cause_id, body });
                }
            }
            Action::Dead(letter) if self.share.is_head() => dead.push(*letter),
            Action::Dead(_) => {}
        }
    }
}

/// A record that a valid plan took is part of what was decided here, so the word says nothing here:
/// unless it stands before a claim of a next era, of which a start knows that `skips` the record.
fn set_aside(state: &mut State, skip: RecordSkipped, skips: &BTreeSet<(usize, u64)>) {
    let RecordSkipped { topic, partition, offset } = skip;
    match input_of(topic, partition) {
        Some(index) if offset >= state.inputs[index].planned => {
            state.skips.insert((index, offset));
        }
        Some(index) if skips.contains(&(index, offset)) => {}
        Some(_) => tracing::warn!(?skip, "void: a plan has taken this record already"),
        None => tracing::warn!(?skip, "void: there is no such input"),
    }
}

fn context(valid: &ValidPlan) -> Result<Context, Failure> {
    let ValidPlan { now, before, deadline, rules_version, .. } = *valid;
    let rules = rules_of(rules_version)?;
    Ok(Context { epoch: valid.plan.epoch, now, before, deadline, rules })
}
