//! What happens to an order after its checkout, and what is told of it to products, to the
//! payment worker and to the topic `orders`.

use super::super::Out;
use super::book::{Placed, SETTLED};
use super::past::Known;
use super::press::{Origin, PaymentNews, payment_news};
use super::{Customers, checkout, digest, press};
use crate::shards::keys::Key;
use machines::line::{Claim, Line};
use machines::message::{Cause, Context, ProductMessage, ToProduct};
use machines::order::{Command, Event as Change, Order};
use machines::payment;
use schemas::events::customer_actions::CancellationRequested;
use schemas::events::orders::{
    OrderAwaitingPayment, OrderCancelled, OrderConfirmed, OrderRejected, PaymentChanged, Reason,
    RejectedLine,
};
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::{CustomerId, EventId, OrderId};
use schemas::money::Currency;
use schemas::time::Timestamp;

/// An order about which something is known that may have consequences. They began with the last
/// that became known: with the payment, not with the timer that fired before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unsettled {
    cause: Cause,
    order: OrderId,
    at: u32,
    cause_id: EventId,
    /// The payment as last published.
    published: Option<PaymentNews>,
}

impl Customers {
    /// Takes in what a command says. An order nobody knows, and what is known already, counts as
    /// deduplicated.
    pub(super) fn command(
        &mut self,
        context: &Context,
        origin: Origin,
        id: OrderId,
        command: Command,
        out: &mut Out<ToProduct>,
    ) {
        let at = match self.know(context, id) {
            Known::Placed(at) => at,
            Known::Past(at) => return self.late(origin, at, &command, out),
            Known::Never => return out.digest(digest::of_duplicate(origin.cause_id)),
        };
        self.fire(context, at, out);
        match self.orders.get(at).order.decide(command) {
            Some(change) => {
                self.unsettle(origin, at);
                self.carry(context, origin, at, change, out);
            }
            None => out.digest(digest::of_duplicate(origin.cause_id)),
        }
    }

    pub(super) fn cancel(
        &mut self,
        context: &Context,
        origin: Origin,
        customer: CustomerId,
        request: &CancellationRequested,
        out: &mut Out<ToProduct>,
    ) {
        let (id, action) = (request.order_id, request.action_id);
        let key = request.idempotency_key.hash();
        let decision = match self.keys.claim(context.now, customer.0, key, action) {
            Key::Same => return out.digest(digest::of_duplicate(origin.cause_id)),
            Key::Reused => Err(Reason::IdempotencyKeyReused),
            Key::Fresh => match self.know(context, id) {
                Known::Placed(at) => {
                    self.fire(context, at, out);
                    self.orders.get(at).order.decide_cancellation().map(|change| (at, change))
                }
                Known::Past(_) => {
                    out.late += 1;
                    Err(Reason::IllegalState)
                }
                Known::Never => Err(Reason::NotFound),
            },
        };
        match decision {
            Ok((at, change)) => {
                self.unsettle(origin, at);
                self.carry(context, origin, at, change, out);
            }
            Err(reason) => self.reject(origin, customer, action, reason, Some(id), out),
        }
    }

    /// Lets the order's timer fire if it is due.
    pub(super) fn fire(&mut self, context: &Context, at: u32, out: &mut Out<ToProduct>) {
        let Placed { id, order, .. } = self.orders.get(at);
        let Some(change) = order.decide_expiry(context.now) else { return };
        let deadline = order.expires_at().expect("what is due has a deadline");
        let id = *id;
        out.digest(digest::of_timer_fired(id, deadline));
        let origin = Origin { cause: Cause::timer(deadline, id), cause_id: EventId(id.to_bytes()) };
        self.unsettle(origin, at);
        self.carry(context, origin, at, change, out);
    }

    fn unsettle(&mut self, Origin { cause, cause_id }: Origin, at: u32) {
        let placed = self.orders.get_mut(at);
        if placed.unsettled != SETTLED {
            let news = &mut self.unsettled[placed.unsettled as usize];
            (news.cause, news.cause_id) = (cause, cause_id);
            return;
        }
        placed.unsettled = u32::try_from(self.unsettled.len()).expect("an epoch is bounded");
        let published = placed.order.payment().standing().map(payment_news);
        self.unsettled.push(Unsettled { cause, order: placed.id, at, cause_id, published });
    }

    /// Decides all that follows from what is known of an order, and publishes what its payment
    /// has become on the way.
    pub(super) fn settle(&mut self, context: &Context, news: Unsettled, out: &mut Out<ToProduct>) {
        let Unsettled { cause, order: id, at, cause_id, published } = news;
        let origin = Origin { cause, cause_id };
        let mut asked = None;
        while let Some(change) = self.orders.get(at).order.consequence() {
            if let Change::Payment(payment::Event::Asked(verb)) = change {
                asked = Some(verb);
            }
            self.carry(context, origin, at, change, out);
        }
        let placed = self.orders.get_mut(at);
        placed.unsettled = SETTLED;
        if let Some(standing) = placed.order.payment().standing()
            && Some(payment_news(standing)) != published
        {
            let event = PaymentChanged {
                order_id: id,
                customer_id: placed.order.customer(),
                state: standing.state,
                authorized: standing.authorized,
                captured: standing.captured,
                refunded: standing.refunded,
                voided: standing.voided,
            };
            self.publish(context, origin, at, event.into(), out);
        }
        if let Some(verb) = asked {
            let payment = self.orders.get(at).order.payment();
            let (amount, currency) = (payment.amount(), payment.currency());
            self.request_payment(origin, at, verb, amount, currency, out);
        }
        let placed = self.orders.get(at);
        self.past.expect(context, placed);
        let Placed { order, version, .. } = placed;
        out.digest(digest::of_order(id, order.state(), order.payment().word(), *version));
    }

