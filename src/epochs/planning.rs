//! `watermart epochs drain|time`: words to who leads.

use super::word::{PlanTopic, Said};
use crate::cli::{Global, Outside};
use crate::exit::Failure;
use schemas::events::Event;
use schemas::events::epochs::{PlanningDrained, TimeAccepted};

/// Ends planning under the generation in force.
pub(super) fn drain(at: &Outside, global: &Global) -> Result<Said, Failure> {
    let mut topic = PlanTopic::open(at, global)?;
    let Some(generation) = topic.history.generation() else {
        let detail = "nobody has claimed to plan on this log yet: there is nothing to drain";
        return Err(Failure::Usage(detail.to_owned()));
    };
    let event: Event = PlanningDrained { generation }.into();
    let offset = topic.append(&event)?;
    let epoch = topic.history.plans.epoch();
    let effect = match topic.history.generation() {
        Some(now) if now != generation => format!(
            "generation {now} has claimed meanwhile, to which the word says nothing: say it again"
        ),
        Some(_) | None if topic.is_exclusive() => format!(
            "generation {generation} is drained behind epoch {epoch}; on files a stopped shop \
             plans nothing anyway, and the next start claims anew"
        ),
        Some(_) | None => format!(
            "generation {generation} plans nothing behind epoch {epoch}; who claims next, plans \
             again"
        ),
    };
    Ok(topic.said(&event, offset, effect))
}

/// Says that the wall clock is right.
pub(super) fn time(at: &Outside, global: &Global) -> Result<Said, Failure> {
    let mut topic = PlanTopic::open(at, global)?;
    let wall_ms = topic.now;
    let event: Event = TimeAccepted { wall_ms }.into();
    let offset = topic.append(&event)?;
    let last = topic.history.plans.now().map_or_else(
        || "nothing is planned yet".to_owned(),
        |now| format!("the last plan's time is {}", now.rfc3339()),
    );
    let wall = wall_ms.rfc3339();
    let effect = match topic.history.generation() {
        Some(generation) if !topic.is_exclusive() => format!(
            "generation {generation} goes on from {wall} if its own wall clock agrees; {last}"
        ),
        Some(_) | None => format!(
            "the wall clock says {wall}; {last}; nobody plans now, and the next start takes the \
             wall clock anyway"
        ),
    };
    Ok(topic.said(&event, offset, effect))
}
