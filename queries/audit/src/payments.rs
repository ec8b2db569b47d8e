//! An order's money: what was asked of the provider, what it said, what the order owes.

use crate::order::Order;
use crate::stock::Bench;
use crate::verdicts::{Example, Invariant, Verdicts};
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::orders::{PaymentChanged, PaymentState};
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::OrderId;
use schemas::money::Currency;
use sinks::view_store::rows::OrderState;

/// A payment: what `PaymentChanged` said last, and the verbs that were asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Payment {
    pub(crate) state: Option<PaymentState>,
    pub(crate) authorized: i64,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) voided: i64,
    /// The verbs asked for the order's own sum, as bits.
    asked: u8,
    /// What the provider reported of the order's own sum, as bits.
    told: u8,
    /// Whether another sum was asked back.
    strayed: bool,
}

impl Payment {
    const fn sums(&self) -> [i64; 4] {
        [self.authorized, self.captured, self.refunded, self.voided]
    }

    /// Takes in what became of it.
    pub(crate) fn change(&mut self, e: &PaymentChanged, total: i64, bench: &mut Bench<'_>) {
        let before = self.sums();
        let (state, authorized, captured) = (Some(e.state), e.authorized, e.captured);
        let (refunded, voided) = (e.refunded, e.voided);
        *self = Self { state, authorized, captured, refunded, voided, ..*self };
        let legal = self.sums().iter().all(|sum| *sum == 0 || *sum == total)
            && before.iter().zip(self.sums()).all(|(before, sum)| *before <= sum)
            && captured <= authorized
            && refunded <= captured
            && voided <= authorized;
        bench.verdicts.check(Invariant::I9, legal, || {
            let expected = format!("sums of {total} that never shrink, after {before:?}");
            Example::new(e.order_id, expected, format!("{:?}", self.sums()), Some(bench.place))
        });
        bench.verdicts.check(Invariant::I9, self.was_reported(), || {
            let found = format!("{:?} {:?}", e.state, self.sums());
            Example::new(e.order_id, "sums that were reported", found, Some(bench.place))
        });
    }

    /// Takes in a report; one of another sum is a stray, and says nothing of the order's money.
    pub(crate) fn hear(&mut self, report: &PaymentReported, due: (i64, Currency)) {
        if (report.amount, report.currency) == due {
            self.told |= 1 << report.outcome as u8;
        }
    }

    const fn told(&self, outcome: PaymentOutcome) -> bool {
        self.told & 1 << outcome as u8 != 0
    }

    /// Whether the money was held for us or taken at some time.
    pub(crate) const fn was_paid(&self) -> bool {
        self.told(PaymentOutcome::Authorized) || self.told(PaymentOutcome::Captured)
    }

    /// Whether each sum was told by the provider. What it gave back it had taken, and what it took
    /// it had held.
    fn was_reported(&self) -> bool {
        let refunded = self.told(PaymentOutcome::Refunded);
        let captured = refunded || self.told(PaymentOutcome::Captured);
        let voided = self.told(PaymentOutcome::Voided);
        let held = captured || voided || self.told(PaymentOutcome::Authorized);
        let declined = self.told(PaymentOutcome::Declined);
        (self.authorized == 0 || held)
            && (self.captured == 0 || captured)
            && (self.refunded == 0 || refunded)
            && (self.voided == 0 || voided)
            && (self.state != Some(PaymentState::Declined) || declined)
    }

    /// Takes in what is asked of the provider. Another sum than the order's undoes a stray.
    pub(crate) fn ask(
        &mut self,
        e: &PaymentRequested,
        due: (i64, Currency),
        bench: &mut Bench<'_>,
    ) {
        let of_order = (e.amount, e.currency) == due;
        let bit = 1 << e.verb as u8;
        let holds = if of_order {
            self.asked & bit == 0
        } else {
            matches!(e.verb, PaymentVerb::Void | PaymentVerb::Refund)
        };
        bench.verdicts.check(Invariant::I9, holds, || {
            let expected = format!("each verb once, of {due:?}");
            let found = format!("{:?} of {} {}", e.verb, e.amount, e.currency);
            Example::new(e.order_id, expected, found, Some(bench.place))
        });
        self.asked |= if of_order { bit } else { 0 };
        self.strayed |= !of_order;
    }

    const fn asked(&self, verb: PaymentVerb) -> bool {
        self.asked & 1 << verb as u8 != 0
    }

    /// Whether an answer of the provider is still to come.
    const fn is_open(&self) -> bool {
        let told = self.authorized != 0 || matches!(self.state, Some(PaymentState::Declined));
        (self.asked(PaymentVerb::Authorize) && !told)
            || (self.asked(PaymentVerb::Capture) && self.captured == 0 && self.voided == 0)
            || (self.asked(PaymentVerb::Void) && self.voided == 0 && self.captured == 0)
            || (self.asked(PaymentVerb::Refund) && self.refunded == 0)
    }

    /// Whether an answer to a capture, a void or a refund is still to come.
    pub(crate) const fn waits(&self) -> bool {
        let given_up = self.voided != 0 || self.captured != 0;
        (self.asked(PaymentVerb::Capture) || self.asked(PaymentVerb::Void)) && !given_up
            || self.asked(PaymentVerb::Refund) && self.refunded == 0
    }

    /// The same as [`Payment::knows`] of an order that is past: there only money that comes in has an
    /// effect, once.
    pub(crate) fn knows_late(&self, report: &PaymentReported, due: (i64, Currency)) -> bool {
        let comes_in =
            matches!(report.outcome, PaymentOutcome::Authorized | PaymentOutcome::Captured);
        let undone =
            self.asked(PaymentVerb::Void) || self.asked(PaymentVerb::Refund) || self.strayed;
        !comes_in || undone || self.knows(report, due)
    }

    /// Whether what the provider reported is known already, so that it has no effect of its own.
    pub(crate) fn knows(&self, report: &PaymentReported, due: (i64, Currency)) -> bool {
        if (report.amount, report.currency) != due {
            return !matches!(
                report.outcome,
                PaymentOutcome::Authorized | PaymentOutcome::Captured
            ) || self.state.is_some()
                || self.strayed;
        }
        if due.0 == 0 {
            return true;
        }
        match report.outcome {
            PaymentOutcome::Authorized => self.authorized > 0,
            PaymentOutcome::Captured => self.captured > 0,
            PaymentOutcome::Refunded => self.refunded > 0,
            PaymentOutcome::Voided => self.voided > 0 || self.captured > 0,
            PaymentOutcome::Declined => self.state.is_some_and(|s| s != PaymentState::Requested),
        }
    }

    /// At the end of the log: once nothing is open, what we kept is what the order owes.
    pub(crate) fn close(
        &self,
        id: OrderId,
        order: &Order,
        returning: bool,
        verdicts: &mut Verdicts,
    ) {
        let total = order.total();
        let owed = match order.state {
            OrderState::Confirmed => total,
            OrderState::Rejected | OrderState::Cancelled => 0,
            OrderState::Requested | OrderState::AwaitingPayment => return,
        };
        if self.state.is_none() && order.state != OrderState::Confirmed
            || self.is_open()
            || returning
        {
            return;
        }
        // Nothing held either: what was authorized is taken or given up.
        let loose = self.authorized - self.captured.max(self.voided);
        let kept = self.captured - self.refunded;
        verdicts.check(Invariant::I9, kept == owed && loose == 0, || {
            let expected = format!("{owed} kept, nothing held");
            Example::new(id, expected, format!("{kept} kept, {loose} held: {self:?}"), None)
        });
    }
}
