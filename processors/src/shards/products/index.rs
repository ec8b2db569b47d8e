//! Where a product lies, and which products are kept at all: those that were listed or stocked.

use super::Products;
use super::product::Product;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use machines::message::Context;
use schemas::id::ProductId;
use std::hash::BuildHasher;

/// Products by id.
#[derive(Debug)]
pub(super) struct Index {
    hashing: FixedState,
    places: HashTable<u32>,
    /// How many events of this epoch have a product as key that is not kept.
    strays: HashMap<ProductId, u32, FixedState>,
    epoch: u64,
}

impl Index {
    pub(super) fn new(hashing: FixedState) -> Self {
        let strays = HashMap::with_hasher(hashing.clone());
        Self { hashing, places: HashTable::new(), strays, epoch: 0 }
    }

    fn hash(&self, id: ProductId) -> u64 {
        self.hashing.hash_one(id)
    }
}

impl Products {
    #[cfg(test)]
    pub(super) fn product(&self, id: ProductId) -> Option<&Product> {
        let places = &self.index.places;
        let at = places.find(self.index.hash(id), |at| self.products.get(*at).id == id)?;
        Some(self.products.get(*at))
    }

    pub(super) fn find_or_insert(&mut self, context: &Context, id: ProductId) -> u32 {
        let hash = self.index.hash(id);
        if let Some(at) = self.index.places.find(hash, |at| self.products.get(*at).id == id) {
            return *at;
        }
        if self.index.epoch != context.epoch {
            self.index.epoch = context.epoch;
            self.index.strays.clear();
        }
        let events = self.index.strays.remove(&id).unwrap_or(0);
        let at = self.products.insert(Product::new(id, context.epoch, events));
        let (products, hashing) = (&self.products, &self.index.hashing);
        let rehash = |at: &u32| hashing.hash_one(products.get(*at).id);
        self.index.places.insert_unique(hash, at, rehash);
        at
    }

    pub(super) fn forget_if_blank(&mut self, at: u32) {
        if !self.products.get(at).is_blank() {
            return;
        }
        let product = self.products.remove(at);
        let hash = self.index.hash(product.id);
        if let Ok(found) = self.index.places.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        if product.events > 0 {
            self.index.strays.insert(product.id, product.events);
        }
    }
}
