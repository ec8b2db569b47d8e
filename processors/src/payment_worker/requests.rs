//! The requests without an answer, and what is to be done about each, when. A request is here
//! until the log holds its answer; then it is forgotten.

use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::OrderId;
use sinks::event_log::OutputId;
use sinks::payment_gateway::Call;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// A request's place on the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RequestId {
    pub(super) partition: u16,
    pub(super) output: OutputId,
}

impl RequestId {
    const MIN: Self = Self { partition: 0, output: OutputId { epoch: 0, n: 0 } };
    const MAX: Self =
        Self { partition: u16::MAX, output: OutputId { epoch: u64::MAX, n: u32::MAX } };

    /// The same for every worker that ever reads the request.
    pub(super) fn idempotency_key(self) -> String {
        let Self { partition, output: OutputId { epoch, n } } = self;
        format!("payment-requests/{partition}/{epoch}/{n}")
    }
}

/// What to do about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Call: it was never made, or made and not taken.
    Call,
    /// Ask for the attempt: a call may have been made.
    Ask,
}

/// A request without an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Open {
    pub(super) id: RequestId,
    pub(super) request: PaymentRequested,
    pub(super) next: Next,
    /// How long the last wait was.
    pub(super) waited: Duration,
    due: Duration,
}

impl Open {
    pub(super) fn call(&self) -> Call {
        Call { idempotency_key: self.id.idempotency_key(), request: self.request }
    }
}

/// Bounded by the orders that wait for money to move, a day of the unanswered among them.
#[derive(Default)]
pub(super) struct Requests {
    open: BTreeMap<(OrderId, RequestId), Open>,
    queue: BTreeSet<(Duration, OrderId, RequestId)>,
}

impl Requests {
    /// Takes a request whose next step is due at once.
    pub(super) fn add(&mut self, id: RequestId, request: PaymentRequested, next: Next) {
        let due = Duration::ZERO;
        self.put(Open { id, request, next, waited: due, due });
    }

    /// Takes back a request whose next step is due at `now` and `wait`.
    pub(super) fn again(&mut self, open: Open, next: Next, now: Duration, wait: Duration) {
        self.put(Open { next, waited: wait, due: now + wait, ..open });
    }

    fn put(&mut self, open: Open) {
        let order = open.request.order_id;
        self.queue.insert((open.due, order, open.id));
        self.open.insert((order, open.id), open);
    }

    /// Forgets what this result answers, and gives it.
    pub(super) fn told(&mut self, report: &PaymentReported) -> Vec<Open> {
        let order = report.order_id;
        let of_order = self.open.range((order, RequestId::MIN)..=(order, RequestId::MAX));
        let answered = of_order.filter(|(_, open)| {
            answers(&open.request, |outcome, amount| {
                report.outcome == outcome && amount.is_none_or(|amount| report.amount == amount)
            })
        });
        let answered: Vec<_> = answered.map(|(_, open)| *open).collect();
        for open in &answered {
            self.open.remove(&(order, open.id));
            self.queue.remove(&(open.due, order, open.id));
        }
        answered
    }

    /// Takes out up to `limit` requests whose step is due.
    pub(super) fn take_due(&mut self, now: Duration, limit: usize) -> Vec<Open> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some((due, order, id)) = self.queue.first().copied()
            && due <= now
        {
            self.queue.pop_first();
            taken.extend(self.open.remove(&(order, id)));
        }
        taken
    }

    /// When the next step is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.queue.first().map(|(due, ..)| *due)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.open.len(), self.queue.len());
        self.open.len()
    }
}

/// Whether a request is answered by what was told of its order: `told` says whether an outcome
/// was, of a certain amount if one is given. A void or refund is known by its amount, since an
/// order whose provider told of a wrong sum has more than one.
fn answers(request: &PaymentRequested, told: impl Fn(PaymentOutcome, Option<i64>) -> bool) -> bool {
    use PaymentOutcome::{Authorized, Captured, Declined, Refunded, Voided};
    let any = |outcomes: &[PaymentOutcome]| outcomes.iter().any(|outcome| told(*outcome, None));
    match request.verb {
        PaymentVerb::Authorize => any(&[Authorized, Declined, Captured, Voided, Refunded]),
        PaymentVerb::Capture => any(&[Declined, Captured, Voided, Refunded]),
        // What is captured cannot be voided: the order will ask for a refund.
        PaymentVerb::Void => any(&[Captured]) || told(Voided, Some(request.amount)),
        PaymentVerb::Refund => told(Refunded, Some(request.amount)),
    }
}

/// The results on the log at a start. Some 30 bytes an order, until the requests have been read.
#[derive(Default)]
pub(super) struct Results {
    outcomes: HashMap<OrderId, u8>,
    undone: HashSet<(OrderId, PaymentOutcome, i64)>,
}

impl Results {
    pub(super) fn add(&mut self, report: &PaymentReported) {
        *self.outcomes.entry(report.order_id).or_default() |= 1 << report.outcome as u8;
        if matches!(report.outcome, PaymentOutcome::Voided | PaymentOutcome::Refunded) {
            self.undone.insert((report.order_id, report.outcome, report.amount));
        }
    }

    pub(super) fn answer(&self, request: &PaymentRequested) -> bool {
        let order = request.order_id;
        let outcomes = self.outcomes.get(&order).copied().unwrap_or(0);
        answers(request, |outcome, amount| match amount {
            None => outcomes & 1 << outcome as u8 != 0,
            Some(amount) => self.undone.contains(&(order, outcome, amount)),
        })
    }
}
