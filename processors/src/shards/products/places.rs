//! Where a product lies, and which products are kept at all: those that were listed or stocked.

use super::product::Product;
use super::{Products, product_of};
#[cfg(test)]
use machines::message::Place;
use machines::message::{ProductMessage, ToProduct};
#[cfg(test)]
use schemas::id::OrderId;
use schemas::id::ProductId;
use std::hint::black_box;

/// So many messages are looked at together: enough to keep the memory busy.
pub const AHEAD: usize = 64;

impl Products {
    /// Reads what these messages will need: their products, stock levels and claims. Each step is
    /// taken for all of them before the next, so that they wait for memory together.
    pub fn look_ahead(&self, messages: &[ToProduct]) {
        let mut tags = [self.index.tag(ProductId::default()); AHEAD];
        let (mut places, mut known) = ([0; AHEAD], 0);
        let mut seen = 0;
        let messages = &messages[..messages.len().min(AHEAD)];
        for (tag, message) in tags.iter_mut().zip(messages) {
            *tag = self.index.tag(product_of(&message.body));
            seen ^= self.index.touch(*tag);
        }
        for (tag, message) in tags.iter().zip(messages) {
            if let Some(at) = self.index.guess(*tag) {
                places[known] = at;
                known += 1;
            }
            if let Some(claim) = claim_of(&message.body) {
                seen ^= self.claims.touch(claim);
            }
        }
        let places = &places[..known];
        for at in places {
            let product = self.products.get(*at);
            seen ^= product.levels_changed ^ product.chains.reserved.last().unwrap_or_default();
        }
        for at in places {
            let product = self.products.get(*at);
            let levels = product.stock.levels();
            if let (Some(first), Some(last)) = (levels.first(), levels.last()) {
                seen ^= first.on_hand ^ last.version;
            }
            if let Some(last) = product.chains.reserved.last() {
                seen ^= self.claims.touch(last);
            }
        }
        black_box(seen);
    }

    #[cfg(test)]
    pub(super) fn product(&self, id: ProductId) -> Option<&Product> {
        self.find(id).map(|at| self.products.get(at))
    }

    /// The place of a claim, as its order was told it.
    #[cfg(test)]
    pub(super) fn told(&self, id: ProductId, order: OrderId) -> Place {
        self.product(id).map_or(Place::UNKNOWN, |known| self.claims.search(known.chains, order))
    }

    pub(super) fn find(&self, id: ProductId) -> Option<u32> {
        self.index.find(self.index.tag(id), |at| self.products.get(at).id == id)
    }

    pub(super) fn find_or_insert(&mut self, id: ProductId) -> u32 {
        self.find(id).unwrap_or_else(|| {
            let at = self.products.insert(Product::new(id));
            self.index.insert(self.index.tag(id), at);
            at
        })
    }

    pub(super) fn forget_if_blank(&mut self, at: u32) {
        if self.products.get(at).is_blank() {
            let Product { id, .. } = self.products.remove(at);
            self.index.remove(self.index.tag(id), at);
        }
    }
}

fn claim_of(body: &ProductMessage) -> Option<u32> {
    match body {
        ProductMessage::Secure { place, .. }
        | ProductMessage::Release { place, .. }
        | ProductMessage::Confirm { place, .. }
        | ProductMessage::Expire { place, .. } => place.number(),
        ProductMessage::Warehouse(_)
        | ProductMessage::Record(_)
        | ProductMessage::Reserve(_)
        | ProductMessage::AskPrice { .. } => None,
    }
}
