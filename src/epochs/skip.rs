//! `watermart epochs skip TOPIC PARTITION OFFSET`: the record goes to the dead letters, when a plan
//! takes it, or in the place of what a plan has taken (`redo`).

use super::arguments::Skip;
use super::redo;
use super::word::{PlanTopic, Said};
use crate::cli::Global;
use crate::exit::Failure;
use crate::log::{record_at, unread};
use crate::topics;
use schemas::events::Event;
use schemas::events::epochs::RecordSkipped;
use schemas::topic::{Topic, TopicPartition};

/// Sets the record aside.
pub(super) fn skip(skip: &Skip, global: &Global) -> Result<Said, Failure> {
    let at = input(skip)?;
    let mut topic = PlanTopic::open(&skip.outside, global)?;
    if record_at(&*topic.log, at, skip.offset).map_err(|error| unread(&error))?.is_none() {
        let end = topic.log.ends(&[at]).map_err(|error| unread(&error))?[0];
        let offset = skip.offset;
        let detail = format!("no record of {at} has the offset {offset}; it ends at {end}");
        return Err(Failure::Usage(detail));
    }
    let record = format!("{}/{}@{}", topic.name(at.topic), at.partition, skip.offset);
    if let Some(epoch) = topic.epoch_of(at, skip.offset)? {
        return redo::without((at, epoch), &record, skip, &mut topic, &global.data);
    }
    let before = topic.history.is_skipped(at, skip.offset);
    let TopicPartition { topic: input, partition } = at;
    let event: Event = RecordSkipped { topic: input as u8, partition, offset: skip.offset }.into();
    let said_at = topic.append(&event)?;
    let effect = if topic.history.is_planned(at, skip.offset) {
        format!("a plan took {record} meanwhile, so the word says nothing: say it again")
    } else if before {
        format!("the word stood there before; {record} becomes a dead letter, once")
    } else {
        format!("{record} becomes a dead letter when a plan takes it")
    };
    Ok(topic.said(&event, said_at, effect))
}

/// The partition that is meant.
fn input(skip: &Skip) -> Result<TopicPartition, Failure> {
    let named = &skip.topic;
    let is_meant = |input: &Topic| {
        input.suffix() == named || topics::log::name(&skip.outside.log_url, *input) == *named
    };
    let Some(input) = Topic::INPUTS.into_iter().find(is_meant) else {
        let known: Vec<_> = Topic::INPUTS.into_iter().map(Topic::suffix).collect();
        let known = known.join(", ");
        return Err(Failure::Usage(format!("`{named}` is no topic of actions; those are {known}")));
    };
    let partition = skip.partition;
    if partition < input.partitions() {
        return Ok(TopicPartition { topic: input, partition });
    }
    let (name, last) = (input.suffix(), input.partitions() - 1);
    Err(Failure::Usage(format!("{name} has no partition {partition}; use 0 to {last}")))
}
