//! Orders and their payments, folded from the topics `orders` and `payment-requests`.

use crate::deadlines::Deadlines;
use crate::order::{Asked, Line, Newest, Order, bit};
use crate::payments::Payment;
use crate::stock::{Bench, Stock};
use crate::timeline::{snake_case, timeline_hash, with_entry};
use crate::verdicts::{Example, Invariant, Place, Verdicts};
use schemas::envelope::Envelope;
use schemas::events::customer_actions::PaymentReported;
use schemas::events::inventory::StockReserved;
use schemas::events::orders::{OrderRejected, OrderRequested, Reason};
use schemas::events::{Event, EventKind};
use schemas::hash::Hasher;
use schemas::id::{CustomerId, OrderId, ProductId};
use schemas::time::Timestamp;
use sinks::view_store::rows::{OrderState, Refused, TimelineEntry};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// How long in `now` an order may outlive its deadline, in milliseconds.
const SLACK_MS: i64 = 60_000;

/// All orders.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) all: HashMap<OrderId, Order>,
    /// The hash of each row of the timeline.
    pub(crate) timeline: HashMap<(OrderId, u64), Hasher>,
    /// Customers' orders in the order of their view, for whoever reads it by customer.
    pub(crate) of_customers: Option<BTreeSet<(CustomerId, Newest, OrderId)>>,
    /// What was reported in this epoch of orders that nobody requested before it.
    early: Vec<PaymentReported>,
}

impl Orders {
    /// What a line of an order asks.
    pub(crate) fn line(&self, order: OrderId, product: ProductId) -> Option<Asked> {
        let order = self.all.get(&order)?;
        let line = order.lines.iter().find(|line| line.product == product)?;
        Some(Asked {
            quantity: line.quantity,
            price: line.price,
            currency: order.currency,
            expires_at: order.expires_at,
        })
    }

    /// Takes in an event of `orders` that is about an order; gives which.
    #[expect(clippy::wildcard_enum_match_arm, reason = "carts and rejections are folded elsewhere")]
    pub(crate) fn fold(
        &mut self,
        event: Event,
        deadline: Timestamp,
        bench: &mut Bench<'_>,
    ) -> Option<OrderId> {
        Some(match event {
            Event::OrderRequested(e) => {
                let id = e.order_id;
                self.open(&e, deadline, bench);
                id
            }
            Event::OrderRejected(e) => {
                self.change(e.order_id, OrderState::Rejected, Some(e.reason), bench);
                self.refuse(&e);
                e.order_id
            }
            Event::OrderAwaitingPayment(e) => {
                self.change(e.order_id, OrderState::AwaitingPayment, None, bench);
                e.order_id
            }
            Event::OrderConfirmed(e) => {
                self.paid(e.order_id, bench);
                self.change(e.order_id, OrderState::Confirmed, None, bench);
                e.order_id
            }
            Event::OrderCancelled(e) => {
                self.lapse(e.order_id, e.reason, bench);
                self.change(e.order_id, OrderState::Cancelled, Some(e.reason), bench);
                e.order_id
            }
            Event::PaymentChanged(e) => {
                if let Some(order) = self.touched(e.order_id, bench) {
                    let total = order.total();
                    order.payment.change(&e, total, bench);
                }
                e.order_id
            }
            Event::PaymentRequested(e) => {
                if let Some(order) = self.all.get_mut(&e.order_id) {
                    let total = order.total();
                    order.payment.ask(&e, (total, order.currency), bench);
                }
                e.order_id
            }
            _ => return None,
        })
    }

