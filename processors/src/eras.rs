//! Where history is redone: from which epoch on under which era, and without which records.
//!
//! A record on which a machine panics stands in a valid plan, so every start panics on it. An
//! operator's word and a claim of the next era send it to the dead letters all the same. That is
//! sound because nothing was decided with it: where anybody has finished its epoch, the command
//! refuses, and what was finished in spite of that is found here. See decision 10.
//!
//! - An epoch's era is that of the claim its plan stands under, or the newest that redoes it.
//! - What was made of an epoch under an older era than its own is of another history: such views and
//!   checkpoints stop the start.
//! - Whoever runs when an era begins knows another history: it ends, and starts anew.

use crate::checkpoints::manifest::Manifest;
use crate::failure::Failure;
use crate::plan::Read;
use crate::plan_history::{PlanHistory, Redone, input_of};
use schemas::codec::Codec;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::EventLog;
use sinks::view_store::Mark;
use std::collections::{BTreeMap, BTreeSet};

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// The eras that are known at a start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Eras {
    /// Era, and the first epoch that is redone under it.
    from: Vec<(u32, u64)>,
    /// The newest era that any claim has.
    newest: u32,
    /// Records that plans behind the start take, and that are set aside, by input and offset.
    skips: BTreeSet<(usize, u64)>,
}

/// By record, the epoch that takes it.
type Taken = BTreeMap<(usize, u64), u64>;

impl Eras {
    /// Reads the plan topic to its end, from its beginning or from where a checkpoint stands. It
    /// ends where a schema is not known: what stands behind is not known to the engine either.
    ///
    /// # Errors
    /// The topic cannot be read.
    pub fn read(
        log: &dyn EventLog,
        codec: &Codec,
        manifest: Option<&Manifest>,
    ) -> Result<Self, Failure> {
        let start = manifest.map_or_else(PlanHistory::default, PlanHistory::behind);
        let mut history = start.clone();
        let end = log.ends(&[EPOCHS])?[0];
        history.read_while_known(log, codec, end, |_| ())?;
        let newest = history.plans.in_force().map_or(0, |force| force.claim.era);
        let mut eras = Self { from: Vec::new(), newest, skips: BTreeSet::new() };
        if let Some(manifest) = manifest {
            eras.newest = newest.max(manifest.era);
            // What a checkpoint was made of is of its era, and so is what comes behind it.
            eras.from.push((manifest.era, manifest.epoch));
        }
        let redone: BTreeSet<_> =
            history.redone().iter().flat_map(|redone| &redone.records).copied().collect();
        if redone.is_empty() {
            return Ok(eras);
        }
        let taken = taken(start, &redone, log, codec, end)?;
        for Redone { era, records } in history.redone() {
            // Those that no plan behind the start takes were taken before it.
            let before = manifest.map_or(0, |manifest| manifest.epoch);
            let epochs = records.iter().map(|record| taken.get(record).copied().unwrap_or(before));
            eras.from.extend(epochs.min().map(|epoch| (*era, epoch)));
        }
        eras.skips = taken.into_keys().collect();
        Ok(eras)
    }

    /// The era of an epoch whose plan stands under a claim of this one.
    #[must_use]
    pub fn of(&self, epoch: u64, claimed: u32) -> u32 {
        let redone = self.from.iter().filter(|(_, from)| epoch >= *from).map(|(era, _)| *era);
        redone.fold(claimed, u32::max)
    }

    /// The records that are to be set aside though plans take them.
    #[must_use]
    pub const fn skips(&self) -> &BTreeSet<(usize, u64)> {
        &self.skips
    }

    /// Whether a claim of this era redoes what is known here.
    #[must_use]
    pub const fn is_newer(&self, era: u32) -> bool {
        era > self.newest
    }

    /// What is stored up to an epoch, under an era, must not be of a history that was redone since.
    ///
    /// # Errors
    /// It is.
    pub(crate) fn check(&self, what: &str, (era, epoch): (u32, u64)) -> Result<(), Failure> {
        let redone = self.from.iter().find(|(newer, from)| era < *newer && epoch >= *from);
        let Some((newer, from)) = redone else { return Ok(()) };
        Err(Failure::HistoryRedone(format!(
            "history was redone: era {newer} begins with epoch {from}, and the {what} are of era \
             {era} and epoch {epoch}; remove the views and the checkpoints of this process to \
             rebuild them"
        )))
    }

    /// As [`Eras::check`], of views and a checkpoint.
    ///
    /// # Errors
    /// One of them is.
    pub(crate) fn check_stored(
        &self,
        mark: Option<&Mark>,
        manifest: Option<&Manifest>,
    ) -> Result<(), Failure> {
        if let Some(manifest) = manifest {
            self.check("checkpoints", (manifest.era, manifest.epoch))?;
        }
        mark.map_or(Ok(()), |mark| self.check("views", (mark.era, mark.epoch)))
    }
}

/// Which epoch takes each of these records, of those that one does.
///
/// # Errors
/// The topic cannot be read.
pub fn taken_by(
    records: &BTreeSet<(usize, u64)>,
    log: &dyn EventLog,
    codec: &Codec,
) -> Result<Taken, Failure> {
    let end = log.ends(&[EPOCHS])?[0];
    taken(PlanHistory::default(), records, log, codec, end)
}

fn taken(
    mut from: PlanHistory,
    records: &BTreeSet<(usize, u64)>,
    log: &dyn EventLog,
    codec: &Codec,
    end: u64,
) -> Result<Taken, Failure> {
    let mut open: Vec<_> = records
        .iter()
        .copied()
        .filter(|(index, offset)| !from.is_planned_at(*index, *offset))
        .collect();
    let mut taken = BTreeMap::new();
    from.read_while_known(log, codec, end, |read| {
        let Read::Planned(valid) = read else { return };
        for cut in &valid.plan.cut {
            let Some(of) = input_of(cut.topic, cut.partition) else { continue };
            open.retain(|record| {
                let (index, offset) = *record;
                let stays = index != of || offset >= cut.end;
                if !stays {
                    taken.insert(*record, valid.plan.epoch);
                }
                stays
            });
        }
    })?;
    Ok(taken)
}
