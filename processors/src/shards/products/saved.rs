//! What of products goes into a checkpoint, and comes back. A claim is an entry of its own, so that
//! one more order of a product that sells well does not save all that were before.
//!
//! Places are numbers of this process's memory and are not saved: whoever was told one finds its
//! claim by product and order afterwards, and nobody else does.

use super::Products;
use super::product::Product;
use crate::checkpoints::snapshot::{EVERYONE, Kind, Snapshot};
use crate::shards::keys::Kept;
use machines::catalog::Catalogued;
use machines::inventory::Stock;
use machines::reservation::Claim;
use schemas::id::{OrderId, ProductId};
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sinks::view_store::rows::WarehouseRow;

#[derive(Serialize)]
struct ProductOut<'a> {
    id: ProductId,
    listing: Option<&'a Catalogued>,
    stock: &'a Stock,
    asked_max: u32,
}

/// An entry as it was saved.
#[derive(Debug)]
pub enum Saved {
    /// A warehouse.
    Warehouse(WarehouseRow),
    /// A product.
    Product(ProductIn),
    /// A claim on a product that is there.
    Claim(ClaimIn),
    /// An idempotency key.
    Key(Kept),
}

/// A product as it was saved.
#[derive(Debug, Deserialize)]
pub struct ProductIn {
    id: ProductId,
    listing: Option<Catalogued>,
    stock: Stock,
    asked_max: u32,
}

#[derive(Serialize)]
struct ClaimOut<'a> {
    product: ProductId,
    order: OrderId,
    claim: &'a Claim,
    linked: u64,
    waited: bool,
}

/// A claim as it was saved.
#[derive(Debug, Deserialize)]
pub struct ClaimIn {
    product: ProductId,
    order: OrderId,
    claim: Claim,
    linked: u64,
    waited: bool,
}

impl Products {
    /// From now on it is kept what changed since state was last saved.
    pub fn keep_changes(&mut self) {
        self.changed.unsaved.keep();
        self.claims.unsaved.keep();
    }

    /// Saves what changed since the last call; at an epoch's end, when its rows are taken.
    pub fn save(&mut self, snapshot: &mut Snapshot) {
        for id in std::mem::take(&mut self.owned.unsaved) {
            let row = self.owned.rows.get(&id).expect("a warehouse is never removed");
            snapshot.put(EVERYONE, Kind::Warehouse, &id.0.to_bytes(), row);
        }
        for at in self.changed.unsaved.take() {
            // Nothing is saved of one that was asked about and is none.
            let Some(product) = self.products.peek(at) else { continue };
            let Product { id, listing, stock, asked_max, .. } = product;
            let (id, listing, asked_max) = (*id, listing.as_ref(), *asked_max);
            let product = ProductOut { id, listing, stock, asked_max };
            snapshot.put(id.0.group(), Kind::Product, &id.0.to_bytes(), &product);
        }
        for (product, order) in std::mem::take(&mut self.claims.ended) {
            let product = self.products.get(product).id;
            snapshot.remove(product.0.group(), Kind::Claim, &claim_key(product, order));
        }
        for at in self.claims.unsaved.take() {
            let Some(entry) = self.claims.peek(at) else { continue };
            let (product, order) = (self.products.get(entry.product).id, entry.order);
            let waited = self.claims.has_waited(entry.product, order);
            let (claim, linked) = (entry.claim(), entry.linked);
            let claim = ClaimOut { product, order, claim, linked, waited };
            snapshot.put(product.0.group(), Kind::Claim, &claim_key(product, order), &claim);
        }
        self.keys.save(Kind::ProductKey, snapshot);
    }

    /// Takes in an entry as it was saved.
    pub fn load(&mut self, saved: Saved) {
        match saved {
            Saved::Warehouse(row) => self.load_warehouse(row),
            Saved::Product(ProductIn { id, listing, stock, asked_max }) => {
                let at = self.find_or_insert(id);
                let product = self.products.get_mut(at);
                (product.listing, product.stock) = (listing, stock);
                product.asked_max = asked_max;
            }
            Saved::Claim(ClaimIn { product, order, claim, linked, waited }) => {
                let product = self.find_or_insert(product);
                let at = self.claims.add(product, order, claim, waited);
                self.claims.restored.insert((product, order), at);
                self.loaded.push((linked, at));
            }
            Saved::Key(key) => self.keys.load(key),
        }
    }

    /// All are loaded, as of this time: each claim takes its place in its chain.
    pub fn end_load(&mut self, now: Timestamp) {
        let mut loaded = std::mem::take(&mut self.loaded);
        loaded.sort_unstable();
        for (linked, at) in &loaded {
            let product = self.products.get_mut(self.claims.get(*at).product);
            self.claims.link_again(&mut product.chains, *at, *linked);
        }
        self.keys.end_load(now);
    }
}

pub(super) fn claim_key(product: ProductId, order: OrderId) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&product.0.to_bytes());
    key[16..].copy_from_slice(&order.to_bytes());
    key
}
