//! One product, and the work of applying one message to it.

use super::claims::{Chains, Claims};
use super::rows::Changed;
use crate::shards::{Decided, Out};
use machines::catalog::Catalogued;
use machines::inventory::{Stock, Warehouses, bit};
use machines::message::{Cause, Context, CustomerMessage, Place, ToCustomer};
use schemas::events::Event;
use schemas::hash::Hasher;
use schemas::id::{EventId, OrderId, ProductId};

/// Two lines of memory; every message reads both.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Product {
    pub(super) id: ProductId,
    pub(super) chains: Chains,
    pub(super) stock: Stock,
    pub(super) listing: Option<Catalogued>,
    /// Units that the greediest waiting line asks, or more: below this, somebody is refused.
    pub(super) asked_max: u32,
    pub(super) row_changed: bool,
    /// Whose rows changed, see [`machines::inventory::bit`].
    pub(super) levels_changed: u32,
}

impl Product {
    pub(super) fn new(id: ProductId) -> Self {
        Self {
            id,
            listing: None,
            stock: Stock::default(),
            chains: Chains::EMPTY,
            asked_max: 0,
            row_changed: false,
            levels_changed: 0,
        }
    }

    /// Whether there is nothing to be known of it.
    pub(super) fn is_blank(&self) -> bool {
        self.listing.is_none() && self.stock.levels().is_empty() && self.chains == Chains::EMPTY
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

    /// Of what begins with one record or timer, no two events of a kind are about one product and
    /// one order or action; where a record is on the log twice, its offset tells them apart.
    #[expect(clippy::cast_possible_truncation, reason = "near records differ in the last bits")]
    pub(super) fn emit(&mut self, origin: Origin, correlation: [u64; 2], event: Event) {
        let ([hi, lo], [_, offset]) = (correlation, origin.cause.words());
        self.mix(&[hi ^ event.kind() as u64, lo ^ offset]);
        self.out.events.push(Decided {
            key: self.product.id.0,
            cause_id: origin.cause_id,
            correlation,
            serial: offset as u32,
            group: self.product.id.0.group(),
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

    /// Marks the row of a claim that was changed, or ended.
    pub(super) fn touch_claim(&mut self, at: u32, order: OrderId) {
        if self.claims.find(self.at, order, Place::new(at)).is_none() {
            self.changed.ended.push((self.at, order));
        } else if self.claims.mark(at) {
            self.changed.claims.push(at);
        }
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
