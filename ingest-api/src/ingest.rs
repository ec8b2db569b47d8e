//! The way in to the log: what all handlers share. Whatever is answered with a position is
//! durable at it.

use crate::action::{Action, Key, Resource, Unkeyed};
use edge::principal::Principal;
use edge::problem::Problem;
use schemas::codec::Codec;
use schemas::id::ActionId;
use schemas::position::Position;
use schemas::topic::TopicPartition;
use serde_json::Value;
use sinks::clock::Clock;
use sinks::event_log::{AppendError, EventLog, NewRecord};
use sinks::payment_gateway::signature::Secrets;
use sinks::view_store::{ViewError, ViewStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Shows resources as the read side does: an action that waits for its decision answers with one.
pub trait Resources: Send + Sync {
    /// The resource's JSON as the views have it now; `None` if they do not have it.
    fn resource(&self, resource: Resource) -> Result<Option<Value>, ViewError>;
}

/// The outside systems that the way in needs.
#[derive(Clone)]
pub struct Ports {
    /// Where actions go.
    pub log: Arc<dyn EventLog>,
    /// How they are written.
    pub codec: Arc<Codec>,
    /// Where decisions are read.
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
        partitions
            .into_iter()
            .zip(answers)
            .map(|(partition, answer)| Ok(Place { partition, offset: answer?.offset }))
            .collect()
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