    /// Takes a change of an order in, and tells whom it concerns.
    fn carry(
        &mut self,
        context: &Context,
        origin: Origin,
        at: u32,
        change: Change,
        out: &mut Out<ToProduct>,
    ) {
        let Placed { id, order, .. } = self.orders.get_mut(at);
        let (order_id, customer_id) = (*id, order.customer());
        tell_products(origin, order_id, order, &change, out);
        let event = match &change {
            Change::AwaitingPayment => Some(OrderAwaitingPayment { order_id, customer_id }.into()),
            Change::Confirmed => Some(OrderConfirmed { order_id, customer_id }.into()),
            Change::Rejected(reason) => {
                let (reason, lines) = (*reason, refused(order.lines()));
                Some(OrderRejected { order_id, customer_id, reason, lines }.into())
            }
            Change::Cancelled(reason) => {
                Some(OrderCancelled { order_id, customer_id, reason: *reason }.into())
            }
            Change::Expired => {
                let reason = Reason::ReservationExpired;
                Some(OrderCancelled { order_id, customer_id, reason }.into())
            }
            Change::LineReserved { .. }
            | Change::LineRefused { .. }
            | Change::ClaimedInVain { .. }
            | Change::ReservingAgain
            | Change::GivenUp
            | Change::Payment(_) => None,
        };
        let again = change == Change::ReservingAgain;
        let strayed = if let Change::Payment(payment::Event::Strayed(stray)) = change {
            Some(stray)
        } else {
            None
        };
        order.evolve(change);
        if again {
            checkout::ask(context, origin, order_id, order, out);
        }
        if let Some(event) = event {
            self.publish(context, origin, at, event, out);
        }
        if let Some(payment::Stray { verb, amount, currency }) = strayed {
            self.request_payment(origin, at, verb, amount, currency, out);
        }
    }

    fn request_payment(
        &mut self,
        origin: Origin,
        at: u32,
        verb: PaymentVerb,
        amount: i64,
        currency: Currency,
        out: &mut Out<ToProduct>,
    ) {
        let placed = self.orders.get_mut(at);
        placed.events += 1;
        let event = PaymentRequested {
            payment_id: placed.id.payment(),
            order_id: placed.id,
            customer_id: placed.order.customer(),
            verb,
            amount,
            currency,
            payment_method: placed.order.payment_method(),
            expires_at: placed.order.expires_at().unwrap_or(Timestamp::MAX),
        };
        press::request_payment(origin, placed.events, event, out);
    }

    /// Publishes an event of the order on the topic `orders`.
    pub(super) fn publish(
        &mut self,
        context: &Context,
        origin: Origin,
        at: u32,
        event: schemas::events::Event,
        out: &mut Out<ToProduct>,
    ) {
        let placed = self.orders.get_mut(at);
        placed.version += 1;
        placed.events += 1;
        placed.updated_at = context.now;
        let (customer, order) = (placed.order.customer(), (placed.id, at));
        self.press.publish_of_order(origin, customer, order, placed.events, event, out);
    }
}

/// What a change means for the lines' products. The order is as it was before the change.
fn tell_products(
    Origin { cause, cause_id }: Origin,
    id: OrderId,
    order: &Order,
    change: &Change,
    out: &mut Out<ToProduct>,
) {
    let alone = order.lines().len() == 1;
    for (number, line) in (0..).zip(order.lines()) {
        let (order, product, line, claim, place) =
            (id, line.product, number, &line.claim, line.place);
        let claimed = matches!(claim, Claim::Reserved(_) | Claim::Allocated(_));
        let body = match change {
            // An only line is firm from the start.
            Change::AwaitingPayment if alone => return,
            Change::AwaitingPayment => ProductMessage::Secure { product, order, line, place },
            Change::Confirmed => ProductMessage::Confirm { product, order, line, place },
            Change::Expired if claimed => ProductMessage::Expire { product, order, line, place },
            // What is still waited for has a place in the queue to give back.
            Change::Expired | Change::Rejected(_) | Change::Cancelled(_) | Change::GivenUp => {
                match claim {
                    Claim::Waiting | Claim::Reserved(_) | Claim::Allocated(_) => {
                        ProductMessage::Release { product, order, line, place }
                    }
                    Claim::Refused { .. } | Claim::Released => continue,
                }
            }
            Change::ClaimedInVain { line: claimed, place } if *claimed == number => {
                ProductMessage::Release { product, order, line, place: *place }
            }
            Change::ClaimedInVain { .. } => continue,
            Change::LineReserved { .. }
            | Change::LineRefused { .. }
            | Change::ReservingAgain
            | Change::Payment(_) => return,
        };
        out.messages.push(ToProduct { cause, cause_id, body });
    }
}

fn refused(lines: &[Line]) -> Vec<RejectedLine> {
    let refused = |line: &Line| match line.claim {
        Claim::Refused { reason, available } => {
            let (product_id, asked) = (line.product, line.quantity);
            Some(RejectedLine { product_id, reason, asked, available })
        }
        Claim::Waiting | Claim::Reserved(_) | Claim::Allocated(_) | Claim::Released => None,
    };
    lines.iter().filter_map(refused).collect()
}
