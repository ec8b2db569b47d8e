//! What goes into a cart, and who waits for a price.
//!
//! An item that is not in the cart, or of which more is wanted, asks its product what it costs;
//! the answer comes a round later. Until then the customer's later actions wait, in the order in
//! which they were acknowledged.

use super::super::Out;
use super::press::Origin;
use super::{Customers, digest};
use crate::shards::keys::Key;
use machines::cart::{self, Setting};
use machines::message::{Context, CustomerMessage, ProductMessage, ToCustomer, ToProduct};
use schemas::events::Event;
use schemas::events::customer_actions::{CartItemAddRequested, CartItemSetRequested};
use schemas::events::orders::{CartChanged, CustomerActionRejected, Reason};
use schemas::id::{ActionId, CustomerId, OrderId, ProductId};
use schemas::money::Currency;
use sinks::view_store::rows::RejectionRow;

impl Customers {
    pub(super) fn cart_add(
        &mut self,
        context: &Context,
        origin: Origin,
        add: &CartItemAddRequested,
        out: &mut Out<ToProduct>,
    ) {
        let (customer, action) = (add.customer_id, add.action_id);
        match self.keys.claim(context.now, customer.0, add.idempotency_key.hash(), action) {
            Key::Same => out.digest(digest::of_duplicate(origin.cause_id)),
            Key::Reused => {
                let reason = Reason::IdempotencyKeyReused;
                self.reject(origin, customer, action, reason, None, out);
            }
            Key::Fresh => {
                let (product, quantity) = (add.product_id, add.quantity);
                let body = ProductMessage::AskPrice { product, customer, action, quantity };
                self.ask_price(origin, customer, body, add.clone().into(), out);
            }
        }
    }

    pub(super) fn cart_set(
        &mut self,
        context: &Context,
        origin: Origin,
        set: &CartItemSetRequested,
        out: &mut Out<ToProduct>,
    ) {
        let (customer, action) = (set.customer_id, set.action_id);
        let (product, quantity) = (set.product_id, set.quantity);
        let cart = self.carts.entry(customer).or_default();
        match cart.decide_set(product, quantity) {
            Ok(Setting::Change(event)) => {
                self.change_cart(context, origin, customer, action, event, out);
            }
            Ok(Setting::Nothing) => out.digest(digest::of_duplicate(origin.cause_id)),
            Ok(Setting::PriceWanted) => {
                let body = ProductMessage::AskPrice { product, customer, action, quantity };
                self.ask_price(origin, customer, body, set.clone().into(), out);
            }
            Err(reason) => self.reject(origin, customer, action, reason, None, out),
        }
    }

    fn ask_price(
        &mut self,
        Origin { cause, cause_id }: Origin,
        customer: CustomerId,
        question: ProductMessage,
        action: Event,
        out: &mut Out<ToProduct>,
    ) {
        out.messages.push(ToProduct { cause, cause_id, body: question });
        let body = CustomerMessage::Record(Box::new(action));
        // In front: an action that came out of the list asks while others still wait in it.
        let waiting = self.waiting.entry(customer).or_default();
        waiting.push_front(ToCustomer { cause, cause_id, body });
    }

    /// Takes in a price, then decides the actions that waited for it, up to the next that asks.
    pub(super) fn price(
        &mut self,
        context: &Context,
        customer: CustomerId,
        action: ActionId,
        product: ProductId,
        price: Result<(i64, Currency), Reason>,
        out: &mut Out<ToProduct>,
    ) {
        let mut waiting = self.waiting.remove(&customer).unwrap_or_default();
        let asked = waiting.pop_front().expect("a price is told to who asked for it");
        let origin = Origin { cause: asked.cause, cause_id: asked.cause_id };
        let CustomerMessage::Record(event) = asked.body else {
            unreachable!("only records wait for a price")
        };
        let (asked_by, quantity) = if let Event::CartItemAddRequested(add) = &*event {
            (add.action_id, add.quantity)
        } else if let Event::CartItemSetRequested(set) = &*event {
            // Not in the cart when the price was asked for, and nothing went in since.
            (set.action_id, set.quantity)
        } else {
            unreachable!("{:?} asks for no price", event.kind())
        };
        assert_eq!(asked_by, action, "a price is told to who asked for it");
        let cart = self.carts.entry(customer).or_default();
        let decision =
            price.and_then(|(price, currency)| cart.decide_add(product, quantity, price, currency));
        match decision {
            Ok(event) => self.change_cart(context, origin, customer, action, event, out),
            Err(reason) => self.reject(origin, customer, action, reason, None, out),
        }
        self.resume(context, customer, waiting, out);
    }

    fn resume(
        &mut self,
        context: &Context,
        customer: CustomerId,
        mut waiting: std::collections::VecDeque<ToCustomer>,
        out: &mut Out<ToProduct>,
    ) {
        while let Some(message) = waiting.pop_front() {
            let origin = Origin { cause: message.cause, cause_id: message.cause_id };
            let CustomerMessage::Record(event) = message.body else {
                unreachable!("only records wait for a price")
            };
            self.action(context, origin, customer, *event, out);
            if let Some(asking) = self.waiting.get_mut(&customer) {
                asking.append(&mut waiting);
                return;
            }
        }
    }

    fn change_cart(
        &mut self,
        context: &Context,
        origin: Origin,
        customer_id: CustomerId,
        action: ActionId,
        event: cart::Event,
        out: &mut Out<ToProduct>,
    ) {
        let cart = self.carts.entry(customer_id).or_default();
        cart.evolve(event, context.now);
        let version = cart.version();
        let cart::Event::Changed { item, currency } = event else {
            unreachable!("a cart is cleared by a checkout alone")
        };
        let (product_id, quantity, price) = (item.product_id, item.quantity, item.price);
        let event = CartChanged { customer_id, product_id, quantity, price, currency, version };
        self.press.publish_of_cart(origin, customer_id, action, event.into(), out);
    }

    pub(super) fn reject(
        &mut self,
        origin: Origin,
        customer_id: CustomerId,
        action_id: ActionId,
        reason: Reason,
        order_id: Option<OrderId>,
        out: &mut Out<ToProduct>,
    ) {
        let event = CustomerActionRejected { customer_id, action_id, reason, order_id };
        let row = RejectionRow { action_id, reason, order_id };
        self.press.reject(origin, customer_id, row, event, out);
    }
}
