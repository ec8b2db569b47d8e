//! What of customers goes into a checkpoint, and comes back. Timers are not saved: an order that
//! waits for its payment has one.

use super::Customers;
use super::book::Placed;
use super::past::PastOrder;
use crate::checkpoints::snapshot::{Kind, Snapshot};
use crate::shards::keys::Kept;
use machines::cart::Cart;
use schemas::id::CustomerId;
use schemas::time::Timestamp;

/// An entry as it was saved.
#[derive(Debug)]
pub enum Saved {
    /// An order.
    Order(Placed),
    /// An order that is past.
    Past(PastOrder),
    /// A cart.
    Cart(CustomerId, Cart),
    /// An idempotency key.
    Key(Kept),
}

impl Customers {
    /// From now on it is kept what changed since state was last saved.
    pub fn keep_changes(&mut self) {
        self.orders.unsaved.keep();
        self.past.unsaved.keep();
    }

    /// Saves what changed since the last call; at an epoch's end, when its rows are taken.
    ///
    /// # Panics
    /// If an action still waits for a price: products answer within the epoch.
    pub fn save(&mut self, snapshot: &mut Snapshot) {
        assert!(self.waiting.is_empty(), "I16: an action waits for its price beyond its epoch");
        for id in std::mem::take(&mut self.orders.left) {
            snapshot.remove(id.group(), Kind::Order, &id.to_bytes());
        }
        for at in self.past.unsaved.take() {
            let past = self.past.get(at);
            snapshot.put(past.id.group(), Kind::PastOrder, &past.id.to_bytes(), past);
        }
        for at in self.orders.unsaved.take() {
            let Some(placed) = self.orders.peek(at) else { continue };
            snapshot.put(placed.id.group(), Kind::Order, &placed.id.to_bytes(), placed);
        }
        let mut carts = std::mem::take(&mut self.unsaved_carts);
        carts.sort_unstable();
        carts.dedup();
        for customer in carts {
            let cart = self.carts.get(&customer).expect("a cart that changed is there");
            let key = customer.0.to_bytes();
            snapshot.put(customer.0.group(), Kind::Cart, &key, &(customer, cart));
        }
        self.keys.save(Kind::CustomerKey, snapshot);
    }

    /// Takes in an entry as it was saved.
    pub fn load(&mut self, saved: Saved) {
        match saved {
            Saved::Order(placed) => {
                let deadline = placed.order.expires_at();
                if placed.order.decide_expiry(Timestamp::MAX).is_some()
                    && let Some(deadline) = deadline
                {
                    self.timers.set(deadline, placed.id);
                }
                self.past.expect_loaded(&placed);
                self.orders.load(placed);
            }
            Saved::Past(order) => {
                self.past.load(order);
            }
            Saved::Cart(customer, cart) => {
                self.carts.insert(customer, cart);
            }
            Saved::Key(key) => self.keys.load(key),
        }
    }

    /// All are loaded, as of this time.
    pub fn end_load(&mut self, now: Timestamp) {
        self.keys.end_load(now);
        self.past.sort();
    }
}
