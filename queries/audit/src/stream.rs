//! The log as a sequence of epochs: what each plan took in, and what was decided of it.
//!
//! Partitions are read each in its order. An epoch's outputs are put together from all of them, and
//! the epoch is handed on when all are past it (`unsorted`); so what is held is what the reader
//! gives of some partitions before others. Of an output partition's records those count whose id is
//! newer than all before it: the contract of every reader.
//!
//! A log that is being written has no end. There an epoch is whole when an output of a later one was
//! seen, as one publisher appends epoch by epoch, and waits for each; or, if nothing more comes of
//! it, when plans have gone on for a while. How far a publisher is behind the plans nobody knows:
//! where inputs were planned of which no output was seen, it is taken to be at work.

use crate::AuditError;
use crate::decoding::Decoding;
use crate::epoch::{Epoch, Input, Output};
use crate::pace;
use crate::plans::{Planned, Plans};
use crate::unsorted::{Newest, Unsorted};
use crate::verdicts::{Example, Invariant, Place, Verdicts};
use schemas::codec::DecodeError;
use schemas::hash::Hasher;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{EventLog, OutputId, Reader, Record};
use sinks::schema_registry::Schemas;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

const READ_BYTES: usize = 8 << 20;
/// Epochs in which whoever repeats an output is compared with what stands there already.
const REPEATS: u64 = 32;
/// Beside a writer: how long after an epoch's plan, and after the last output, no more outputs come,
/// in milliseconds of append time.
const QUIET_MS: i64 = 1_000;
/// The same while outputs are owed: not all that comes in has any.
const OWED_QUIET_MS: i64 = 10_000;
/// Seeds the hash of an output.
const OUTPUT: u64 = 11;

/// What waits on one input partition for a plan.
#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Input>,
    reached: u64,
    planned: u64,
}

