//! All products and stock of one worker.
//!
//! A message is applied in four steps: what of its product is due lapses; the message itself; the
//! lines that wait for the product are served; what changed goes into the digest. A product that
//! nobody listed or stocked is forgotten when its message is done, so asking for made-up products
//! costs no memory.

mod actions;
mod claims;
mod dump;
mod lines;
mod places;
mod product;
mod rows;
mod saved;
#[cfg(test)]
mod tests;
mod warehouses;

use super::Out;
use super::arena::Arena;
use super::index::Index;
use super::keys::Keys;
use claims::Claims;
use foldhash::fast::FixedState;
use machines::inventory::Warehouses;
use machines::message::{Context, ProductMessage, ToCustomer, ToProduct};
pub use places::AHEAD;
use product::{Product, Work};
pub use saved::Saved;
use schemas::hash::Hasher;
use schemas::id::ProductId;

/// All products and stock of one worker.
#[derive(Debug)]
pub struct Products {
    index: Index,
    products: Arena<Product>,
    claims: Claims,
    warehouses: Warehouses,
    owned: warehouses::Owned,
    keys: Keys,
    changed: rows::Changed,
    /// Claims that are loaded and in no chain yet, each with its number among the links.
    loaded: Vec<(u64, u32)>,
}

impl Products {
    /// An empty shard: number `index` of `peers`. `hash_seed` changes nothing that shows: tests
    /// vary it.
    #[must_use]
    pub fn new(hash_seed: u64, index: usize, peers: usize) -> Self {
        let hashing = FixedState::with_seed(hash_seed);
        Self {
            index: Index::new(hashing.clone()),
            products: Arena::new(),
            claims: Claims::new(hashing.clone()),
            warehouses: Warehouses::default(),
            owned: warehouses::Owned::new(index, peers),
            keys: Keys::new(hashing),
            changed: rows::Changed::default(),
            loaded: Vec::new(),
        }
    }

    /// Applies one message; messages come in canonical order.
    ///
    /// # Panics
    /// If an invariant is broken; the message names it.
    pub fn apply(&mut self, context: &Context, message: ToProduct, out: &mut Out<ToCustomer>) {
        let ToProduct { cause, cause_id, body } = message;
        if let ProductMessage::Warehouse(event) = &body {
            return self.put_warehouse(cause, event, &mut out.digest);
        }
        let id = product_of(&body);
        let at = self.find_or_insert(id);
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

    /// Gives up what is remembered of keys that are over. Called once at the start of every epoch.
    pub fn sweep(&mut self, context: &Context) {
        self.keys.forget(context.now);
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
