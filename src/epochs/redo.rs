//! A record that a plan has taken is skipped by redoing history from that plan's epoch on, under
//! the claim of a next era: the word, then the claim, in one append.
//!
//! It is refused where anybody has finished the epoch, since what was decided with the record was
//! seen then: a plan tells the epoch's digest, outputs of it stand on the log, or, on files, the
//! views have it. Nobody may finish it meanwhile: on files the lock sees to that, on brokers the
//! operator says so.

use super::arguments::Skip;
use super::word::{PlanTopic, Said};
use crate::exit::Failure;
use crate::log::unread;
use crate::{engine, parts};
use processors::engine::claim_id;
use processors::known_outputs;
use schemas::events::Event;
use schemas::events::epochs::{GenerationClaimed, RecordSkipped};
use schemas::topic::TopicPartition;
use sinks::view_store::ViewStore as _;
use std::path::Path;
use std::sync::Arc;

/// Versions of rows have room for so many.
const ERA_MAX: u32 = 32_767;

/// Redoes history from `epoch` on, which takes the record.
pub(super) fn without(
    (at, epoch): (TopicPartition, u64),
    record: &str,
    skip: &Skip,
    topic: &mut PlanTopic,
    data: &Path,
) -> Result<Said, Failure> {
    if let Some(era) = topic.history.era_without(at, skip.offset) {
        let detail = format!("era {era} has set {record} aside already: start the shop");
        return Err(Failure::Usage(detail));
    }
    if !topic.is_exclusive() && !skip.all_stopped {
        return Err(Failure::Usage(format!(
            "the plan of epoch {epoch} has taken {record}; stop every `up` and `process` of this \
             shop, and say so with --all-stopped"
        )));
    }
    if let Some(who) = finished(epoch, topic, data)? {
        return Err(Failure::Usage(format!(
            "the plan of epoch {epoch} has taken {record}, and {who}: what was decided with it \
             stands, and it cannot be skipped any more"
        )));
    }
    let claim = next_era(topic)?;
    let TopicPartition { topic: input, partition } = at;
    let word: Event = RecordSkipped { topic: input as u8, partition, offset: skip.offset }.into();
    let said_at = topic.append_all(&[word.clone(), claim.into()])?;
    let effect = match topic.history.era_without(at, skip.offset) {
        Some(era) => format!(
            "era {era} begins: the next start redoes history from epoch {epoch} on, in which \
             {record} becomes a dead letter"
        ),
        None => "another process has claimed meanwhile, and the word says nothing: stop all of \
                 them and say it again"
            .to_owned(),
    };
    Ok(topic.said(&word, said_at, effect))
}

/// Who has finished this epoch, in words.
fn finished(epoch: u64, topic: &PlanTopic, data: &Path) -> Result<Option<&'static str>, Failure> {
    if topic.history.digested() >= epoch {
        return Ok(Some("a later plan says how it ended"));
    }
    let published = known_outputs::last_epoch(Arc::clone(&topic.log));
    if published.map_err(|error| unread(&error))? >= Some(epoch) {
        return Ok(Some("its outputs stand on the log"));
    }
    if topic.is_exclusive() && parts::views_dir(data).is_dir() {
        let viewed = parts::open_views(data)?.marks().borrow().epoch;
        if viewed >= epoch {
            return Ok(Some("the views show it"));
        }
    }
    Ok(None)
}

/// The claim of the next era: else it says what the claim in force says.
fn next_era(topic: &PlanTopic) -> Result<GenerationClaimed, Failure> {
    let plans = &topic.history.plans;
    let claim = plans.in_force().map(|force| force.claim).filter(|claim| claim.era < ERA_MAX);
    let claim = claim.ok_or_else(|| Failure::Usage("there is no era after this one".to_owned()))?;
    Ok(GenerationClaimed {
        claim_id: claim_id().map_err(engine::failure)?,
        follows: plans.generation(),
        era: claim.era + 1,
        ..claim
    })
}
