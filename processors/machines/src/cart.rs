//! What a customer means to buy: at most [`LINES_MAX`] products of one currency, each once, with
//! the price it had when it was put in.
//!
//! Items stand in the order of their ids' bytes. `version` grows by one with each change, also
//! when the cart becomes an order.

use schemas::events::lines::OrderLine;
use schemas::events::orders::Reason;
use schemas::id::ProductId;
use schemas::limits::{LINES_MAX, QUANTITY_MAX};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A change of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An item has a new quantity and price.
    Changed {
        /// Which item; its quantity 0 means that it is gone.
        item: OrderLine,
        /// Of the price.
        currency: Currency,
    },
    /// The cart became an order.
    Cleared,
}

/// What setting an item's quantity comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// This.
    Change(Event),
    /// It stands so already.
    Nothing,
    /// It is not in the cart: its price must be asked for first.
    PriceWanted,
}

/// A cart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cart {
    items: Vec<OrderLine>,
    currency: Option<Currency>,
    version: u64,
    updated_at: Timestamp,
}

impl Cart {
    /// Its items, in the order of their ids' bytes.
    #[must_use]
    pub fn items(&self) -> &[OrderLine] {
        &self.items
    }

    /// Of all prices; none in an empty cart.
    #[must_use]
    pub const fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// Changes so far.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// `now` of the last change.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Puts `quantity` more of a product in, at today's price.
    ///
    /// # Errors
    /// Too many units or products, or another currency than the cart's.
    pub fn decide_add(
        &self,
        product_id: ProductId,
        quantity: u32,
        price: i64,
        currency: Currency,
    ) -> Result<Event, Reason> {
        let there = self.item(product_id).map_or(0, |item| item.quantity);
        let full = there == 0 && self.items.len() == LINES_MAX;
        let quantity = there.saturating_add(quantity);
        if full || quantity > QUANTITY_MAX {
            return Err(Reason::LimitExceeded);
        }
        if self.currency.is_some_and(|cart| cart != currency) {
            return Err(Reason::CurrencyMismatch);
        }
        Ok(Event::Changed { item: OrderLine { product_id, quantity, price }, currency })
    }

    /// Sets the quantity of a product.
    ///
    /// # Errors
    /// Too many units.
    pub fn decide_set(&self, product_id: ProductId, quantity: u32) -> Result<Setting, Reason> {
        if quantity > QUANTITY_MAX {
            return Err(Reason::LimitExceeded);
        }
        Ok(match (self.item(product_id), self.currency) {
            (Some(item), _) if item.quantity == quantity => Setting::Nothing,
            (Some(item), Some(currency)) => {
                Setting::Change(Event::Changed { item: OrderLine { quantity, ..*item }, currency })
            }
            (None, _) | (Some(_), None) if quantity == 0 => Setting::Nothing,
            (None, _) | (Some(_), None) => Setting::PriceWanted,
        })
    }

    /// Takes in a change.
    pub fn evolve(&mut self, event: Event, now: Timestamp) {
        self.version += 1;
        self.updated_at = now;
        match event {
            Event::Changed { item, currency } => {
                match self.items.binary_search_by_key(&item.product_id, |item| item.product_id) {
                    Ok(at) if item.quantity == 0 => {
                        self.items.remove(at);
                    }
                    Ok(at) => self.items[at] = item,
                    Err(at) => self.items.insert(at, item),
                }
                self.currency = (!self.items.is_empty()).then_some(currency);
            }
            Event::Cleared => {
                self.items.clear();
                self.currency = None;
            }
        }
    }

    fn item(&self, product_id: ProductId) -> Option<&OrderLine> {
        let at = self.items.binary_search_by_key(&product_id, |item| item.product_id).ok()?;
        self.items.get(at)
    }
}
