//! An action: one event for one partition of the log, and what is shown of it.
//!
//! A keyed action's id is a hash of who, key, route and the parsed body, so the same request has
//! the same id for ever, however its JSON is written. An action without a key happens each time
//! it is asked for; its id is a hash of time and a count.

use bytes::Bytes;
use edge::principal::Principal;
use edge::resource::Resource;
use schemas::codec::Codec;
use schemas::envelope::Envelope;
use schemas::events::Event;
use schemas::hash::hash128;
use schemas::id::{ActionId, EventId, Id, OrderId, action_id};
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use sinks::event_log::NewRecord;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seed of the ids of events that bring actions to the log.
const EVENT_SEED: u64 = 0x6163_7469_6f6e_7321;

/// How an action is answered once it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// 201 with the order that it opened, when that has left `requested`.
    Opened(OrderId),
    /// 201 with the resource that it added to.
    Added(Resource),
    /// 200 with the resource that it changed.
    Changed(Resource),
}

impl Decided {
    pub(crate) const fn resource(self) -> Resource {
        match self {
            Self::Opened(order) => Resource::Order(order),
            Self::Added(resource) | Self::Changed(resource) => resource,
        }
    }
}

/// Whose partition an action goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// That of a caller's id.
    Id(Id),
    /// That of an order's customer.
    Order(OrderId),
}

impl Key {
    pub(crate) const fn group(self) -> u16 {
        match self {
            Self::Id(id) => id.group(),
            Self::Order(order) => order.group(),
        }
    }

    fn text(self) -> Bytes {
        match self {
            Self::Id(id) => id.with_text(|text| Bytes::copy_from_slice(text.as_bytes())),
            Self::Order(order) => order.with_text(|text| Bytes::copy_from_slice(text.as_bytes())),
        }
    }

    /// The id of the action that this caller names `idempotency_key`.
    pub(crate) fn action(self, idempotency_key: &str, route: &str, body: &[&[u8]]) -> ActionId {
        let who = self.text();
        let mut parts = Vec::with_capacity(3 + body.len());
        parts.extend([&*who, idempotency_key.as_bytes(), route.as_bytes()]);
        parts.extend_from_slice(body);
        action_id(self.group(), &parts)
    }
}

/// An action, not yet on the log.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) id: ActionId,
    pub(crate) key: Key,
    /// Whose journey it belongs to, in bytes: an order's, or its own.
    pub(crate) journey: [u8; 16],
    pub(crate) event: Event,
    pub(crate) decided: Decided,
}

impl Action {
    pub(crate) fn new(id: ActionId, key: Key, decided: Decided, event: impl Into<Event>) -> Self {
        let journey = match decided {
            Decided::Changed(Resource::Order(order)) => order.to_bytes(),
            Decided::Opened(_) | Decided::Added(_) | Decided::Changed(_) => id.to_bytes(),
        };
        Self { id, key, journey, event: event.into(), decided }
    }

    /// The record that brings it to the log.
    pub(crate) fn record(&self, codec: &Codec, by: Principal, at: Timestamp) -> NewRecord {
        let event_id = EventId(hash128(EVENT_SEED, &self.id.to_bytes()));
        let envelope = Envelope {
            event_id,
            occurred_at: at,
            role: by.role,
            subject: by.subject,
            causation_id: event_id,
            correlation_id: EventId(self.journey),
        };
        let mut value = Vec::with_capacity(256);
        codec.encode(&envelope, &self.event, &mut value);
        let topic = self.event.kind().topic();
        NewRecord {
            partition: TopicPartition::of_group(topic, self.key.group()),
            key: self.key.text(),
            value: value.into(),
            output_id: None,
        }
    }

    /// The id as callers see it.
    pub(crate) fn shown_id(&self) -> String {
        match self.decided {
            Decided::Opened(order) => order.to_string(),
            Decided::Added(_) | Decided::Changed(_) => self.id.to_string(),
        }
    }
}

/// Makes ids for actions without a key: different in each process, and for each action of one.
#[derive(Debug)]
pub(crate) struct Unkeyed {
    process: u64,
    count: AtomicU64,
}

impl Unkeyed {
    pub(crate) fn new() -> Self {
        Self { process: RandomState::new().hash_one(0), count: AtomicU64::new(0) }
    }

    pub(crate) fn action(&self, key: Key, at: Timestamp) -> ActionId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let parts = [self.process.to_be_bytes(), count.to_be_bytes(), at.0.to_be_bytes()];
        action_id(key.group(), &[&parts[0], &parts[1], &parts[2]])
    }
}
