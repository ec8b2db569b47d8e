//! Which rule an action of a customer comes under, and whose it is.

use super::super::Out;
use super::Customers;
use super::carts::{self, Quote};
use super::press::Origin;
use machines::message::{Context, ToProduct};
use machines::order::Command;
use schemas::events::Event;
use schemas::id::CustomerId;

impl Customers {
    /// A record of `customer-actions`.
    pub(super) fn record(
        &mut self,
        context: &Context,
        origin: Origin,
        event: Box<Event>,
        out: &mut Out<ToProduct>,
    ) {
        if let Event::PaymentReported(report) = &*event {
            let (outcome, amount, currency) = (report.outcome, report.amount, report.currency);
            let command = Command::Payment { outcome, amount, currency };
            return self.command(context, origin, report.order_id, command, out);
        }
        let customer = self.customer_of(&event);
        let stands = !self.waiting.is_empty() && self.waiting.contains_key(&customer);
        if stands || carts::question(customer, &event).is_some() {
            return self.wait(origin, customer, event, out);
        }
        self.action(context, origin, customer, *event, None, out);
    }

    /// Decides a customer's action, before which no other waits, with the price it has asked for.
    pub(super) fn action(
        &mut self,
        context: &Context,
        origin: Origin,
        customer: CustomerId,
        event: Event,
        quote: Option<Quote>,
        out: &mut Out<ToProduct>,
    ) {
        if let Event::CheckoutRequested(checkout) = event {
            self.checkout(context, origin, checkout, out);
        } else if let Event::CancellationRequested(request) = event {
            self.cancel(context, origin, customer, &request, out);
        } else if let Event::CartItemAddRequested(add) = event {
            let quote = quote.expect("an item that is added has asked for its price");
            self.cart_add(context, origin, &add, quote, out);
        } else if let Event::CartItemSetRequested(set) = event {
            self.cart_set(context, origin, &set, quote, out);
        } else {
            unreachable!("whose {:?} it is was found out", event.kind());
        }
    }

    /// Whose action it is. A cancellation of an order that nobody knows has no customer: the
    /// order's own id stands in its place.
    fn customer_of(&self, event: &Event) -> CustomerId {
        if let Event::CheckoutRequested(event) = event {
            event.customer_id
        } else if let Event::CartItemAddRequested(event) = event {
            event.customer_id
        } else if let Event::CartItemSetRequested(event) = event {
            event.customer_id
        } else if let Event::CancellationRequested(event) = event {
            self.whose(event.order_id).unwrap_or_else(|| {
                CustomerId::parse(&event.order_id.to_string())
                    .expect("an order's id is a legal text")
            })
        } else {
            panic!("{:?} is no action of a customer: the source lets none in", event.kind())
        }
    }
}
