//! The plan topic, read ahead of what is done by it: which claim is in force, what plans have taken,
//! and which records operators' words set aside.
//!
//! A word for a record that no plan has taken is obeyed when one does. For one that is taken, history
//! is *redone*: the words that stand behind the last valid plan before the first claim of a new era
//! are that era's, and whoever starts from then on knows them before it applies the plan.
//!
//! All of it depends on the topic's prefix alone, so who reads as far knows the same.

use crate::checkpoints::manifest::Manifest;
use crate::failure::Failure;
use crate::plan::{PlanTopic, Read};
use schemas::codec::{Codec, DecodeError};
use schemas::events::epochs::{EpochPlanned, RecordSkipped};
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::EventLog;
use std::collections::BTreeSet;
use std::time::Duration;

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };
const READ_BYTES: usize = 1 << 20;
/// How long it is waited at once for what stands on the log already.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// The plan topic up to some offset.
#[derive(Clone, Debug)]
pub struct PlanHistory {
    /// Claims and plans.
    pub plans: PlanTopic,
    read_to: u64,
    /// By [`TopicPartition::input_index`]: what is below is taken by a valid plan.
    planned: Vec<u64>,
    /// Records that are to be set aside when a plan takes them.
    skips: BTreeSet<(usize, u64)>,
    /// Words for records that were taken, behind the last valid plan.
    late: BTreeSet<(usize, u64)>,
    /// The last epoch of which a valid plan says how it ended.
    digested: u64,
    /// The era of the last claim.
    era: u32,
    redone: Vec<Redone>,
}

/// History is redone under an era, without these records that plans had taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Redone {
    /// The era.
    pub era: u32,
    /// By [`TopicPartition::input_index`], and offset.
    pub records: BTreeSet<(usize, u64)>,
}

impl Default for PlanHistory {
    /// Nothing is read yet.
    fn default() -> Self {
        Self {
            plans: PlanTopic::default(),
            read_to: 0,
            planned: vec![0; TopicPartition::inputs().count()],
            skips: BTreeSet::new(),
            late: BTreeSet::new(),
            digested: 0,
            era: 0,
            redone: Vec::new(),
        }
    }
}

impl PlanHistory {
    /// The topic up to its end.
    ///
    /// # Errors
    /// As [`PlanHistory::read_to`].
    pub fn read(log: &dyn EventLog, codec: &Codec) -> Result<Self, Failure> {
        let mut history = Self::default();
        history.read_to(log, codec, log.ends(&[EPOCHS])?[0])?;
        Ok(history)
    }

    /// What a checkpoint knows of the topic.
    pub(crate) fn behind(manifest: &Manifest) -> Self {
        let mut history = Self {
            plans: manifest.plans.clone(),
            read_to: manifest.plans.last_offset() + 1,
            era: manifest.plans.in_force().map_or(0, |force| force.claim.era),
            ..Self::default()
        };
        for position in &manifest.inputs {
            if let Some(index) = position.partition.input_index() {
                history.planned[index] = position.next;
            }
        }
        history
    }

    /// Reads on to this offset, which is no further than the topic's end.
    ///
    /// # Errors
    /// The topic cannot be read; or a record's schema is not known, so that nobody can say which
    /// plans are valid.
    pub fn read_to(&mut self, log: &dyn EventLog, codec: &Codec, end: u64) -> Result<(), Failure> {
        match self.read_while_known(log, codec, end, |_| ())? {
            None => Ok(()),
            Some(schema) => Err(Failure::Fault(format!(
                "{EPOCHS}@{} has the schema id {schema}, which is not known here",
                self.read_to
            ))),
        }
    }

