//! Writes a log by hand: claims, plans, actions and decisions, as the engine would.

use bytes::Bytes;
use schemas::envelope::{Envelope, Role};
use schemas::events::Event;
use schemas::events::epochs::{Cut, EpochDigest, EpochPlanned, GenerationClaimed, Settings};
use schemas::hash::hash128;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, OutputId};
use sinks::schema_registry::Schemas;
use sinks::view_store::Mark;
use sinks::view_store::rows::TimelineEntry;
use std::collections::HashMap;
use std::time::Duration;
use tempfile::TempDir;

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };
/// When the stories begin.
pub(super) const START: Timestamp = Timestamp(1_800_000_000_000);
/// How long a reservation holds.
pub(super) const TIMEOUT_MS: i64 = 60_000;

/// A hand that writes a log.
pub(super) struct Scribe {
    pub(super) log: FileLog,
    pub(super) clock: Clock,
    pub(super) schemas: Schemas,
    _dir: TempDir,
    generation: u64,
    claim: Vec<u8>,
    plan: Vec<u8>,
    pub(super) epoch: u64,
    pub(super) now: Timestamp,
    ends: Vec<u64>,
    planned: Vec<u64>,
    ids: HashMap<TopicPartition, u32>,
    events: u64,
    /// Each order event, for the rows of the timeline: epoch and entry.
    pub(super) told: Vec<(Event, u64, TimelineEntry)>,
    places: HashMap<EventId, (TopicPartition, u64)>,
}