/// Reads the log from its start.
pub(crate) struct Stream<'a> {
    pub(crate) decoding: Decoding<'a>,
    log: &'a dyn EventLog,
    reader: Box<dyn Reader>,
    unsorted: Unsorted,
    /// Whether somebody is writing the log.
    beside: bool,
    /// Whether all that is there now was read.
    ended: bool,
    /// Of the last plan.
    planned_at: Timestamp,
    plans: Plans,
    waiting: Vec<Waiting>,
    /// Plans whose records are not all read yet.
    unread: VecDeque<Planned>,
    epochs: BTreeMap<u64, Epoch>,
    /// The newest epoch that was opened.
    opened: u64,
    tails: HashMap<TopicPartition, OutputId>,
    /// Hashes of the outputs of the last epochs: whoever repeats one says the same.
    recent: BTreeMap<(OutputId, TopicPartition), u64>,
    last_output: u64,
    handed_on: u64,
    pub(crate) read: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn open(log: &'a dyn EventLog, schemas: &'a Schemas) -> Result<Self, AuditError> {
        Self::over(log, schemas, false)
    }

    fn over(log: &'a dyn EventLog, schemas: &'a Schemas, beside: bool) -> Result<Self, AuditError> {
        let whole = if beside { 0 } else { u64::MAX };
        let all: Vec<_> =
            Topic::ALL.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0)).collect();
        Ok(Self {
            decoding: Decoding::new(schemas),
            log,
            unsorted: Unsorted::open(log, whole)?,
            reader: log.reader(&all)?,
            beside,
            ended: false,
            planned_at: Timestamp::MIN,
            plans: Plans::default(),
            waiting: TopicPartition::inputs().map(|_| Waiting::default()).collect(),
            unread: VecDeque::new(),
            epochs: BTreeMap::new(),
            opened: 0,
            tails: HashMap::new(),
            recent: BTreeMap::new(),
            last_output: 0,
            handed_on: 0,
            read: 0,
        })
    }

    /// The last epoch that is known to have been decided; later ones were only planned.
    pub(crate) fn decided(&self) -> u64 {
        self.last_output.max(self.plans.digested())
    }

    /// The same of a log that is being written.
    pub(crate) fn beside(log: &'a dyn EventLog, schemas: &'a Schemas) -> Result<Self, AuditError> {
        Self::over(log, schemas, true)
    }

    /// Blocks until there may be more, or `timeout` is over.
    pub(crate) fn wait(&mut self, timeout: Duration) {
        self.reader.wait(timeout);
    }

    /// The newest epoch whose outputs are all on a log that is being written.
    fn whole(&self) -> u64 {
        let Newest { epoch: newest, appended_at } = self.unsorted.newest;
        let owes = |epoch: &Epoch| epoch.number > newest && !epoch.inputs.is_empty();
        let owed = self.epochs.values().any(owes) || !self.unread.is_empty();
        let quiet_ms = if owed { OWED_QUIET_MS } else { QUIET_MS };
        let quiet =
            |epoch: &&Epoch| epoch.planned_at.max(appended_at).plus_ms(quiet_ms) <= self.planned_at;
        let quiet = self.epochs.values().take_while(quiet).last();
        quiet.map_or(0, |epoch| epoch.number).max(newest.saturating_sub(1))
    }

    /// The next epoch; none when the log ends, or none is over yet. `seen` is shown every input, planned or not.
    pub(crate) fn next(
        &mut self,
        verdicts: &mut Verdicts,
        seen: &mut dyn FnMut(&Input),
    ) -> Result<Option<Epoch>, AuditError> {
        loop {
            while let Some(record) = self.unsorted.pop(self.opened) {
                self.output(&record, verdicts)?;
            }
            if let Some(first) = self.epochs.first_entry()
                && self.unsorted.are_past(*first.key(), &*self.reader)
            {
                let epoch = first.remove();
                return Ok(Some(self.hand_on(epoch)));
            }
            if self.ended && !self.beside {
                return Ok(None);
            }
            let was_ended = self.ended;
            self.read(verdicts, seen)?;
            if self.ended && self.beside {
                if was_ended {
                    return Ok(None);
                }
                self.unsorted.look(self.log, self.whole())?;
            }
            if self.ended && !self.beside {
                // What a plan took and nobody appended: opened without it, and judged so.
                while let Some(planned) = self.unread.pop_front() {
                    self.open_epoch(&planned, verdicts);
                }
                // What no plan tells of is taken in, and judged so.
                self.opened = u64::MAX;
            }
        }
    }

    /// Takes in what comes next.
    fn read(
        &mut self,
        verdicts: &mut Verdicts,
        seen: &mut dyn FnMut(&Input),
    ) -> Result<(), AuditError> {
        let mut records = Vec::new();
        self.reader.read(READ_BYTES, &mut records)?;
        self.ended = records.is_empty();
        for record in records {
            self.take(record, verdicts, seen)?;
        }
        self.reach(verdicts);
        Ok(())
    }

    fn hand_on(&mut self, mut epoch: Epoch) -> Epoch {
        self.handed_on = epoch.number;
        // Stable, and ids grow within a partition.
        epoch.outputs.sort_by_key(|output| output.place.partition);
        epoch
    }

    /// All that was read is taken in: partitions stand where the reader does, behind gaps too.
    fn reach(&mut self, verdicts: &mut Verdicts) {
        for (partition, waiting) in TopicPartition::inputs().zip(&mut self.waiting) {
            waiting.reached = waiting.reached.max(self.reader.position(partition));
        }
        self.open_read(verdicts);
    }

    fn take(
        &mut self,
        record: Record,
        verdicts: &mut Verdicts,
        seen: &mut dyn FnMut(&Input),
    ) -> Result<(), AuditError> {
        self.read += 1;
        let place = Place { partition: record.partition, offset: record.offset };
        if let Some(index) = record.partition.input_index() {
            let event = self.decoding.decode(&record.value);
            let input = Input { place, appended_at: record.appended_at, event };
            seen(&input);
            let waiting = &mut self.waiting[index];
            waiting.reached = record.offset + 1;
            waiting.inputs.push_back(input);
        } else if record.partition.topic == Topic::Epochs {
            self.plan(place, &record, verdicts)?;
        } else {
            self.unsorted.push(record);
        }
        self.open_read(verdicts);
        Ok(())
    }

    /// Opens the epochs whose records are read.
    fn open_read(&mut self, verdicts: &mut Verdicts) {
        while self.unread.front().is_some_and(|planned| self.is_read(planned)) {
            if let Some(planned) = self.unread.pop_front() {
                self.open_epoch(&planned, verdicts);
            }
        }
    }

    fn plan(
        &mut self,
        place: Place,
        record: &Record,
        verdicts: &mut Verdicts,
    ) -> Result<(), AuditError> {
        let event = match self.decoding.decode_bare(&record.value) {
            Ok(event) => event,
            Err(DecodeError::UnknownSchema(schema)) => {
                return Err(self.decoding.unknown(place, schema));
            }
            // What cannot be decoded on the plan topic is void for every reader.
            Err(_) => return Ok(()),
        };
        let planned = self.plans.read(place, record.appended_at, &record.value, event, verdicts);
        if planned.is_some() {
            self.planned_at = record.appended_at;
        }
        self.unread.extend(planned);
        Ok(())
    }

    fn is_read(&self, planned: &Planned) -> bool {
        planned.cut.iter().all(|cut| {
            index(cut.topic, cut.partition).is_none_or(|at| self.waiting[at].reached >= cut.end)
        })
    }

    fn open_epoch(&mut self, planned: &Planned, verdicts: &mut Verdicts) {
        self.pace(planned, verdicts);
        let mut inputs = Vec::new();
        for cut in &planned.cut {
            let at = index(cut.topic, cut.partition);
            let ahead = at.is_some_and(|at| self.waiting[at].planned < cut.end);
            verdicts.check(Invariant::I13, ahead, || {
                let (topic, partition, end) = (cut.topic, cut.partition, cut.end);
                let found = format!("topic {topic}, partition {partition}, to {end}");
                let key = format!("epoch {}", planned.epoch);
                Example::new(key, "a cut that moves on", found, Some(planned.place))
            });
            let Some(at) = at else { continue };
            let waiting = &mut self.waiting[at];
            while waiting.inputs.front().is_some_and(|input| input.place.offset < cut.end) {
                inputs.extend(waiting.inputs.pop_front());
            }
            waiting.planned = waiting.planned.max(cut.end);
        }
        let epoch = Epoch {
            number: planned.epoch,
            era: planned.era,
            hash: planned.hash,
            now: planned.now,
            deadline: planned.deadline,
            rules_version: planned.rules_version,
            planned_at: planned.appended_at,
            inputs,
            outputs: Vec::new(),
            applied: self.waiting.iter().map(|waiting| waiting.planned).collect(),
        };
        self.opened = planned.epoch;
        self.epochs.insert(planned.epoch, epoch);
    }

    /// While a generation is in force and input waits, plans come.
    fn pace(&self, planned: &Planned, verdicts: &mut Verdicts) {
        let first = self.waiting.iter().filter_map(|waiting| waiting.inputs.front());
        let oldest = first.map(|input| input.appended_at).min();
        let Some(oldest) = oldest.filter(|oldest| *oldest < planned.appended_at) else { return };
        let inputs = || self.waiting.iter().flat_map(|waiting| &waiting.inputs);
        pace::judge(planned, oldest, || inputs().map(|i| i.appended_at).collect(), verdicts);
    }

    /// An output that stands there already: it counts for nothing, but a process that should be
    /// dead can only repeat what the living one said.
    fn repeated(&self, place: Place, id: OutputId, record: &Record, verdicts: &mut Verdicts) {
        let Some(known) = self.recent.get(&(id, record.partition)) else { return };
        verdicts.check(Invariant::I16, *known == hash_of(record), || {
            let key = format!("output {}.{} of {}", id.epoch, id.n, record.partition);
            Example::new(key, "the same bytes again", "other bytes", Some(place))
        });
    }

    fn remember(&mut self, id: OutputId, record: &Record) {
        self.recent.insert((id, record.partition), hash_of(record));
        while let Some(oldest) = self.recent.first_entry() {
            if oldest.key().0.epoch + REPEATS >= id.epoch {
                break;
            }
            oldest.remove();
        }
    }

    fn output(&mut self, record: &Record, verdicts: &mut Verdicts) -> Result<(), AuditError> {
        let place = Place { partition: record.partition, offset: record.offset };
        let Some(id) = record.output_id else {
            verdicts.check(Invariant::I11, false, || {
                Example::new(place, "an output with its id", "none", Some(place))
            });
            return Ok(());
        };
        let tail = self.tails.get(&record.partition).copied();
        if tail.is_some_and(|tail| id <= tail) {
            self.repeated(place, id, record, verdicts);
            return Ok(());
        }
        self.remember(id, record);
        let next = match tail {
            Some(tail) if tail.epoch == id.epoch => tail.n + 1,
            Some(_) | None => 0,
        };
        self.tails.insert(record.partition, id);
        self.last_output = self.last_output.max(id.epoch);
        verdicts.check(Invariant::I13, id.n == next, || {
            Example::new(
                place,
                format_args!("{}.{next}", id.epoch),
                format_args!("{}.{}", id.epoch, id.n),
                Some(place),
            )
        });
        let (envelope, event) = match self.decoding.decode(&record.value) {
            Ok(decoded) => decoded,
            Err(DecodeError::UnknownSchema(schema)) => {
                return Err(self.decoding.unknown(place, schema));
            }
            Err(error) => {
                verdicts.check(Invariant::I11, false, || {
                    Example::new(place, "an output that can be read", error, Some(place))
                });
                return Ok(());
            }
        };
        let Some(epoch) = self.epochs.get_mut(&id.epoch) else {
            let (invariant, expected) = if id.epoch <= self.handed_on {
                (Invariant::I13, "outputs by epoch")
            } else {
                (Invariant::I11, "outputs of epochs that were planned")
            };
            verdicts.check(invariant, false, || {
                Example::new(place, expected, format_args!("epoch {}", id.epoch), Some(place))
            });
            return Ok(());
        };
        verdicts.check(Invariant::I13, envelope.occurred_at == epoch.now, || {
            Example::new(place, epoch.now.rfc3339(), envelope.occurred_at.rfc3339(), Some(place))
        });
        epoch.outputs.push(Output { place, envelope, event });
        Ok(())
    }
}

fn hash_of(record: &Record) -> u64 {
    Hasher::new(OUTPUT).bytes(&record.key).bytes(&record.value).finish()
}

fn index(topic: u8, partition: u16) -> Option<usize> {
    let topic = Topic::from_number(topic)?;
    let at = TopicPartition { topic, partition };
    at.input_index().filter(|_| partition < topic.partitions())
}
