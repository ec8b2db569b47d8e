//! How fresh a read must be, and waiting until the views are.
//!
//! | asked | the read sees at least |
//! |---|---|
//! | `eventual` | what the views have |
//! | `?after=P` | the record or epoch P |
//! | `strong` | all that was acknowledged before the read began, as far as its [`Scope`] goes |
//!
//! The mark is taken before the rows, so a row may be newer than the epoch that the read is said
//! to stand at, and never older. In `?wait=` seconds without success the answer is `view_behind`,
//! also where it is the log that does not tell what was acknowledged.

use crate::Queries;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use edge::problem::{Code, Problem};
use schemas::position::Position;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::ReadError;
use sinks::view_store::Mark;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

const WAIT_DEFAULT_S: u64 = 2;
const WAIT_MAX_S: u64 = 30;
/// Before a log that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What a read has to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Consistency {
    /// Nothing.
    Eventual,
    /// All that was acknowledged before it began.
    Strong,
}

/// The input partitions that a strong read asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// One: a customer's. One partition that is held back does not stop the others' reads.
    Partition(TopicPartition),
    /// All of one topic.
    Topic(Topic),
    /// All: stock is changed by every customer.
    Inputs,
}

impl Scope {
    /// The partition of all actions of the customers in `group`.
    pub(crate) const fn customer(group: u16) -> Self {
        Self::Partition(TopicPartition::of_group(Topic::CustomerActions, group))
    }

    fn holds(self, partition: TopicPartition) -> bool {
        match self {
            Self::Partition(one) => partition == one,
            Self::Topic(topic) => partition.topic == topic,
            Self::Inputs => true,
        }
    }
}

/// How fresh, as asked by the query string.
#[derive(Clone, Copy, Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Freshness {
    /// See at least this position: of an acknowledged action, or of another read.
    #[param(value_type = String, required = false, min_length = 1)]
    pub(crate) after: Option<Position>,
    /// Of carts, orders and payments `strong` is the default, of the rest `eventual`.
    #[param(value_type = Consistency, required = false, inline)]
    pub(crate) consistency: Option<Consistency>,
    /// Seconds to wait at most, 0 to 30; 2 by default.
    #[param(value_type = u64, required = false, minimum = 0, maximum = 30)]
    pub(crate) wait: Option<u64>,
}

impl Freshness {
    /// Takes one parameter; `false` if it is none of these.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        let twice = match name {
            "after" => self.after.replace(after(value)?).is_some(),
            "consistency" => self.consistency.replace(consistency(value)?).is_some(),
            "wait" => self.wait.replace(number(name, value, 0, WAIT_MAX_S)?).is_some(),
            _ => return Ok(false),
        };
        if twice { Err(Problem::parameter(name, "must be given once")) } else { Ok(true) }
    }
}

fn after(value: &str) -> Result<Position, Problem> {
    let position = value.parse().ok().filter(|position| match position {
        Position::Record { partition, .. } => partition.input_index().is_some(),
        Position::Epoch(_) => true,
    });
    position.ok_or_else(|| Problem::parameter("after", "must be a position that was answered"))
}

fn consistency(value: &str) -> Result<Consistency, Problem> {
    match value {
        "strong" => Ok(Consistency::Strong),
        "eventual" => Ok(Consistency::Eventual),
        _ => Err(Problem::parameter("consistency", "must be strong or eventual")),
    }
}

pub(crate) fn number(name: &str, value: &str, min: u64, max: u64) -> Result<u64, Problem> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = value.parse().ok().filter(|n| digits && (min..=max).contains(n));
    number.ok_or_else(|| Problem::parameter(name, format!("must be a number, {min} to {max}")))
}

/// The parameters of the query string, in order.
pub(crate) fn parameters(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let parsed = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    parsed
        .map(|Query(pairs)| pairs)
        .map_err(|error| Problem::new(Code::Malformed, error.body_text()))
}

pub(crate) fn unknown(name: &str) -> Problem {
    Problem::parameter(name, "is not a parameter of this read")
}

impl<S: Sync> FromRequestParts<S> for Freshness {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut freshness = Self::default();
        for (name, value) in parameters(parts)? {
            if !freshness.take(&name, &value)? {
                return Err(unknown(&name));
            }
        }
        Ok(freshness)
    }
}

impl Queries {
    /// Waits until the views are as fresh as asked, and says where they then stand.
    pub(crate) async fn fresh(
        &self,
        freshness: Freshness,
        default: Consistency,
        scope: Scope,
    ) -> Result<Arc<Mark>, Problem> {
        let wait = Duration::from_secs(freshness.wait.unwrap_or(WAIT_DEFAULT_S));
        let mut marks = self.views.marks();
        let reached = async {
            let ends = match freshness.consistency.unwrap_or(default) {
                Consistency::Eventual => None,
                Consistency::Strong => Some(self.ends_when_told().await?),
            };
            let reached = marks.wait_for(|mark| {
                freshness.after.is_none_or(|position| covers(mark, position))
                    && ends.as_ref().is_none_or(|ends| covers_ends(mark, ends, scope))
            });
            let gone = |_| Problem::new(Code::ViewBehind, "the view store is closed");
            reached.await.map(|mark| Arc::clone(&mark)).map_err(gone)
        };
        match tokio::time::timeout(wait, reached).await {
            Ok(reached) => reached,
            Err(_elapsed) => Err(behind(&self.views.marks(), wait)),
        }
    }

    /// Where the log ends, however long it takes to answer: the read's own time ends the waiting.
    async fn ends_when_told(&self) -> Result<Arc<[u64]>, ReadError> {
        loop {
            match self.ends.ask().await {
                Err(ReadError::Unavailable(reason)) => {
                    tracing::debug!(reason, "a strong read waits for the log");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                told => return told,
            }
        }
    }
}

fn behind(marks: &watch::Receiver<Arc<Mark>>, wait: Duration) -> Problem {
    let epoch = marks.borrow().epoch;
    let waited = wait.as_secs();
    let detail = format!("the views stand at epoch {epoch} and did not get there in {waited} s");
    Problem::new(Code::ViewBehind, detail)
}

fn covers(mark: &Mark, position: Position) -> bool {
    match position {
        Position::Epoch(epoch) => mark.epoch >= epoch,
        Position::Record { partition, offset } => {
            partition.input_index().is_some_and(|index| applied(mark, index) > offset)
        }
    }
}

fn covers_ends(mark: &Mark, ends: &[u64], scope: Scope) -> bool {
    let mut inputs = TopicPartition::inputs().zip(ends).enumerate();
    inputs.all(|(index, (partition, end))| !scope.holds(partition) || applied(mark, index) >= *end)
}

/// The first offset of the input at `index` that is not in the views.
pub(crate) fn applied(mark: &Mark, index: usize) -> u64 {
    mark.applied.get(index).copied().unwrap_or(0)
}