impl Scribe {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START);
        let log = FileLog::open(dir.path(), clock.clone(), Durability::NotDurable).unwrap();
        let inputs = TopicPartition::inputs().count();
        let mut scribe = Self {
            log,
            clock,
            schemas: Schemas::embedded(),
            _dir: dir,
            generation: 0,
            claim: Vec::new(),
            plan: Vec::new(),
            epoch: 0,
            now: START,
            ends: vec![0; inputs],
            planned: vec![0; inputs],
            ids: HashMap::new(),
            events: 0,
            told: Vec::new(),
            places: HashMap::new(),
        };
        scribe.claim(-1);
        scribe
    }

    fn claim(&mut self, follows: i64) {
        let claim = GenerationClaimed {
            claim_id: EventId([9; 16]),
            follows,
            era: 0,
            rules_version: 1,
            groups: 1024,
            partitions: 16,
            settings: Settings { reservation_timeout_ms: TIMEOUT_MS },
        };
        self.claim = self.bare(&claim.into());
        self.generation = self.append(EPOCHS, self.claim.clone(), None);
    }

    pub(super) fn wait_ms(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    fn bare(&self, event: &Event) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.schemas.codec.encode_bare(event, &mut bytes);
        bytes
    }

    pub(super) fn append(
        &mut self,
        partition: TopicPartition,
        value: Vec<u8>,
        output_id: Option<OutputId>,
    ) -> u64 {
        let record = NewRecord { partition, key: Bytes::new(), value: value.into(), output_id };
        self.log.append(vec![record]).wait()[0].clone().unwrap().offset
    }

    /// An action of this key group; gives its event id.
    pub(super) fn ask(&mut self, group: u16, event: impl Into<Event>) -> EventId {
        self.events += 1;
        let id = EventId(hash128(77, &self.events.to_be_bytes()));
        self.ask_as(id, group, event);
        id
    }

    pub(super) fn ask_as(&mut self, id: EventId, group: u16, event: impl Into<Event>) {
        let event = event.into();
        let at = TopicPartition::of_group(event.kind().topic(), group);
        let envelope = envelope(id, id, self.clock.now());
        let mut value = Vec::new();
        self.schemas.codec.encode(&envelope, &event, &mut value);
        let offset = self.append(at, value, None);
        self.places.insert(id, (at, offset));
        self.ends[at.input_index().unwrap()] = offset + 1;
    }

    /// The log takes this action once more, from one sending.
    pub(super) fn taken_twice(&mut self, id: EventId) {
        let (at, offset) = self.places[&id];
        let mut records = Vec::new();
        self.log.reader(&[(at, offset)]).unwrap().read(1, &mut records).unwrap();
        let offset = self.append(at, records.remove(0).value.to_vec(), None);
        self.ends[at.input_index().unwrap()] = offset + 1;
    }

    /// A customer's action with a schema that nobody here knows.
    pub(super) fn ask_unreadably(&mut self, group: u16, schema: u32) {
        let at = TopicPartition::of_group(Topic::CustomerActions, group);
        let value = [&[0], &schema.to_be_bytes()[..], &[1, 2, 3]].concat();
        let offset = self.append(at, value, None);
        self.ends[at.input_index().unwrap()] = offset + 1;
    }

    /// Plans all that was asked.
    pub(super) fn plan(&mut self) -> Vec<u8> {
        self.plan_with(Vec::new())
    }

    pub(super) fn plan_with(&mut self, digests: Vec<EpochDigest>) -> Vec<u8> {
        let mut before = (self.plan.len() as u64).to_be_bytes().to_vec();
        before.extend_from_slice(&self.plan);
        before.extend_from_slice(&self.claim);
        self.epoch += 1;
        self.now = self.clock.now();
        let moved = TopicPartition::inputs()
            .enumerate()
            .filter(|(at, _)| self.ends[*at] > self.planned[*at]);
        let cut = |(at, place): (usize, TopicPartition)| Cut {
            topic: place.topic as u8,
            partition: place.partition,
            end: self.ends[at],
        };
        let plan = EpochPlanned {
            generation: self.generation,
            epoch: self.epoch,
            previous: EventId(hash128(2, &before)),
            planner_ms: self.now,
            bound_ms: self.now,
            cut: moved.map(cut).collect(),
            digests,
            held: Vec::new(),
        };
        self.planned.clone_from(&self.ends);
        self.plan = self.bare(&plan.into());
        self.append(EPOCHS, self.plan.clone(), None);
        self.plan.clone()
    }

    pub(super) fn append_plan(&mut self, bytes: Vec<u8>) {
        self.append(EPOCHS, bytes, None);
    }

    /// A decision of this epoch.
    pub(super) fn decide(&mut self, group: u16, cause: EventId, event: Event) {
        self.events += 1;
        let event_id = EventId(hash128(78, &self.events.to_be_bytes()));
        let envelope = envelope(event_id, cause, self.now);
        self.decide_as(group, &envelope, event, 0);
    }

    /// A decision with an envelope of its own, `skipped` ids on.
    pub(super) fn decide_as(
        &mut self,
        group: u16,
        envelope: &Envelope,
        event: Event,
        skipped: u32,
    ) {
        let at = TopicPartition::of_group(event.kind().topic(), group);
        let n = self.ids.entry(at).or_default();
        *n += skipped;
        let id = OutputId { epoch: self.epoch, n: *n };
        *n += 1;
        let mut value = Vec::new();
        self.schemas.codec.encode(envelope, &event, &mut value);
        self.append(at, value, Some(id));
        let entry = TimelineEntry {
            at: envelope.occurred_at,
            event: crate::timeline::snake_case(event.kind().name()).into(),
            event_id: envelope.event_id,
            cause_id: envelope.causation_id,
            position: self.places.get(&envelope.causation_id).copied(),
        };
        self.told.push((event, self.epoch, entry));
    }

    /// Ids count anew in each epoch.
    pub(super) fn next_epoch(&mut self, ms: u64) {
        self.ids.clear();
        self.wait_ms(ms);
        self.plan();
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            era: 0,
            epoch: self.epoch,
            plan_hash: EventId(hash128(3, &self.plan)),
            now: self.now,
            applied: self.planned.clone(),
        }
    }
}

pub(super) fn envelope(event_id: EventId, causation_id: EventId, at: Timestamp) -> Envelope {
    Envelope {
        event_id,
        occurred_at: at,
        role: Role::Engine,
        subject: None,
        causation_id,
        correlation_id: causation_id,
    }
}
