//! All products and stock of one worker.
//!
//! A message is applied in four steps: what of its product is due lapses; the message itself; the
//! lines that wait for the product are served; what changed goes into the digest. A product that
//! nobody listed or stocked is forgotten when its message is done, so asking for made-up products
//! costs no memory.

mod actions;
mod arena;
mod claims;
mod dump;
mod keys;
mod lines;
mod product;
mod rows;
#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it looks for, and draws small numbers"
)]
mod tests;
mod warehouses;

use super::Out;
use arena::Arena;
use claims::Claims;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use keys::Keys;
use machines::inventory::Warehouses;
use machines::message::{Context, ProductMessage, ToCustomer, ToProduct};
use product::{Product, Work};
use schemas::hash::Hasher;
use schemas::id::ProductId;
use std::hash::BuildHasher;

/// All products and stock of one worker.
#[derive(Debug)]
pub struct Products {
    hashing: FixedState,
    index: HashTable<u32>,
    products: Arena<Product>,
    claims: Claims,
    warehouses: Warehouses,
    owned: warehouses::Owned,
    keys: Keys,
    strays: Strays,
    changed: rows::Changed,
}

/// How many events of this epoch have a product as key that is not kept.
#[derive(Debug)]
struct Strays {
    epoch: u64,
    events: HashMap<ProductId, u32, FixedState>,
}

impl Products {
    /// An empty shard: number `index` of `peers`. `hash_seed` changes nothing that shows: tests
    /// vary it.
    #[must_use]
    pub fn new(hash_seed: u64, index: usize, peers: usize) -> Self {
        let hashing = FixedState::with_seed(hash_seed);
        Self {
            hashing: hashing.clone(),
            index: HashTable::new(),
            products: Arena::new(),
            claims: Claims::new(hashing.clone()),
            warehouses: Warehouses::default(),
            owned: warehouses::Owned::new(index, peers),
            keys: Keys::new(hashing.clone()),
            strays: Strays { epoch: 0, events: HashMap::with_hasher(hashing) },
            changed: rows::Changed::default(),
        }
    }

    /// Applies one message; messages come in canonical order.
    ///
    /// # Panics
    /// If an invariant is broken; the message names it.
    pub fn apply(&mut self, context: &Context, message: ToProduct, out: &mut Out<ToCustomer>) {
        let ToProduct { cause, cause_id, body } = message;
        if let ProductMessage::Warehouse(event) = body {
            return self.put_warehouse(cause, &event, &mut out.digest);
        }
        let id = product_of(&body);
        let at = self.find_or_insert(context, id);
        let mut work = Work {
            context,
            cause,
            cause_id,
            product: self.products.get_mut(at),
            at,
            claims: &mut self.claims,
            warehouses: &self.warehouses,
            changed: &mut self.changed,
            digest: Hasher::new(DIGEST).word(cause.words()[0]).word(cause.words()[1]),
            levels_changed: 0,
            out,
        };
        work.lapse();
        work.message(&mut self.keys, body);
        work.serve();
        work.finish();
        self.forget_if_blank(at);
    }

    /// Records that were seen before under the same idempotency key, and ignored.
    #[must_use]
    pub const fn deduplicated(&self) -> u64 {
        self.keys.deduplicated()
    }

    fn hash(hashing: &FixedState, id: ProductId) -> u64 {
        hashing.hash_one(id)
    }

    #[cfg(test)]
    fn product(&self, id: ProductId) -> Option<&Product> {
        let hash = Self::hash(&self.hashing, id);
        let at = self.index.find(hash, |at| self.products.get(*at).id == id)?;
        Some(self.products.get(*at))
    }

    fn find_or_insert(&mut self, context: &Context, id: ProductId) -> u32 {
        let hash = Self::hash(&self.hashing, id);
        if let Some(at) = self.index.find(hash, |at| self.products.get(*at).id == id) {
            return *at;
        }
        if self.strays.epoch != context.epoch {
            self.strays.epoch = context.epoch;
            self.strays.events.clear();
        }
        let events = self.strays.events.remove(&id).unwrap_or(0);
        let at = self.products.insert(Product::new(id, context.epoch, events));
        let (products, hashing) = (&self.products, &self.hashing);
        self.index.insert_unique(hash, at, |at| Self::hash(hashing, products.get(*at).id));
        at
    }

    fn forget_if_blank(&mut self, at: u32) {
        if !self.products.get(at).is_blank() {
            return;
        }
        let product = self.products.remove(at);
        let hash = Self::hash(&self.hashing, product.id);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        if product.events > 0 {
            self.strays.events.insert(product.id, product.events);
        }
    }
}

const DIGEST: u64 = 2;

fn product_of(body: &ProductMessage) -> ProductId {
    match body {
        ProductMessage::Warehouse(_) => ProductId::default(),
        ProductMessage::Record(event) => actions::product_of(event),
        ProductMessage::Reserve(reserve) => reserve.product,
        ProductMessage::Secure { product, .. }
        | ProductMessage::Release { product, .. }
        | ProductMessage::Confirm { product, .. }
        | ProductMessage::Expire { product, .. }
        | ProductMessage::AskPrice { product, .. } => *product,
    }
}