    fn open(&mut self, e: &OrderRequested, deadline: Timestamp, bench: &mut Bench<'_>) {
        let id = e.order_id;
        let place = Some(bench.place);
        let known = self.all.contains_key(&id);
        bench.verdicts.check(Invariant::I10, !known, || {
            Example::new(id, "opened once", "opened again", place)
        });
        bench.verdicts.same(Invariant::I5, place, || id.to_string(), &deadline, &e.expires_at);
        bench.verdicts.check(Invariant::I8, !known, || {
            Example::new(id, "requested first", "requested again", place)
        });
        if known {
            return;
        }
        let line = |line: &schemas::events::lines::OrderLine| Line {
            product: line.product_id,
            quantity: line.quantity,
            price: line.price,
            levels: None,
            refused: None,
        };
        let order = Order {
            customer: e.customer_id,
            state: OrderState::Requested,
            reason: None,
            passed: bit(OrderState::Requested),
            version: 1,
            currency: e.currency,
            region: e.region,
            payment_method: e.payment_method,
            expires_at: e.expires_at,
            never_asked: false,
            created_at: bench.now,
            asked_at: bench.began.map_or(0, |place| place.offset),
            updated_at: bench.now,
            lines: e.lines.iter().map(line).collect(),
            payment: Payment::default(),
            late: false,
        };
        if let Some(of_customers) = &mut self.of_customers {
            of_customers.insert((order.customer, Reverse((order.created_at, order.asked_at)), id));
        }
        self.all.insert(id, order);
        for report in self.early.extract_if(.., |report| report.order_id == id).collect::<Vec<_>>()
        {
            self.hear(&report, bench.deadlines);
        }
    }

    /// Takes in what the provider says, which the epoch's decisions may rely on.
    pub(crate) fn hear(&mut self, report: &PaymentReported, deadlines: &Deadlines) {
        match self.all.get_mut(&report.order_id) {
            Some(order) => {
                order.late = order.is_past(deadlines);
                let due = (order.total(), order.currency);
                order.payment.hear(report, due);
            }
            None => self.early.push(report.clone()),
        }
    }

    /// Nobody requested those orders in the epoch either: what was said of them counts for nothing.
    pub(crate) fn end_epoch(&mut self) {
        self.early.clear();
    }

    /// The order that an event of `orders` is about, which counts.
    fn touched(&mut self, id: OrderId, bench: &mut Bench<'_>) -> Option<&mut Order> {
        let order = self.all.get_mut(&id);
        bench.verdicts.check(Invariant::I8, order.is_some(), || {
            Example::new(id, "requested first", "an event of an unknown order", Some(bench.place))
        });
        let order = order?;
        let past = order.is_past(bench.deadlines);
        bench.verdicts.check(Invariant::I8, !past, || {
            let expected = format!("as it stood at {}", order.updated_at.rfc3339());
            Example::new(id, expected, "an event of an order that is past", Some(bench.place))
        });
        order.version += 1;
        order.updated_at = bench.now;
        Some(order)
    }

    fn change(
        &mut self,
        id: OrderId,
        next: OrderState,
        reason: Option<Reason>,
        bench: &mut Bench<'_>,
    ) {
        let Some(order) = self.touched(id, bench) else { return };
        bench.verdicts.check(Invariant::I8, order.may_become(next), || {
            let (state, reason) = (order.state, order.reason);
            let expected = format!("a state that may follow {state:?} {reason:?}");
            Example::new(id, expected, format!("{next:?}"), Some(bench.place))
        });
        (order.state, order.reason) = (next, reason);
        order.passed |= bit(next);
    }

    /// Nothing is sold before the provider says that it is paid.
    fn paid(&self, id: OrderId, bench: &mut Bench<'_>) {
        let paid = self.all.get(&id).is_some_and(|order| order.payment.was_paid());
        bench.verdicts.check(Invariant::I9, paid, || {
            let expected = "a report that its sum is authorized or captured";
            Example::new(id, expected, "confirmed without one", Some(bench.place))
        });
    }

    fn refuse(&mut self, e: &OrderRejected) {
        let Some(order) = self.all.get_mut(&e.order_id) else { return };
        order.never_asked = e.lines.is_empty();
        for refused in &e.lines {
            let (reason, asked, available) = (refused.reason, refused.asked, refused.available);
            let of = |line: &&mut Line| line.product == refused.product_id;
            if let Some(line) = order.lines.iter_mut().find(of) {
                line.refused = Some(Refused { reason, asked, available });
            }
        }
    }

