//! What goes into a cart, and who waits for a price.
//!
//! An item that is added, or set, asks its product what it costs; the answer comes a round later.
//! Until then the customer's later actions wait, in the order in which they were acknowledged, and
//! those that may need a price ask at once too: so all that came in one epoch is decided in it,
//! and a read of the epoch sees it.

use super::super::Out;
use super::press::Origin;
use super::{Customers, digest};
use crate::shards::keys::Key;
use machines::cart::{self, Cart, Setting};
use machines::message::{Cause, Context, ProductMessage, ToProduct};
use schemas::events::Event;
use schemas::events::customer_actions::{CartItemAddRequested, CartItemSetRequested};
use schemas::events::orders::{CartChanged, CustomerActionRejected, Reason};
use schemas::id::{ActionId, CustomerId, OrderId, ProductId};
use schemas::money::Currency;
use sinks::view_store::rows::RejectionRow;

/// What a product said one unit costs, or why it cannot be bought.
pub(super) type Quote = Result<(i64, Currency), Reason>;

/// An action in the line of its customer.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    origin: Origin,
    event: Box<Event>,
    quote: Asked,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    /// It needs no price.
    Never,
    /// The price is under way.
    Open,
    /// The price was told.
    Told(Quote),
}

impl Customers {
    /// Puts an action at the end of its customer's line, and asks for the price it may need.
    pub(super) fn wait(
        &mut self,
        origin: Origin,
        customer: CustomerId,
        event: Box<Event>,
        out: &mut Out<ToProduct>,
    ) {
        let question = question(customer, &event);
        let quote = if question.is_some() { Asked::Open } else { Asked::Never };
        let Origin { cause, cause_id } = origin;
        out.messages.extend(question.map(|body| ToProduct { cause, cause_id, body }));
        self.waiting.entry(customer).or_default().push_back(Waiting { origin, event, quote });
    }

    /// Takes in a price, then decides the actions in the line up to the next that has none yet.
    pub(super) fn price(
        &mut self,
        context: &Context,
        cause: Cause,
        customer: CustomerId,
        quote: Quote,
        out: &mut Out<ToProduct>,
    ) {
        let line = self.waiting.get_mut(&customer).into_iter().flatten();
        let asked = line.into_iter().find(|waiting| waiting.origin.cause == cause);
        asked.expect("a price is told to who asked for it").quote = Asked::Told(quote);
        while let Some(line) = self.waiting.get_mut(&customer) {
            let quote = match line.front().map(|first| first.quote) {
                None => {
                    self.waiting.remove(&customer);
                    return;
                }
                Some(Asked::Open) => return,
                Some(Asked::Never) => None,
                Some(Asked::Told(quote)) => Some(quote),
            };
            if let Some(Waiting { origin, event, .. }) = line.pop_front() {
                self.action(context, origin, customer, *event, quote, out);
            }
        }
    }

    pub(super) fn cart_add(
        &mut self,
        context: &Context,
        origin: Origin,
        add: &CartItemAddRequested,
        quote: Quote,
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
                self.put(
                    context,
                    origin,
                    (customer, action),
                    (add.product_id, add.quantity),
                    quote,
                    out,
                );
            }
        }
    }

    pub(super) fn cart_set(
        &mut self,
        context: &Context,
        origin: Origin,
        set: &CartItemSetRequested,
        quote: Option<Quote>,
        out: &mut Out<ToProduct>,
    ) {
        let (customer, action) = (set.customer_id, set.action_id);
        let (product, quantity) = (set.product_id, set.quantity);
        let empty = Cart::default();
        let cart = self.carts.get(&customer).unwrap_or(&empty);
        match cart.decide_set(product, quantity) {
            Ok(Setting::Change(event)) => {
                self.change_cart(context, origin, customer, action, event, out);
            }
            Ok(Setting::Nothing) => out.digest(digest::of_duplicate(origin.cause_id)),
            Ok(Setting::PriceWanted) => {
                let quote = quote.expect("what may need a price has asked for it");
                self.put(context, origin, (customer, action), (product, quantity), quote, out);
            }
            Err(reason) => self.reject(origin, customer, action, reason, None, out),
        }
    }

    /// Puts more of a product in at the price that was told.
    fn put(
        &mut self,
        context: &Context,
        origin: Origin,
        (customer, action): (CustomerId, ActionId),
        (product, quantity): (ProductId, u32),
        quote: Quote,
        out: &mut Out<ToProduct>,
    ) {
        let empty = Cart::default();
        let cart = self.carts.get(&customer).unwrap_or(&empty);
        let decision =
            quote.and_then(|(price, currency)| cart.decide_add(product, quantity, price, currency));
        match decision {
            Ok(event) => self.change_cart(context, origin, customer, action, event, out),
            Err(reason) => self.reject(origin, customer, action, reason, None, out),
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

/// What an action may have to ask its product; nothing if it never needs a price.
pub(super) fn question(customer: CustomerId, event: &Event) -> Option<ProductMessage> {
    let (product, action, quantity) = if let Event::CartItemAddRequested(add) = event {
        (add.product_id, add.action_id, add.quantity)
    } else if let Event::CartItemSetRequested(set) = event
        && set.quantity > 0
    {
        (set.product_id, set.action_id, set.quantity)
    } else {
        return None;
    };
    Some(ProductMessage::AskPrice { product, customer, action, quantity })
}
