//! The topics `orders` and `payment-requests`, folded: orders, their money, and what is legal.

use crate::Output;
use crate::inventory::{Hold, Inventory};
use crate::report::{Breach, Judge};
use schemas::events::Event;
use schemas::events::lines::OrderLine;
use schemas::events::orders::{OrderRequested, PaymentChanged, PaymentState, Reason};
use schemas::events::payment_requests::PaymentVerb;
use schemas::id::{CustomerId, EventId, OrderId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use sinks::view_store::rows::OrderState;
use std::collections::{BTreeMap, HashSet};

/// An order as its events tell it.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) customer_id: CustomerId,
    pub(crate) state: OrderState,
    pub(crate) reason: Option<Reason>,
    pub(crate) version: u64,
    pub(crate) lines: Vec<OrderLine>,
    pub(crate) currency: Currency,
    pub(crate) payment: Option<PaymentChanged>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    captures: u32,
}

impl Order {
    /// Quantity times price, summed.
    pub(crate) fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.price * i64::from(line.quantity)).sum()
    }
}

/// All orders.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    by_id: BTreeMap<OrderId, Order>,
    /// The orders that checkouts ask for, as their bytes.
    asked: HashSet<EventId>,
}

impl Orders {
    pub(crate) fn asked(&mut self, order: OrderId) {
        self.asked.insert(EventId(order.to_bytes()));
    }

    /// Whether these bytes name an order: what a timer begins has its order as its cause.
    pub(crate) fn is_order(&self, id: EventId) -> bool {
        self.asked.contains(&id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Order> {
        self.by_id.values()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OrderId, &Order)> {
        self.by_id.iter()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only these events are of one order")]
    pub(crate) fn take(&mut self, output: &Output<'_>, judge: &mut Judge) {
        match output.event {
            Event::OrderRequested(e) => self.requested(e, output, judge),
            Event::OrderAwaitingPayment(e) => {
                self.goes(e.order_id, OrderState::AwaitingPayment, None, output, judge);
            }
            Event::OrderRejected(e) => {
                self.goes(e.order_id, OrderState::Rejected, Some(e.reason), output, judge);
            }
            Event::OrderConfirmed(e) => {
                self.goes(e.order_id, OrderState::Confirmed, None, output, judge);
            }
            Event::OrderCancelled(e) => {
                self.goes(e.order_id, OrderState::Cancelled, Some(e.reason), output, judge);
            }
            Event::PaymentChanged(e) => {
                if let Some(order) = self.by_id.get_mut(&e.order_id) {
                    order.payment = Some(*e);
                    order.version += 1;
                    order.updated_at = output.now;
                }
                let fits = e.captured >= e.refunded && e.authorized.max(e.captured) >= e.voided;
                judge.check("I9", fits, || {
                    let found = format!("{e:?}");
                    let expected = "refunded at most captured, voided at most authorized";
                    Breach::new(&e.order_id, expected, found, &output.position)
                });
            }
            Event::PaymentRequested(e) if e.verb == PaymentVerb::Capture => {
                let captures = self.by_id.get_mut(&e.order_id).map_or(2, |order| {
                    order.captures += 1;
                    order.captures
                });
                judge.check("I9", captures <= 1, || {
                    Breach::new(&e.order_id, "one capture", captures, &output.position)
                });
            }
            _ => {}
        }
    }

    fn requested(&mut self, e: &OrderRequested, output: &Output<'_>, judge: &mut Judge) {
        let new = !self.by_id.contains_key(&e.order_id);
        judge.check("I10", new && self.asked.contains(&EventId(e.order_id.to_bytes())), || {
            Breach::new(&e.order_id, "one order of one checkout", "another", &output.position)
        });
        let order = Order {
            customer_id: e.customer_id,
            state: OrderState::Requested,
            reason: None,
            version: 1,
            lines: e.lines.clone(),
            currency: e.currency,
            payment: None,
            created_at: output.now,
            updated_at: output.now,
            captures: 0,
        };
        self.by_id.insert(e.order_id, order);
    }

    fn goes(
        &mut self,
        id: OrderId,
        to: OrderState,
        reason: Option<Reason>,
        output: &Output<'_>,
        judge: &mut Judge,
    ) {
        let Some(order) = self.by_id.get_mut(&id) else {
            judge.check("I8", false, || {
                Breach::new(&id, "an order requested before", "none", &output.position)
            });
            return;
        };
        let legal = legal(order, to, reason);
        let from = order.state;
        judge.check("I8", legal, || {
            Breach::new(&id, "a legal step", format!("{from:?} to {to:?}"), &output.position)
        });
        order.state = to;
        order.reason = reason;
        order.version += 1;
        order.updated_at = output.now;
    }

    /// What must hold when all is read: I6 and I9 of every order.
    pub(crate) fn judge_end(&self, inventory: &Inventory, judge: &mut Judge) {
        for (id, order) in &self.by_id {
            let holds: Vec<_> = order
                .lines
                .iter()
                .filter_map(|line| inventory.claims.get(&(line.product_id, *id)))
                .map(|claim| claim.hold)
                .collect();
            let fits = match order.state {
                OrderState::Requested | OrderState::AwaitingPayment => true,
                OrderState::Confirmed => {
                    holds.len() == order.lines.len()
                        && holds.iter().all(|hold| *hold == Hold::Allocated)
                }
                OrderState::Rejected | OrderState::Cancelled => holds.is_empty(),
            };
            judge.check("I6", fits, || {
                Breach::new(id, format!("{:?}", order.state), format!("{holds:?}"), "the end")
            });
            let Some(payment) = order.payment else { continue };
            let kept = payment.captured - payment.refunded;
            let owed = if order.state == OrderState::Confirmed { order.total() } else { 0 };
            judge.check("I9", !is_over(payment.state) || kept == owed, || {
                Breach::new(id, owed, format!("{payment:?}"), "the end")
            });
        }
    }
}

/// Whether no request of the payment is open.
const fn is_over(state: PaymentState) -> bool {
    match state {
        PaymentState::Declined
        | PaymentState::Captured
        | PaymentState::Voided
        | PaymentState::Refunded => true,
        PaymentState::Requested
        | PaymentState::Authorized
        | PaymentState::Capturing
        | PaymentState::Voiding
        | PaymentState::Refunding => false,
    }
}

fn legal(order: &Order, to: OrderState, reason: Option<Reason>) -> bool {
    let lapsed = order.reason == Some(Reason::ReservationExpired);
    match (order.state, to) {
        (OrderState::Requested, OrderState::AwaitingPayment | OrderState::Rejected)
        | (OrderState::Requested | OrderState::AwaitingPayment, OrderState::Cancelled)
        | (OrderState::AwaitingPayment, OrderState::Confirmed) => true,
        // A late payment, and its order reserved again.
        (OrderState::Cancelled, OrderState::Confirmed) => lapsed,
        // Who called off an order that had lapsed wants it no more.
        (OrderState::Cancelled, OrderState::Cancelled) => lapsed && reason != order.reason,
        // Called off, taken away by an adjustment of the same round, or voided by the provider.
        (OrderState::Confirmed, OrderState::Cancelled) => matches!(
            reason,
            Some(
                Reason::CancelledByCustomer
                    | Reason::CancelledBySeller
                    | Reason::OutOfStock
                    | Reason::PaymentDeclined
            )
        ),
        (
            OrderState::Requested
            | OrderState::AwaitingPayment
            | OrderState::Confirmed
            | OrderState::Rejected
            | OrderState::Cancelled,
            _,
        ) => false,
    }
}
