//! Writes a history to a log, with its plans.

use super::history::{BEGIN, Step};
use crate::plan::PlanTopic;
use bytes::Bytes;
use machines::rules::Rules;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::epochs::{Cut, EpochPlanned, GenerationClaimed, Settings};
use schemas::id::EventId;
use schemas::topic::{GROUPS, PARTITIONS, Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(500);
const TIMEOUT_MS: i64 = 5_000;
/// Before this epoch all stands still for so long that what was settled is past.
pub(super) const EPOCH_BEHIND_PAUSE: u64 = 45;
const PAUSE: Duration = Duration::from_hours(8 * 24);

/// How a history is laid on the log: all of it leaves partitions and append times as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dealt {
    /// Records an append holds.
    pub batch: usize,
    /// Turns the order of the partitions within a step.
    pub arrival: usize,
}

/// Writes steps to a log, each with its plan; can be carried on.
pub(super) struct Scribe {
    rules: Rules,
    clock: Clock,
    codec: Codec,
    plans: PlanTopic,
    plan_offset: u64,
    ends: BTreeMap<TopicPartition, u64>,
}

impl Scribe {
    pub(super) fn new() -> Self {
        Self::under(Rules::NEWEST)
    }

    /// One whose plans are decided by these rules.
    pub(super) fn under(rules: Rules) -> Self {
        Self {
            rules,
            clock: Clock::manual(BEGIN),
            codec: Codec::compiled(),
            plans: PlanTopic::default(),
            plan_offset: 0,
            ends: BTreeMap::new(),
        }
    }

    /// Appends these steps to the log in `dir`.
    pub(super) fn write(&mut self, dir: &Path, steps: &[Step], dealt: Dealt) {
        let log = FileLog::open(dir, self.clock.clone(), Durability::NotDurable).unwrap();
        if self.plans.in_force().is_none() {
            self.claim(&log);
        }
        for step in steps {
            let pauses = self.plans.epoch() + 1 == EPOCH_BEHIND_PAUSE;
            self.clock.advance(if pauses { PAUSE } else { STEP });
            let mut records = step.clone();
            // Stable: the order within a partition stays.
            records.sort_by_key(|record| {
                let partition = usize::from(record.partition.partition);
                (partition + dealt.arrival * 7) % usize::from(PARTITIONS)
            });
            for batch in records.chunks(dealt.batch) {
                for (record, answer) in batch.iter().zip(log.append(batch.to_vec()).wait()) {
                    self.ends.insert(record.partition, answer.unwrap().offset + 1);
                }
            }
            self.clock.advance(Duration::from_millis(1));
            self.plan(&log);
        }
        log.close();
    }

    fn claim(&mut self, log: &FileLog) {
        let claim = GenerationClaimed {
            claim_id: EventId([7; 16]),
            follows: -1,
            era: 0,
            rules_version: self.rules.version(),
            groups: GROUPS.into(),
            partitions: PARTITIONS.into(),
            settings: Settings { reservation_timeout_ms: TIMEOUT_MS },
        };
        self.append_plan(log, claim.into());
    }

    fn plan(&mut self, log: &FileLog) {
        let cut = self
            .ends
            .iter()
            .map(|(at, end)| Cut { topic: at.topic as u8, partition: at.partition, end: *end })
            .collect();
        let plan = EpochPlanned {
            generation: self.plans.generation().unsigned_abs(),
            epoch: self.plans.epoch() + 1,
            previous: self.plans.previous(),
            planner_ms: self.clock.now(),
            bound_ms: self.clock.now(),
            cut,
            digests: Vec::new(),
            held: Vec::new(),
        };
        self.append_plan(log, plan.into());
    }

    fn append_plan(&mut self, log: &FileLog, event: Event) {
        let mut value = Vec::new();
        self.codec.encode_bare(&event, &mut value);
        let record = NewRecord {
            partition: TopicPartition { topic: Topic::Epochs, partition: 0 },
            key: Bytes::new(),
            value: value.clone().into(),
            output_id: None,
        };
        log.append(vec![record]).wait().remove(0).unwrap();
        self.plans.read(self.plan_offset, self.clock.now(), &value, event);
        self.plan_offset += 1;
    }
}
