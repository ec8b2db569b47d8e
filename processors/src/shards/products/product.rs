//! One product, and the work of applying one message to it.

use super::claims::{Chains, Claims};
use super::rows::Changed;
use crate::shards::{Decided, Out};
use machines::catalog::Catalogued;
use machines::inventory::{Stock, Warehouses, bit};
use machines::message::{Cause, Context, CustomerMessage, ToCustomer};
use schemas::events::Event;
use schemas::hash::{Hasher, hash128};
use schemas::id::{EventId, OrderId, ProductId};

/// Names the products operator in event ids.
const OPERATOR: u64 = 1;

#[derive(Debug)]
pub(super) struct Product {
    pub(super) id: ProductId,
    pub(super) listing: Option<Catalogued>,
    pub(super) stock: Stock,
    pub(super) chains: Chains,
    /// The epoch of its last event, and how many it has had in that epoch.
    epoch: u64,
    pub(super) events: u32,
    /// Units that the greediest waiting line asks, or more: below this, somebody is refused.
    pub(super) asked_max: u32,
    pub(super) row_changed: bool,
    /// Whose rows changed, see [`machines::inventory::bit`].
    pub(super) levels_changed: u32,
}

impl Product {
    pub(super) fn new(id: ProductId, epoch: u64, events: u32) -> Self {
        Self {
            id,
            listing: None,
            stock: Stock::default(),
            chains: Chains::EMPTY,
            epoch,
            events,
            asked_max: 0,
            row_changed: false,
            levels_changed: 0,
        }
    }

    /// Whether there is nothing to be known of it.
    pub(super) fn is_blank(&self) -> bool {
        self.listing.is_none() && self.stock.levels().is_empty() && self.chains == Chains::EMPTY
    }

    fn next_event_id(&mut self, epoch: u64) -> EventId {
        if self.epoch != epoch {
            (self.epoch, self.events) = (epoch, 0);
        }
        let mut name = [0; 28];
        name[..16].copy_from_slice(&self.id.0.to_bytes());
        name[16..24].copy_from_slice(&epoch.to_be_bytes());
        name[24..].copy_from_slice(&self.events.to_be_bytes());
        self.events += 1;
        EventId(hash128(OPERATOR, &name))
    }
}

/// What one message does, while it does it.
pub(super) struct Work<'a> {
    pub(super) context: &'a Context,
    pub(super) cause: Cause,
    pub(super) cause_id: EventId,
    pub(super) product: &'a mut Product,
    pub(super) at: u32,
    pub(super) claims: &'a mut Claims,
    pub(super) warehouses: &'a Warehouses,
    pub(super) changed: &'a mut Changed,
    pub(super) digest: Hasher,
    /// Levels changed by this message.
    pub(super) levels_changed: u32,
    pub(super) out: &'a mut Out<ToCustomer>,
}

/// What an event began with.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) cause: Cause,
    pub(super) cause_id: EventId,
}

impl Work<'_> {
    pub(super) const fn origin(&self) -> Origin {
        Origin { cause: self.cause, cause_id: self.cause_id }
    }

    pub(super) fn mix(&mut self, words: &[u64]) {
        for word in words {
            self.digest = self.digest.word(*word);
        }
    }

    pub(super) fn emit(&mut self, origin: Origin, correlation: [u8; 16], event: Event) {
        let event_id = self.product.next_event_id(self.context.epoch);
        let [hi, lo] = words(event_id.0);
        self.mix(&[hi ^ event.kind() as u64, lo]);
        self.out.events.push(Decided {
            key: self.product.id.0,
            group: self.product.id.0.group(),
            cause: origin.cause,
            cause_id: origin.cause_id,
            correlation_id: EventId(correlation),
            event_id,
            event,
        });
    }

    pub(super) fn tell(&mut self, origin: Origin, body: CustomerMessage) {
        let Origin { cause, cause_id } = origin;
        self.out.messages.push(ToCustomer { cause, cause_id, body });
    }

    pub(super) fn touch_levels(&mut self, levels: u32) {
        if levels == 0 {
            return;
        }
        self.levels_changed |= levels;
        self.changed.product(self.at, self.product);
        self.product.levels_changed |= levels;
    }

    pub(super) fn touch_row(&mut self) {
        self.changed.product(self.at, self.product);
        self.product.row_changed = true;
    }

    pub(super) fn touch_reservation(&mut self, order: OrderId) {
        self.changed.reservations.push((self.at, order));
    }

    /// Takes what the message left behind into the digest.
    pub(super) fn finish(mut self) {
        let mut digest = self.digest;
        for (place, level) in self.product.stock.levels().iter().enumerate() {
            if self.levels_changed & bit(place) != 0 {
                let pair = |hi: u32, lo: u32| u64::from(hi) << 32 | u64::from(lo);
                digest = digest
                    .word(pair(level.on_hand, level.reserved))
                    .word(pair(level.soft, level.allocated))
                    .word(pair(level.safety_stock_wanted, level.version));
            }
        }
        self.digest = digest;
        self.out.digest(digest);
    }
}

pub(super) fn words(bytes: [u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    let hi = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    [hi, u64::from_be_bytes([i, j, k, l, m, n, o, p])]
}
