//! A double of products: honest about stock, in one warehouse, without safety stock, routing or
//! retries. It keeps the promises of `message.rs`: canonical order, each reserve answered once,
//! and it panics where customers break theirs.

use machines::message::{
    Context, CustomerMessage, Place, ProductMessage, Reserve, ToCustomer, ToProduct,
};
use schemas::events::lines::{Level, Split};
use schemas::events::orders::Reason;
use schemas::id::{OrderId, ProductId, WarehouseId};
use schemas::money::Currency;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What the double keeps of a product.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) available: u32,
    pub(super) price: i64,
    pub(super) currency: Currency,
}

/// A claim of an order's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Reserved(u32),
    Allocated(u32),
}

#[derive(Clone, Debug, Default)]
pub(super) struct ProductsDouble {
    pub(super) shelves: BTreeMap<ProductId, Shelf>,
    pub(super) held: BTreeMap<(OrderId, u16), (ProductId, Held)>,
    /// Reserves that wait, each with the rounds it still does; and how many it does at first.
    pub(super) queue: Vec<(u32, ToProduct)>,
    pub(super) slow: u32,
    /// Lines whose reservation an adjustment took: a confirm may be under way to them.
    pub(super) revoked: BTreeSet<(OrderId, u16)>,
    /// Adjustments to make before anything else of the next round.
    pub(super) adjustments: Vec<(ProductId, u32)>,
}

impl ProductsDouble {
    pub(super) fn apply(&mut self, context: &Context, sent: Vec<ToProduct>) -> Vec<ToCustomer> {
        let mut keys = HashSet::new();
        for message in &sent {
            assert!(keys.insert(message.sort_key()), "two messages agree in place: {message:?}");
        }
        let mut replies = Vec::new();
        for (product, quantity) in std::mem::take(&mut self.adjustments) {
            self.adjust(product, quantity, &mut replies);
        }
        let mut sent = sent;
        sent.sort_by_key(ToProduct::sort_key);
        for message in sent {
            self.one(message, &mut replies);
        }
        for (rounds, message) in std::mem::take(&mut self.queue) {
            if rounds > 0 {
                self.queue.push((rounds - 1, message));
            } else if let ProductMessage::Reserve(reserve) = message.body
                // A place in the queue lapses with the order.
                && reserve.expires_at > context.now
            {
                replies.push(self.reserve(&message, reserve));
            }
        }
        replies
    }

    fn one(&mut self, message: ToProduct, replies: &mut Vec<ToCustomer>) {
        let (cause, cause_id) = (message.cause, message.cause_id);
        match message.body {
            ProductMessage::Reserve(_) => self.queue.push((self.slow, message)),
            ProductMessage::Release { order, line, .. } => {
                self.queue.retain(|(_, waiting)| {
                    let ProductMessage::Reserve(reserve) = &waiting.body else { return true };
                    (reserve.order, reserve.line) != (order, line)
                });
                self.give_back(order, line);
            }
            ProductMessage::Expire { order, line, .. } => {
                if let Some((_, Held::Reserved(_))) = self.held.get(&(order, line)) {
                    self.give_back(order, line);
                }
            }
            ProductMessage::Confirm { order, line, .. }
                if self.revoked.contains(&(order, line))
                    && !self.held.contains_key(&(order, line)) => {}
            ProductMessage::Confirm { order, line, .. } => {
                let (_, held) =
                    self.held.get_mut(&(order, line)).expect("confirmed what is not held");
                let Held::Reserved(quantity) = *held else {
                    panic!("confirmed twice: {order} {line}")
                };
                *held = Held::Allocated(quantity);
            }
            ProductMessage::Secure { order, line, .. } => {
                let held = self.held.get(&(order, line)).map(|(_, held)| *held);
                assert!(
                    matches!(held, Some(Held::Reserved(_)))
                        || self.revoked.contains(&(order, line)),
                    "secured {held:?}: {order} {line}"
                );
            }
            ProductMessage::AskPrice { product, customer, action, quantity } => {
                let shelf = self.shelves.get(&product);
                let price = shelf.map(|shelf| (shelf.price, shelf.currency));
                let price = price.ok_or(Reason::UnknownProduct);
                let body = CustomerMessage::Price { customer, action, product, quantity, price };
                replies.push(ToCustomer { cause, cause_id, body });
            }
            ProductMessage::Record(_) | ProductMessage::Warehouse(_) => {
                panic!("customers do not send records")
            }
        }
    }

    fn reserve(&mut self, message: &ToProduct, reserve: Reserve) -> ToCustomer {
        let Reserve { product, order, line, quantity, .. } = reserve;
        let (reason, available) = match self.shelves.get_mut(&product) {
            None => (Some(Reason::UnknownProduct), 0),
            Some(shelf) if reserve.price.is_some_and(|price| price != shelf.price) => {
                (Some(Reason::PriceChanged), shelf.available)
            }
            Some(shelf) if shelf.available < quantity => {
                (Some(Reason::OutOfStock), shelf.available)
            }
            Some(shelf) => {
                shelf.available -= quantity;
                let held = self.held.insert((order, line), (product, Held::Reserved(quantity)));
                assert_eq!(held, None, "reserved twice: {order} {line}");
                (None, 0)
            }
        };
        let body = match reason {
            Some(reason) => CustomerMessage::Refused { order, line, reason, available },
            None => {
                let warehouse_id = WarehouseId::parse("A").expect("legal");
                let levels = Split::One(Level { warehouse_id, quantity });
                CustomerMessage::Reserved { order, line, levels, place: Place::UNKNOWN }
            }
        };
        ToCustomer { cause: message.cause, cause_id: message.cause_id, body }
    }

    fn give_back(&mut self, order: OrderId, line: u16) {
        if let Some((product, Held::Reserved(quantity) | Held::Allocated(quantity))) =
            self.held.remove(&(order, line))
        {
            self.shelves.get_mut(&product).expect("held of a shelf").available += quantity;
        }
    }

    /// Takes units away: from what is available, then from the newest reservations, whole.
    fn adjust(&mut self, product: ProductId, quantity: u32, replies: &mut Vec<ToCustomer>) {
        let shelf = self.shelves.get_mut(&product).expect("a shelf to adjust");
        let free = quantity.min(shelf.available);
        shelf.available -= free;
        let mut missing = quantity - free;
        while missing > 0 {
            let newest = self.held.iter().rev().find_map(|(key, (of, held))| match held {
                Held::Reserved(units) if *of == product => Some((*key, *units)),
                Held::Reserved(_) | Held::Allocated(_) => None,
            });
            let Some(((order, line), units)) = newest else { return };
            self.held.remove(&(order, line));
            self.revoked.insert((order, line));
            let taken = units.min(missing);
            missing -= taken;
            self.shelves.get_mut(&product).expect("a shelf").available += units - taken;
            replies.push(ToCustomer {
                cause: machines::message::Cause::default(),
                cause_id: schemas::id::EventId::default(),
                body: CustomerMessage::Revoked { order, line },
            });
        }
    }
}
