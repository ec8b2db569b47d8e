//! How a checkout becomes an order, exactly once.
//!
//! An order whose id is known is a repetition, however old. A key that stands for another action,
//! an empty cart, too much of a product: the order exists, rejected, and nothing is asked for.

use super::super::Out;
use super::book::{Placed, SETTLED};
use super::past::Known;
use super::press::Origin;
use super::{Customers, digest};
use crate::shards::keys::Key;
use machines::cart;
use machines::message::{Context, ProductMessage, Reserve, ToProduct};
use machines::order::{Order, Terms};
use schemas::events::customer_actions::CheckoutRequested;
use schemas::events::lines::OrderLine;
use schemas::events::orders::{CartCleared, OrderRejected, OrderRequested, Reason};
use schemas::id::OrderId;
use schemas::limits::{LINES_MAX, PRICE_MAX, QUANTITY_MAX};

impl Customers {
    pub(super) fn checkout(
        &mut self,
        context: &Context,
        origin: Origin,
        checkout: CheckoutRequested,
        out: &mut Out<ToProduct>,
    ) {
        let (id, customer) = (checkout.order_id, checkout.customer_id);
        match self.know(context, id) {
            Known::Never => {}
            Known::Placed(_) => return out.digest(digest::of_duplicate(origin.cause_id)),
            Known::Past(_) => {
                out.late += 1;
                return out.digest(digest::of_duplicate(origin.cause_id));
            }
        }
        let key = checkout.idempotency_key.hash();
        let reused = match self.keys.claim(context.now, customer.0, key, id.action()) {
            // The order of a key that stands for it is known: this key was a cart action's.
            Key::Fresh | Key::Same => false,
            Key::Reused => true,
        };
        let terms = Terms {
            customer,
            currency: checkout.currency,
            region: checkout.region,
            payment_method: checkout.payment_method,
        };
        let from_cart = checkout.lines.is_none();
        let (lines, verdict) = match checkout.lines {
            Some(lines) => judge(lines),
            None if reused => (Vec::new(), Ok(())),
            None => self.cart_lines(terms),
        };
        let verdict = if reused { Err(Reason::IdempotencyKeyReused) } else { verdict };
        if from_cart && verdict.is_ok() {
            self.clear_cart(context, origin, id, terms, out);
        }
        self.place(context, origin, id, terms, lines, verdict, out);
    }

    fn cart_lines(&self, terms: Terms) -> (Vec<OrderLine>, Result<(), Reason>) {
        let Some(cart) = self.carts.get(&terms.customer) else {
            return (Vec::new(), Err(Reason::EmptyCart));
        };
        let (lines, verdict) = judge(cart.items().to_vec());
        let differs = cart.currency().is_some_and(|currency| currency != terms.currency);
        (lines, if differs { Err(Reason::CurrencyMismatch) } else { verdict })
    }

    fn clear_cart(
        &mut self,
        context: &Context,
        origin: Origin,
        id: OrderId,
        terms: Terms,
        out: &mut Out<ToProduct>,
    ) {
        let cart = self.carts.entry(terms.customer).or_default();
        cart.evolve(cart::Event::Cleared, context.now);
        let event = CartCleared { customer_id: terms.customer, version: cart.version() };
        self.press.publish_of_cart(origin, terms.customer, id.action(), event.into(), out);
    }

    /// Opens the order; asks for its lines, or rejects it at once.
    #[expect(clippy::too_many_arguments, reason = "all that an order is made of, once")]
    fn place(
        &mut self,
        context: &Context,
        origin: Origin,
        id: OrderId,
        terms: Terms,
        lines: Vec<OrderLine>,
        verdict: Result<(), Reason>,
        out: &mut Out<ToProduct>,
    ) {
        let order = match verdict {
            Ok(()) => Order::requested(terms, &lines, context.deadline),
            Err(reason) => Order::rejected(terms, &lines, reason),
        };
        let deadline = context.deadline;
        let (order_id, customer_id) = (id, terms.customer);
        let event = OrderRequested {
            order_id,
            customer_id,
            lines,
            currency: terms.currency,
            region: terms.region,
            payment_method: terms.payment_method,
            expires_at: deadline,
        };
        if verdict.is_ok() {
            self.timers.set(deadline, id);
            out.digest(digest::of_timer_set(id, deadline));
            ask(context, origin, id, &order, out);
        }
        out.digest(digest::of_order(id, order.state(), order.payment().word(), 0));
        let at = self.orders.insert(Placed {
            id,
            order,
            created_at: context.now,
            updated_at: context.now,
            version: 0,
            events: 0,
            unsettled: SETTLED,
        });
        self.publish(context, origin, at, event.into(), out);
        if let Err(reason) = verdict {
            let event = OrderRejected { order_id, customer_id, reason, lines: Vec::new() };
            self.publish(context, origin, at, event.into(), out);
            self.past.expect(context, self.orders.get(at));
        }
    }
}

/// Asks products for all lines of an order: at the price the shopper saw, until the deadline; or,
/// where it was paid already, at whatever price and for good.
pub(super) fn ask(
    context: &Context,
    Origin { cause, cause_id }: Origin,
    id: OrderId,
    order: &Order,
    out: &mut Out<ToProduct>,
) {
    let paid = order.payment().is_paid();
    let alone = order.lines().len() == 1;
    for (line, asked) in (0..).zip(order.lines()) {
        let reserve = Reserve {
            product: asked.product,
            order: id,
            line,
            alone,
            quantity: asked.quantity,
            price: (!paid).then_some(asked.price),
            currency: order.payment().currency(),
            region: order.region(),
            expires_at: if paid { schemas::time::Timestamp::MAX } else { context.deadline },
        };
        out.messages.push(ToProduct { cause, cause_id, body: ProductMessage::Reserve(reserve) });
    }
}

/// One line a product, at the price of its first mention; and whether an order may have them.
fn judge(mut lines: Vec<OrderLine>) -> (Vec<OrderLine>, Result<(), Reason>) {
    merge(&mut lines);
    let within = |line: &OrderLine| {
        (1..=QUANTITY_MAX).contains(&line.quantity) && (0..=PRICE_MAX).contains(&line.price)
    };
    let verdict = if lines.is_empty() {
        Err(Reason::EmptyCart)
    } else if lines.len() <= LINES_MAX && lines.iter().all(within) {
        Ok(())
    } else {
        Err(Reason::LimitExceeded)
    };
    (lines, verdict)
}

/// Orders are short, at most [`LINES_MAX`] lines: looking back is cheaper than a map.
fn merge(lines: &mut Vec<OrderLine>) {
    let mut kept = 0;
    for at in 0..lines.len() {
        let line = lines[at];
        match lines[..kept].iter_mut().find(|earlier| earlier.product_id == line.product_id) {
            Some(earlier) => earlier.quantity = earlier.quantity.saturating_add(line.quantity),
            None => {
                lines[kept] = line;
                kept += 1;
            }
        }
    }
    lines.truncate(kept);
}