    /// Notes where a line's units are.
    pub(crate) fn reserve(&mut self, e: &StockReserved) {
        let Some(order) = self.all.get_mut(&e.order_id) else { return };
        if let Some(line) = order.lines.iter_mut().find(|line| line.product == e.product_id) {
            line.levels = Some(e.levels.clone());
        }
    }

    /// An order that lapses does so at its deadline.
    fn lapse(&self, id: OrderId, reason: Reason, bench: &mut Bench<'_>) {
        let Some(order) = self.all.get(&id).filter(|_| reason == Reason::ReservationExpired) else {
            return;
        };
        let place = Some(bench.place);
        bench.verdicts.check(Invariant::I5, order.expires_at <= bench.now, || {
            let expected = format!("not before {}", order.expires_at.rfc3339());
            Example::new(id, expected, bench.now.rfc3339(), place)
        });
        let late = bench.deadlines.is_late(id.group(), order.expires_at);
        bench.verdicts.check(Invariant::I5, !late, || {
            let first = bench.deadlines.first_reaching(order.expires_at);
            let found = format!("epoch {}", bench.deadlines.epoch());
            Example::new(id, format!("epoch {first:?}"), found, place)
        });
    }

    /// Notes an event in its order's timeline.
    pub(crate) fn note(
        &mut self,
        id: OrderId,
        epoch: u64,
        kind: EventKind,
        envelope: &Envelope,
        began: Option<Place>,
    ) {
        let entry = TimelineEntry {
            at: envelope.occurred_at,
            event: snake_case(kind.name()).into(),
            event_id: envelope.event_id,
            cause_id: envelope.causation_id,
            position: began.map(|place| (place.partition, place.offset)),
        };
        let row = self.timeline.entry((id, epoch)).or_insert_with(|| timeline_hash(&[]));
        *row = with_entry(*row, &entry);
    }

    /// At an epoch's end: what an order's state says of its claims.
    pub(crate) fn look(&self, id: OrderId, stock: &Stock, verdicts: &mut Verdicts) {
        let Some(order) = self.all.get(&id) else { return };
        for line in &order.lines {
            let claim = stock.claims.get(&(line.product, id));
            let holds = match order.state {
                OrderState::Confirmed => claim.is_some_and(|claim| {
                    claim.allocated && claim.levels.quantity() + claim.short == line.quantity
                }),
                OrderState::Rejected => claim.is_none(),
                // Paid late, it is reserved again before it is confirmed.
                OrderState::Cancelled => claim.is_none_or(|claim| {
                    order.may_return() && !claim.allocated && claim.expires_at == Timestamp::MAX
                }),
                OrderState::Requested | OrderState::AwaitingPayment => continue,
            };
            verdicts.check(Invariant::I6, holds, || {
                let expected = match order.state {
                    OrderState::Confirmed => format!("{} units allocated", line.quantity),
                    OrderState::Rejected
                    | OrderState::Cancelled
                    | OrderState::Requested
                    | OrderState::AwaitingPayment => "nothing held".to_owned(),
                };
                let found =
                    claim.map_or_else(|| "nothing".to_owned(), |claim| format!("{claim:?}"));
                Example::new(format_args!("{} of {id}", line.product), expected, found, None)
            });
        }
    }

    /// At the end of the log, of which `decided` is the last epoch that is known to be decided.
    pub(crate) fn close(
        &self,
        decided: u64,
        deadlines: &Deadlines,
        stock: &Stock,
        verdicts: &mut Verdicts,
    ) {
        let now = deadlines.now_of(decided);
        for (id, order) in &self.all {
            let left = || {
                let expected = format!("an end by {}", order.expires_at.rfc3339());
                Example::new(id, expected, format!("{:?} at {}", order.state, now.rfc3339()), None)
            };
            let over = order.expires_at.plus_ms(SLACK_MS) <= now;
            verdicts.check(Invariant::I8, !(order.is_open() && over), left);
            let late = deadlines.is_late_in(decided, id.group(), order.expires_at);
            verdicts.check(Invariant::I5, !(order.is_open() && late), left);
            let returning = order.may_return()
                && order.lines.iter().any(|l| stock.claims.contains_key(&(l.product, *id)));
            order.payment.close(*id, order, returning, verdicts);
        }
    }
}
