//! The way in to the log: what all handlers share. Whatever is answered with a position is
//! durable at it.

use crate::action::{Action, Key, Unkeyed};
use edge::principal::Principal;
use edge::problem::Problem;
use edge::resource::Resources;
use schemas::codec::Codec;
use schemas::id::ActionId;
use schemas::position::Position;
use schemas::topic::TopicPartition;
use sinks::clock::Clock;
use sinks::event_log::{Answers, AppendError, EventLog, NewRecord};
use sinks::payment_gateway::signature::Secrets;
use sinks::view_store::ViewStore;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// For how long readiness speaks of a refusal.
const REFUSAL_TOLD: Duration = Duration::from_secs(5);

/// The outside systems that the way in needs.
#[derive(Clone)]
pub struct Ports {
    /// Where actions go.
    pub log: Arc<dyn EventLog>,
    /// How they are written.
    pub codec: Arc<Codec>,
    /// Where decisions are seen; in a process without views nobody waits for them.
    pub decisions: Option<Decisions>,
}

/// Where decisions are seen.
#[derive(Clone)]
pub struct Decisions {
    /// Where they are read.
    pub views: Arc<dyn ViewStore>,
    /// How resources are shown.
    pub resources: Arc<dyn Resources>,
}

/// What one process takes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests under way, those that wait for their decision among them; each may hold 64 KiB.
    pub requests_max: usize,
    /// Batches under way; each may hold 8 MiB.
    pub batches_max: usize,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long the log may take to answer before the outcome is called unknown.
    pub append_timeout: Duration,
}

impl Default for Limits {
    /// At most 768 MiB of bodies; a slow disk's worst write, several times over.
    fn default() -> Self {
        Self {
            requests_max: 4096,
            batches_max: 64,
            body_timeout: Duration::from_secs(10),
            append_timeout: Duration::from_secs(10),
        }
    }
}

/// The state of all handlers; a clone is the same one.
#[derive(Clone)]
pub struct Ingest(Arc<Inner>);

struct Inner {
    ports: Ports,
    clock: Clock,
    secrets: Secrets,
    limits: Limits,
    unkeyed: Unkeyed,
    requests: Arc<Semaphore>,
    batches: Arc<Semaphore>,
    /// When the last append was refused, and why; none if it was not.
    refused: Mutex<Option<(Duration, String)>>,
}

impl Ingest {
    /// The way in over these ports. A webhook signed with any of `secrets` is accepted.
    #[must_use]
    pub fn new(ports: Ports, clock: Clock, secrets: Secrets, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            ports,
            clock,
            secrets,
            limits,
            unkeyed: Unkeyed::new(),
            requests: Arc::new(Semaphore::new(limits.requests_max)),
            batches: Arc::new(Semaphore::new(limits.batches_max)),
            refused: Mutex::default(),
        }))
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn requests(&self) -> &Arc<Semaphore> {
        &self.0.requests
    }

    pub(crate) fn batches(&self) -> &Arc<Semaphore> {
        &self.0.batches
    }

    /// A fresh id for an action without a key.
    pub(crate) fn unkeyed(&self, key: Key) -> ActionId {
        self.0.unkeyed.action(key, self.0.clock.now())
    }

    /// Brings actions to the log in one append; answers where each is durable, one by one, in
    /// their order.
    pub(crate) async fn append(
        &self,
        by: Principal,
        actions: &[&Action],
    ) -> Vec<Result<Place, Problem>> {
        if actions.is_empty() {
            return Vec::new();
        }
        let now = self.0.clock.now();
        let records: Vec<NewRecord> =
            actions.iter().map(|action| action.record(&self.0.ports.codec, by, now)).collect();
        let partitions: Vec<_> = records.iter().map(|record| record.partition).collect();
        let appending = self.0.ports.log.append(records);
        let mut answers = tokio::time::timeout(self.0.limits.append_timeout, appending)
            .await
            .unwrap_or_else(|_elapsed| Vec::new());
        let unanswered = || Err(AppendError::Unknown("no answer in time".to_owned()));
        answers.resize_with(partitions.len(), unanswered);
        self.note(&answers);
        partitions
            .into_iter()
            .zip(answers)
            .map(|(partition, answer)| Ok(Place { partition, offset: answer?.offset }))
            .collect()
    }

    /// Why the log took nothing lately, if it did not. Old refusals say nothing: who is sent no
    /// actions for a while must be able to come back.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        let refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &Duration| self.0.clock.elapsed().saturating_sub(*at) < REFUSAL_TOLD;
        refused.as_ref().filter(|(at, _)| recent(at)).map(|(_, reason)| reason.clone())
    }

    fn note(&self, answers: &Answers) {
        let reason = answers.iter().find_map(|answer| match answer {
            Err(error @ (AppendError::NotAppended(_) | AppendError::Unknown(_))) => Some(error),
            Ok(_) | Err(AppendError::TooLarge { .. }) => None,
        });
        let refusal = reason.map(|reason| (self.0.clock.elapsed(), reason.to_string()));
        *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// [`Self::append`] of one.
    pub(crate) async fn append_one(
        &self,
        by: Principal,
        action: &Action,
    ) -> Result<Place, Problem> {
        self.append(by, &[action]).await.pop().expect("an append answers each action")
    }
}

/// Where an action is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: u64,
}

impl Place {
    pub(crate) fn position(self) -> Position {
        Position::Record { partition: self.partition, offset: self.offset }
    }
}
