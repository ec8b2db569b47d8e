//! One order as its events tell it.

use crate::deadlines::Deadlines;
use crate::payments::Payment;
use schemas::events::lines::Split;
use schemas::events::orders::Reason;
use schemas::id::{CustomerId, PaymentMethod, ProductId, RegionId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use sinks::view_store::rows::{OrderState, Refused};
use std::cmp::Reverse;

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
    pub(crate) price: i64,
    /// Where its units were reserved last.
    pub(crate) levels: Option<Split>,
    pub(crate) refused: Option<Refused>,
}

/// An order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) customer: CustomerId,
    pub(crate) state: OrderState,
    pub(crate) reason: Option<Reason>,
    /// The states that it has been in, as bits.
    pub(crate) passed: u8,
    pub(crate) version: u64,
    pub(crate) currency: Currency,
    pub(crate) region: RegionId,
    pub(crate) payment_method: PaymentMethod,
    pub(crate) expires_at: Timestamp,
    /// Refused before anything was asked for.
    pub(crate) never_asked: bool,
    pub(crate) created_at: Timestamp,
    /// The offset of its checkout.
    pub(crate) asked_at: u64,
    pub(crate) updated_at: Timestamp,
    pub(crate) lines: Box<[Line]>,
    pub(crate) payment: Payment,
    /// Something came of it when it was past.
    pub(crate) late: bool,
}

/// An order's place among its customer's: by time, then by the offset of its checkout; newest first.
pub(crate) type Newest = Reverse<(Timestamp, u64)>;

/// What a line asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) quantity: u32,
    pub(crate) price: i64,
    pub(crate) currency: Currency,
    pub(crate) expires_at: Timestamp,
}

impl Order {
    /// The sum of its lines.
    pub(crate) fn total(&self) -> i64 {
        self.lines.iter().fold(0_i64, |total, line| {
            total.saturating_add(line.price.saturating_mul(i64::from(line.quantity)))
        })
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, OrderState::Requested | OrderState::AwaitingPayment)
    }

    /// Whether it is past: it had ended, and nothing came of it for so long. Then it is so for ever,
    /// whatever is asked of its money.
    pub(crate) fn is_past(&self, deadlines: &Deadlines) -> bool {
        let ended = matches!(self.state, OrderState::Rejected | OrderState::Cancelled);
        let settled = ended && !self.payment.waits();
        self.late || settled && deadlines.is_past(self.updated_at)
    }

    /// Lapsed, but a payment may still bring it back.
    pub(crate) fn may_return(&self) -> bool {
        self.state == OrderState::Cancelled && self.reason == Some(Reason::ReservationExpired)
    }

    pub(crate) fn may_become(&self, next: OrderState) -> bool {
        match next {
            OrderState::Requested => false,
            OrderState::Rejected | OrderState::AwaitingPayment => {
                self.state == OrderState::Requested
            }
            OrderState::Confirmed => {
                let held = self.state == OrderState::AwaitingPayment;
                held || self.may_return() && self.passed & bit(OrderState::AwaitingPayment) != 0
            }
            OrderState::Cancelled => self.is_open() || self.state == OrderState::Confirmed,
        }
    }
}

/// The state as a bit of [`Order::passed`].
pub(crate) const fn bit(state: OrderState) -> u8 {
    1 << state as u8
}
