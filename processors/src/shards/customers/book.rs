//! The orders of one worker, found by id.

use super::{Customers, FixedState};
use crate::shards::arena::Arena;
use crate::shards::changes::Changes;
use crate::shards::index::Index;
use machines::message::{CustomerMessage, ToCustomer};
use machines::order::Order;
use schemas::events::Event;
use schemas::id::OrderId;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// An order, and what only its events and rows need.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    pub(super) id: OrderId,
    pub(super) order: Order,
    /// `now` when it was requested.
    pub(super) created_at: Timestamp,
    /// `now` of its last event.
    pub(super) updated_at: Timestamp,
    /// Its events on the topic `orders` so far.
    pub(super) version: u32,
    /// Its events on any topic so far.
    pub(super) events: u32,
    /// Its place among the unsettled, [`SETTLED`] if it is not there: so at an epoch's end.
    #[serde(skip, default = "settled")]
    pub(super) unsettled: u32,
}

/// See [`Placed::unsettled`].
pub(super) const SETTLED: u32 = u32::MAX;

const fn settled() -> u32 {
    SETTLED
}

impl Customers {
    /// Reads what these messages will need: the orders they are about, or the keys they claim.
    pub fn look_ahead(&self, messages: &[ToCustomer]) {
        let mut seen = 0;
        for message in messages {
            if let CustomerMessage::Record(event) = &message.body
                && let Event::CheckoutRequested(checkout) = &**event
            {
                let key = checkout.idempotency_key.hash();
                seen ^= self.keys.touch(checkout.customer_id.0, key);
                seen ^= self.past.touch(checkout.order_id);
            }
            seen ^= order_of(message).map_or(0, |id| self.orders.touch(id));
        }
        let orders = messages.iter().filter_map(order_of);
        for at in orders.clone().filter_map(|id| self.orders.guess(id)) {
            seen ^= self.orders.get(at).version;
        }
        for at in orders.filter_map(|id| self.orders.guess(id)) {
            let order = &self.orders.get(at).order;
            seen ^= order.lines().first().map_or(0, |line| line.quantity);
        }
        black_box(seen);
    }
}

fn order_of(message: &ToCustomer) -> Option<OrderId> {
    match &message.body {
        CustomerMessage::Record(event) => {
            if let Event::CheckoutRequested(checkout) = &**event {
                Some(checkout.order_id)
            } else if let Event::PaymentReported(report) = &**event {
                Some(report.order_id)
            } else {
                None
            }
        }
        CustomerMessage::Reserved { order, .. }
        | CustomerMessage::Refused { order, .. }
        | CustomerMessage::Revoked { order, .. } => Some(*order),
        CustomerMessage::Price { .. } => None,
    }
}

/// All orders.
#[derive(Clone)]
pub(super) struct Book {
    index: Index,
    placed: Arena<Placed>,
    pub(super) unsaved: Changes,
    /// Orders that left since orders were last saved.
    pub(super) left: Vec<OrderId>,
}

impl Book {
    pub(super) fn new(hashing: FixedState) -> Self {
        Self {
            index: Index::new(hashing),
            placed: Arena::new(),
            unsaved: Changes::default(),
            left: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn find(&self, id: OrderId) -> Option<u32> {
        self.index.find(self.index.tag(id), |at| self.placed.get(at).id == id)
    }

    fn touch(&self, id: OrderId) -> u32 {
        self.index.touch(self.index.tag(id))
    }

    fn guess(&self, id: OrderId) -> Option<u32> {
        self.index.guess(self.index.tag(id))
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &Placed {
        self.placed.get(at)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut Placed {
        self.unsaved.mark(at);
        self.placed.get_mut(at)
    }

    /// Adds an order that is not here yet.
    pub(super) fn insert(&mut self, placed: Placed) -> u32 {
        let at = self.load(placed);
        self.unsaved.mark(at);
        at
    }

    /// Adds an order as it was saved.
    pub(super) fn load(&mut self, placed: Placed) -> u32 {
        let tag = self.index.tag(placed.id);
        let at = self.placed.insert(placed);
        self.index.insert(tag, at);
        at
    }

    /// Takes an order away.
    pub(super) fn remove(&mut self, at: u32) -> Placed {
        let placed = self.placed.remove(at);
        self.index.remove(self.index.tag(placed.id), at);
        if self.unsaved.is_kept() {
            self.left.push(placed.id);
        }
        placed
    }

    /// The order of a number that may be stale.
    pub(super) fn peek(&self, at: u32) -> Option<&Placed> {
        self.placed.peek(at)
    }

    /// Whether the order's timer waits, and its deadline is reached.
    pub(super) fn is_due(&self, id: OrderId, now: Timestamp) -> bool {
        self.find(id).is_some_and(|at| self.get(at).order.decide_expiry(now).is_some())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Placed> {
        self.placed.iter().map(|(_, placed)| placed)
    }
}