    /// Reads on to this offset, or to a record whose schema is not known: gives its id.
    pub(crate) fn read_while_known(
        &mut self,
        log: &dyn EventLog,
        codec: &Codec,
        end: u64,
        mut with: impl FnMut(&Read),
    ) -> Result<Option<u32>, Failure> {
        let mut reader = log.reader(&[(EPOCHS, self.read_to)])?;
        let mut records = Vec::new();
        while reader.position(EPOCHS) < end {
            reader.read(READ_BYTES, &mut records)?;
            if records.is_empty() {
                reader.wait(WAIT_MAX);
            }
            for record in records.drain(..).filter(|record| record.offset < end) {
                self.read_to = record.offset;
                match codec.decode_bare(&record.value) {
                    Ok(event) => {
                        let at = record.appended_at;
                        let read = self.plans.read(record.offset, at, &record.value, event);
                        self.take_in(&read);
                        with(&read);
                    }
                    Err(DecodeError::UnknownSchema(schema)) => return Ok(Some(schema)),
                    // Void for every reader.
                    Err(
                        DecodeError::Framing(_)
                        | DecodeError::NotOurs { .. }
                        | DecodeError::Body { .. },
                    ) => {}
                }
            }
        }
        self.read_to = self.read_to.max(end);
        Ok(None)
    }

    fn take_in(&mut self, read: &Read) {
        match read {
            Read::Claimed(claim) => self.claimed(claim.era),
            Read::Planned(valid) => self.planned(&valid.plan),
            Read::Skip(skip) => self.skip(*skip),
            Read::Void | Read::Drain(_) | Read::TimeAccepted(_) => {}
        }
    }

    fn claimed(&mut self, era: u32) {
        if era > self.era {
            self.era = era;
            self.redone.push(Redone { era, records: std::mem::take(&mut self.late) });
        }
    }

    fn planned(&mut self, plan: &EpochPlanned) {
        for cut in &plan.cut {
            if let Some(index) = input_of(cut.topic, cut.partition) {
                self.planned[index] = cut.end;
            }
        }
        let planned = &self.planned;
        self.skips.retain(|(index, offset)| *offset >= planned[*index]);
        // Whoever plans goes on without the word.
        self.late.clear();
        let told = plan.digests.iter().map(|digest| digest.epoch).max();
        self.digested = self.digested.max(told.unwrap_or(0));
    }

    fn skip(&mut self, RecordSkipped { topic, partition, offset }: RecordSkipped) {
        let Some(index) = input_of(topic, partition) else { return };
        if offset < self.planned[index] {
            self.late.insert((index, offset));
        } else {
            self.skips.insert((index, offset));
        }
    }

    /// The generation in force, if anybody has claimed.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.plans.in_force().map(|claim| claim.generation)
    }

    /// Whether a valid plan has taken this record of an input.
    #[must_use]
    pub fn is_planned(&self, at: TopicPartition, offset: u64) -> bool {
        at.input_index().is_some_and(|index| self.is_planned_at(index, offset))
    }

    pub(crate) fn is_planned_at(&self, index: usize, offset: u64) -> bool {
        offset < self.planned[index]
    }

    /// The last epoch of which a valid plan says how it ended: somebody finished it.
    #[must_use]
    pub const fn digested(&self) -> u64 {
        self.digested
    }

    /// What was redone, by era.
    #[must_use]
    pub fn redone(&self) -> &[Redone] {
        &self.redone
    }

    /// The era under which history was redone without this record.
    #[must_use]
    pub fn era_without(&self, at: TopicPartition, offset: u64) -> Option<u32> {
        let index = at.input_index()?;
        let without = |redone: &&Redone| redone.records.contains(&(index, offset));
        self.redone.iter().find(without).map(|redone| redone.era)
    }

    /// Whether this record will be set aside when a plan takes it.
    #[must_use]
    pub fn is_skipped(&self, at: TopicPartition, offset: u64) -> bool {
        at.input_index().is_some_and(|index| self.skips.contains(&(index, offset)))
    }
}

/// The place among the inputs of the partition that plans and words name so.
pub(crate) fn input_of(topic: u8, partition: u16) -> Option<usize> {
    let topic = Topic::from_number(topic)?;
    let at = TopicPartition { topic, partition };
    at.input_index().filter(|_| partition < topic.partitions())
}
