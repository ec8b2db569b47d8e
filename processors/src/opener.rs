//! The opener: one thread that reads the plan topic back and opens the epochs that valid plans
//! say, and nothing else. The planner's own plans come back to it here like anybody's.

use crate::epoch::{Action, Dead, EpochInfo, EpochInput};
use crate::hub::{Hub, State};
use crate::plan::{Read, ValidPlan};
use machines::message::{Context, ProductMessage, ToProduct};
use schemas::codec::Codec;
use schemas::events::epochs::Cut;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{Reader, Record};
use sinks::view_store::Mark;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
const WAIT_MAX: Duration = Duration::from_millis(100);
const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// Opens epochs until told to stop.
pub struct Opener {
    hub: Arc<Hub>,
    codec: Arc<Codec>,
    workers: usize,
    /// Where the view store stands: rows up to there are not wanted.
    mark: Arc<Mark>,
    applied: Vec<u64>,
}

impl Opener {
    /// An opener for this many workers, over views that stand at `mark`.
    #[must_use]
    pub fn new(hub: Arc<Hub>, codec: Arc<Codec>, workers: usize, mark: Arc<Mark>) -> Self {
        let applied = vec![0; TopicPartition::inputs().count()];
        Self { hub, codec, workers, mark, applied }
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
            Err(error) => {
                tracing::warn!(offset = record.offset, %error, "void record on the plan topic");
                return Ok(true);
            }
        };
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        match state.plans.read(record.offset, record.appended_at, &record.value, event) {
            Read::Planned(valid) => {
                state.expect_digests(&valid.plan.digests)?;
                return self.open(&hub, state, &valid);
            }
            Read::Drain(generation) => state.drained = Some(generation),
            Read::TimeAccepted(wall) => state.time_accepted = Some(wall),
            Read::Claimed(claim) => {
                tracing::info!(generation = record.offset, era = claim.era, "claim in force");
            }
            Read::Skip(_) => return Err(SKIP_IS_LATER.to_owned()),
            Read::Void => tracing::warn!(offset = record.offset, "void plan or claim"),
        }
        hub.notify();
        Ok(true)
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
            let short = valid.plan.cut.iter().any(|cut| {
                input_of(cut).is_some_and(|index| state.inputs[index].reached < cut.end)
            });
            if !short && state.may_open() {
                break;
            }
            if short && !state.reading_short {
                state.reading_short = true;
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
            let index =
                input_of(cut).ok_or_else(|| format!("epoch {} cuts no input", valid.plan.epoch))?;
            let partition = &mut state.inputs[index];
            if cut.end < partition.planned {
                return Err(format!("I13: epoch {} cuts backwards", valid.plan.epoch));
            }
            while partition.waiting.front().is_some_and(|input| input.offset < cut.end) {
                let input = partition.waiting.pop_front().expect("looked at above");
                records += 1;
                self.route(input.action, &mut inputs, &mut dead);
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

const SKIP_IS_LATER: &str = "a record on the plan topic asks to skip a record, which this build \
                             cannot do; run a build that can";

fn context(valid: &ValidPlan) -> Context {
    Context { epoch: valid.plan.epoch, now: valid.now, deadline: valid.deadline }
}

fn input_of(cut: &Cut) -> Option<usize> {
    let topic = Topic::from_number(cut.topic)?;
    let at = TopicPartition { topic, partition: cut.partition };
    at.input_index().filter(|_| cut.partition < topic.partitions())
}
