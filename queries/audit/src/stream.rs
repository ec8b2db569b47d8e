//! The log as a sequence of epochs: what each plan took in, and what was decided of it.
//!
//! The reader hands records on in about the order in which they were appended. An epoch's outputs
//! are put together from all partitions, and the epoch is handed on when outputs of epochs well
//! behind it were seen, or the log ends; so what is held is a few epochs. Of an output partition's
//! records those count whose id is newer than all before it: the contract of every reader.
//!
//! A log that is being written has no end. There an epoch is over when an output of a later one was
//! seen, as one publisher appends epoch by epoch, and waits for each; or, if nothing more comes of
//! it, when plans have gone on for a while.

use crate::AuditError;
use crate::decoding::Decoding;
use crate::plans::{Planned, Plans};
use crate::verdicts::{Example, Invariant, Place, Verdicts};
use schemas::codec::DecodeError;
use schemas::envelope::Envelope;
use schemas::events::Event;
use schemas::hash::Hasher;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{EventLog, OutputId, Reader, Record};
use sinks::schema_registry::Schemas;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

const READ_BYTES: usize = 8 << 20;
/// Epochs behind which outputs are no longer expected: more than are ever on their way at once.
const WINDOW: u64 = 32;
/// Beside a writer: how long after an epoch's plan its outputs are there, unless later ones show
/// that they are, in milliseconds of append time.
const QUIET_MS: i64 = 1_000;
/// How long input may wait while somebody plans, in milliseconds.
const WAIT_MAX_MS: i64 = 10_000;
/// Seeds the hash of an output.
const OUTPUT: u64 = 11;

/// A record that was asked.
pub(crate) struct Input {
    pub(crate) place: Place,
    pub(crate) appended_at: Timestamp,
    pub(crate) event: Result<(Envelope, Event), DecodeError>,
}

/// A record that was decided.
pub(crate) struct Output {
    pub(crate) place: Place,
    pub(crate) envelope: Envelope,
    pub(crate) event: Event,
}

/// One plan, what it took in and what came of it.
pub(crate) struct Epoch {
    pub(crate) number: u64,
    pub(crate) era: u32,
    pub(crate) hash: EventId,
    pub(crate) now: Timestamp,
    pub(crate) deadline: Timestamp,
    planned_at: Timestamp,
    pub(crate) inputs: Vec<Input>,
    /// By output partition, then id.
    pub(crate) outputs: Vec<Output>,
    /// For each input partition, the first offset no plan up to here took.
    pub(crate) applied: Vec<u64>,
}

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
    reader: Box<dyn Reader>,
    records: VecDeque<Record>,
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
    tails: HashMap<TopicPartition, OutputId>,
    /// Hashes of the outputs of the last epochs: whoever repeats one says the same.
    recent: BTreeMap<(OutputId, TopicPartition), u64>,
    last_output: u64,
    handed_on: u64,
    pub(crate) read: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn open(log: &dyn EventLog, schemas: &'a Schemas) -> Result<Self, AuditError> {
        let all: Vec<_> =
            Topic::ALL.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0)).collect();
        Ok(Self {
            decoding: Decoding::new(schemas),
            reader: log.reader(&all)?,
            records: VecDeque::new(),
            beside: false,
            ended: false,
            planned_at: Timestamp::MIN,
            plans: Plans::default(),
            waiting: TopicPartition::inputs().map(|_| Waiting::default()).collect(),
            unread: VecDeque::new(),
            epochs: BTreeMap::new(),
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
    pub(crate) fn beside(log: &dyn EventLog, schemas: &'a Schemas) -> Result<Self, AuditError> {
        Ok(Self { beside: true, ..Self::open(log, schemas)? })
    }

    /// Blocks until there may be more, or `timeout` is over.
    pub(crate) fn wait(&mut self, timeout: Duration) {
        self.reader.wait(timeout);
    }

    fn is_over(&self, epoch: &Epoch) -> bool {
        let read = self.ended && self.records.is_empty();
        if !self.beside {
            return read || epoch.number + WINDOW < self.last_output;
        }
        let quiet = read && epoch.planned_at.plus_ms(QUIET_MS) <= self.planned_at;
        epoch.number < self.last_output || quiet
    }

    /// The next epoch; none when the log ends, or none is over yet. `seen` is shown every input, planned or not.
    pub(crate) fn next(
        &mut self,
        verdicts: &mut Verdicts,
        seen: &mut dyn FnMut(&Input),
    ) -> Result<Option<Epoch>, AuditError> {
        loop {
            if self.epochs.first_key_value().is_some_and(|(_, epoch)| self.is_over(epoch)) {
                let epoch = self.epochs.pop_first().map(|(_, epoch)| epoch);
                return Ok(epoch.map(|epoch| self.hand_on(epoch)));
            }
            if let Some(record) = self.records.pop_front() {
                self.take(&record, verdicts, seen)?;
                continue;
            }
            if self.ended && !self.beside {
                return Ok(None);
            }
            self.reach(verdicts);
            let mut records = Vec::new();
            self.reader.read(READ_BYTES, &mut records)?;
            let more = !records.is_empty();
            let was_ended = std::mem::replace(&mut self.ended, !more);
            self.records.extend(records);
            if self.beside && was_ended && !more {
                return Ok(None);
            }
            if self.ended && !self.beside {
                // What a plan took and nobody appended: opened without it, and judged so.
                while let Some(planned) = self.unread.pop_front() {
                    self.open_epoch(&planned, verdicts);
                }
            }
        }
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
        record: &Record,
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
            self.plan(place, record, verdicts)?;
        } else {
            self.output(place, record, verdicts)?;
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
            planned_at: planned.appended_at,
            inputs,
            outputs: Vec::new(),
            applied: self.waiting.iter().map(|waiting| waiting.planned).collect(),
        };
        self.epochs.insert(planned.epoch, epoch);
    }

    /// While a generation is in force and input waits, plans come.
    fn pace(&self, planned: &Planned, verdicts: &mut Verdicts) {
        let oldest = self
            .waiting
            .iter()
            .filter_map(|waiting| waiting.inputs.front())
            .map(|input| input.appended_at)
            .min();
        let Some(oldest) = oldest.filter(|oldest| *oldest < planned.appended_at) else { return };
        let waited_ms = planned.appended_at.0 - oldest.max(planned.waited_since).0;
        verdicts.check(Invariant::I17, waited_ms <= WAIT_MAX_MS, || {
            let key = format!("epoch {}", planned.epoch);
            let expected = format!("a plan within {WAIT_MAX_MS} ms");
            Example::new(key, expected, format!("{waited_ms} ms"), Some(planned.place))
        });
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
            if oldest.key().0.epoch + WINDOW >= id.epoch {
                break;
            }
            oldest.remove();
        }
    }

    fn output(
        &mut self,
        place: Place,
        record: &Record,
        verdicts: &mut Verdicts,
    ) -> Result<(), AuditError> {
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
