//! What happens to an order after its checkout, and what is told of it to products, to the
//! payment worker and to the topic `orders`.

use super::super::Out;
use super::keys::Key;
use super::press::{Origin, Subject, payment_news};
use super::{Customers, Placed, Unsettled, checkout, digest, tick};
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
        self.fire(context, id, out);
        let change = self.orders.get(&id).and_then(|placed| placed.order.decide(command));
        match change {
            Some(change) => {
                self.unsettle(origin, id);
                self.carry(context, origin, id, change, out);
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
        let decision =
            match self.keys.claim(context.now, customer, request.idempotency_key.hash(), action) {
                Key::Same => return out.digest(digest::of_duplicate(origin.cause_id)),
                Key::Reused => Err(Reason::IdempotencyKeyReused),
                Key::Fresh => {
                    self.fire(context, id, out);
                    let placed = self.orders.get(&id).ok_or(Reason::NotFound);
                    placed.and_then(|placed| placed.order.decide_cancellation())
                }
            };
        match decision {
            Ok(change) => {
                self.unsettle(origin, id);
                self.carry(context, origin, id, change, out);
            }
            Err(reason) => self.reject(context, origin, customer, action, reason, Some(id), out),
        }
    }

    /// Lets the order's timer fire if it is due.
    pub(super) fn fire(&mut self, context: &Context, id: OrderId, out: &mut Out<ToProduct>) {
        let Some(placed) = self.orders.get(&id) else { return };
        let Some(change) = placed.order.decide(tick(context)) else { return };
        let deadline = placed.order.expires_at().expect("what is due has a deadline");
        out.digest(digest::of_timer_fired(id, deadline));
        let origin = Origin { cause: Cause::timer(deadline, id), cause_id: EventId(id.to_bytes()) };
        self.unsettle(origin, id);
        self.carry(context, origin, id, change, out);
    }

    fn unsettle(&mut self, Origin { cause, cause_id }: Origin, order: OrderId) {
        let placed = self.orders.get_mut(&order).expect("only known orders change");
        if let Some(at) = placed.unsettled {
            let news = &mut self.unsettled[at];
            (news.cause, news.cause_id) = (cause, cause_id);
            return;
        }
        placed.unsettled = Some(self.unsettled.len());
        let published = placed.order.payment().standing().map(payment_news);
        self.unsettled.push(Unsettled { cause, order, cause_id, published });
    }

    /// Decides all that follows from what is known of an order, and publishes what its payment
    /// has become on the way.
    pub(super) fn settle(&mut self, context: &Context, news: Unsettled, out: &mut Out<ToProduct>) {
        let Unsettled { cause, order: id, cause_id, published } = news;
        let origin = Origin { cause, cause_id };
        let mut asked = None;
        while let Some(change) = self.placed(id).order.consequence() {
            if let Change::Payment(payment::Event::Asked(verb)) = change {
                asked = Some(verb);
            }
            self.carry(context, origin, id, change, out);
        }
        let placed = self.placed(id);
        let standing = placed.order.payment().standing();
        placed.unsettled = None;
        if let Some(standing) = standing
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
            self.publish(context, origin, id, event.into(), out);
        }
        if let Some(verb) = asked {
            let payment = self.placed(id).order.payment();
            let (amount, currency) = (payment.amount(), payment.currency());
            self.request_payment(context, origin, id, verb, amount, currency, out);
        }
        let Placed { order, version, .. } = self.placed(id);
        let digest = digest::of_order(id, order.state(), order.payment().word(), *version);
        out.digest(digest);
    }

    /// Takes a change of an order in, and tells whom it concerns.
    fn carry(
        &mut self,
        context: &Context,
        origin: Origin,
        id: OrderId,
        change: Change,
        out: &mut Out<ToProduct>,
    ) {
        let order = &self.placed(id).order;
        let (order_id, customer_id) = (id, order.customer());
        tell_products(origin, id, order, &change, out);
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
        self.placed(id).order.evolve(change);
        if again {
            checkout::ask(context, origin, id, &self.placed(id).order, out);
        }
        if let Some(event) = event {
            self.publish(context, origin, id, event, out);
        }
        if let Some(payment::Stray { verb, amount, currency }) = strayed {
            self.request_payment(context, origin, id, verb, amount, currency, out);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that a request says")]
    fn request_payment(
        &mut self,
        context: &Context,
        origin: Origin,
        id: OrderId,
        verb: PaymentVerb,
        amount: i64,
        currency: Currency,
        out: &mut Out<ToProduct>,
    ) {
        let order = &self.placed(id).order;
        let (customer_id, payment_method) = (order.customer(), order.payment_method());
        let expires_at = order.expires_at().unwrap_or(Timestamp::MAX);
        let event = PaymentRequested {
            payment_id: id.payment(),
            order_id: id,
            customer_id,
            verb,
            amount,
            currency,
            payment_method,
            expires_at,
        };
        self.press.publish(context, origin, customer_id, Subject::Order(id), event.into(), out);
    }

    /// Publishes an event of the order on the topic `orders`.
    fn publish(
        &mut self,
        context: &Context,
        origin: Origin,
        id: OrderId,
        event: schemas::events::Event,
        out: &mut Out<ToProduct>,
    ) {
        let placed = self.placed(id);
        placed.version += 1;
        placed.updated_at = context.now;
        let customer = placed.order.customer();
        self.press.publish(context, origin, customer, Subject::Order(id), event, out);
    }

    fn placed(&mut self, id: OrderId) -> &mut Placed {
        self.orders.get_mut(&id).expect("only known orders change")
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
        let (order, product, line, claim) = (id, line.product, number, &line.claim);
        let claimed = matches!(claim, Claim::Reserved(_) | Claim::Allocated(_));
        let body = match change {
            // An only line is firm from the start.
            Change::AwaitingPayment if alone => return,
            Change::AwaitingPayment => ProductMessage::Secure { product, order, line },
            Change::Confirmed => ProductMessage::Confirm { product, order, line },
            Change::Expired if claimed => ProductMessage::Expire { product, order, line },
            // What is still waited for has a place in the queue to give back.
            Change::Expired | Change::Rejected(_) | Change::Cancelled(_) | Change::GivenUp => {
                match claim {
                    Claim::Waiting | Claim::Reserved(_) | Claim::Allocated(_) => {
                        ProductMessage::Release { product, order, line }
                    }
                    Claim::Refused { .. } | Claim::Released => continue,
                }
            }
            Change::ClaimedInVain { line: claimed } if *claimed == number => {
                ProductMessage::Release { product, order, line }
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
