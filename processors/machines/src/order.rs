//! One order: a saga that ends with every line allocated and the money ours, or with nothing
//! held and no money kept.
//!
//! ```text
//! Requested --all reserved--> AwaitingPayment --paid--> Confirmed --called off--> Cancelled
//!     |                        |         |                  ^
//!     | refused                | declined| deadline         | all reserved again
//!     v                        v         v        paid      |
//!  Rejected                Cancelled   Lapsed ----------> ReservingAgain --refused--> Cancelled
//! ```
//!
//! A command is first taken in as what it says ([`Order::decide`]); what follows from where the
//! order then stands is asked for by itself ([`Order::consequence`]), once all that one round
//! brought is known. So a payment and a cancellation that meet in one round never send a confirm
//! and a release that could overtake each other.
//! A line is reserved at most twice: at first, and once more for a payment that came late.

use crate::line::{Claim, Line};
use crate::message::Place;
use crate::payment::{self, Due, Payment};
use schemas::events::customer_actions::PaymentOutcome;
use schemas::events::lines::{OrderLine, Split};
use schemas::events::orders::Reason;
use schemas::id::{CustomerId, PaymentMethod, RegionId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Its lines are asked for.
    Requested,
    /// All are reserved, and payment is asked for.
    AwaitingPayment,
    /// Paid; all lines are allocated.
    Confirmed,
    /// Refused. The end.
    Rejected(Reason),
    /// Called off. The end.
    Cancelled(Reason),
    /// Cancelled for want of payment, which may still come: then it is reserved again.
    Lapsed,
    /// Cancelled, but paid late: the lines are asked for again.
    ReservingAgain,
}

/// What happens to an order from outside.
#[derive(Clone, Debug)]
pub enum Command {
    /// A line is claimed.
    Reserved {
        /// Which line.
        line: u16,
        /// Where its units are.
        levels: Split,
        /// Where the product keeps the claim.
        place: Place,
    },
    /// A line cannot be had.
    Refused {
        /// Which line.
        line: u16,
        /// Why.
        reason: Reason,
        /// Units that firm claims left.
        available: u32,
    },
    /// A line's claim was taken away.
    Revoked {
        /// Which line.
        line: u16,
    },
    /// The provider reports.
    Payment {
        /// What became of the payment.
        outcome: PaymentOutcome,
        /// In minor units.
        amount: i64,
        /// Of the amount.
        currency: Currency,
    },
}

/// A change of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A line is claimed.
    LineReserved {
        /// Which line.
        line: u16,
        /// Where its units are.
        levels: Split,
        /// Where the product keeps the claim.
        place: Place,
    },
    /// A line is refused or lost.
    LineRefused {
        /// Which line.
        line: u16,
        /// Why.
        reason: Reason,
        /// Units that firm claims left.
        available: u32,
    },
    /// A line was claimed for an order that had ended: the claim goes back.
    ClaimedInVain {
        /// Which line.
        line: u16,
        /// Where the product keeps the claim.
        place: Place,
    },
    /// All lines are reserved.
    AwaitingPayment,
    /// All lines are allocated.
    Confirmed,
    /// Refused for this reason.
    Rejected(Reason),
    /// Called off for this reason.
    Cancelled(Reason),
    /// The deadline passed.
    Expired,
    /// Paid after the deadline: the lines are asked for again.
    ReservingAgain,
    /// A lapsed order will not come back.
    GivenUp,
    /// Its payment changed.
    Payment(payment::Event),
}

/// Who orders, and how it shall be delivered and paid.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Whose.
    pub customer: CustomerId,
    /// Of all prices.
    pub currency: Currency,
    /// Where it goes.
    pub region: RegionId,
    /// How it is paid.
    pub payment_method: PaymentMethod,
}

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    customer: CustomerId,
    region: RegionId,
    payment_method: PaymentMethod,
    expires_at: Option<Timestamp>,
    state: State,
    payment: Payment,
    lines: Box<[Line]>,
}

impl Order {
    /// An order whose lines are asked for.
    #[must_use]
    pub fn requested(terms: Terms, lines: &[OrderLine], expires_at: Timestamp) -> Self {
        Self::new(terms, lines, State::Requested, Some(expires_at))
    }

    /// An order that is refused before anything is asked for.
    #[must_use]
    pub fn rejected(terms: Terms, lines: &[OrderLine], reason: Reason) -> Self {
        Self::new(terms, lines, State::Rejected(reason), None)
    }

    fn new(terms: Terms, lines: &[OrderLine], state: State, expires_at: Option<Timestamp>) -> Self {
        let claim = if expires_at.is_some() { Claim::Waiting } else { Claim::Released };
        let total = lines.iter().fold(0_i64, |total, line| {
            total.saturating_add(line.price.saturating_mul(i64::from(line.quantity)))
        });
        Self {
            customer: terms.customer,
            region: terms.region,
            payment_method: terms.payment_method,
            expires_at,
            state,
            payment: Payment::new(total, terms.currency),
            lines: lines.iter().map(|line| Line::new(line, claim.clone())).collect(),
        }
    }

    /// Whose.
    #[must_use]
    pub const fn customer(&self) -> CustomerId {
        self.customer
    }

    /// Where it goes.
    #[must_use]
    pub const fn region(&self) -> RegionId {
        self.region
    }

    /// How it is paid.
    #[must_use]
    pub const fn payment_method(&self) -> PaymentMethod {
        self.payment_method
    }

    /// When its reservations lapse; none if it never asked for any.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its money.
    #[must_use]
    pub const fn payment(&self) -> &Payment {
        &self.payment
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What its timer changes: nothing before the deadline, or where it waits for nothing.
    #[must_use]
    #[inline]
    pub fn decide_expiry(&self, now: Timestamp) -> Option<Event> {
        let open = matches!(self.state, State::Requested | State::AwaitingPayment);
        let due = self.expires_at.is_some_and(|deadline| deadline <= now);
        (open && due).then_some(Event::Expired)
    }

    /// What a command changes; nothing if it says nothing new.
    #[must_use]
    #[inline]
    pub fn decide(&self, command: Command) -> Option<Event> {
        match command {
            Command::Reserved { line, levels, place } if self.waits_for(line) => {
                Some(Event::LineReserved { line, levels, place })
            }
            Command::Reserved { line, place, .. } if self.has_ended() => {
                Some(Event::ClaimedInVain { line, place })
            }
            Command::Refused { line, reason, available } if self.waits_for(line) => {
                Some(Event::LineRefused { line, reason, available })
            }
            Command::Reserved { .. } | Command::Refused { .. } => None,
            Command::Revoked { line } => {
                let held = match self.claim(line)? {
                    Claim::Reserved(_) | Claim::Allocated(_) => true,
                    Claim::Waiting | Claim::Refused { .. } | Claim::Released => false,
                };
                let reason = Reason::OutOfStock;
                held.then_some(Event::LineRefused { line, reason, available: 0 })
            }
            Command::Payment { outcome, amount, currency } => {
                self.payment.decide(outcome, amount, currency).map(Event::Payment)
            }
        }
    }

    /// What the customer's calling off changes.
    ///
    /// # Errors
    /// The order had ended already.
    pub const fn decide_cancellation(&self) -> Result<Event, Reason> {
        match self.state {
            State::Requested | State::AwaitingPayment | State::Confirmed => {
                Ok(Event::Cancelled(Reason::CancelledByCustomer))
            }
            State::Lapsed | State::ReservingAgain => Ok(Event::GivenUp),
            State::Rejected(_) | State::Cancelled(_) => Err(Reason::IllegalState),
        }
    }

    /// What follows from where the order stands; to be asked until nothing does.
    #[must_use]
    #[inline]
    pub fn consequence(&self) -> Option<Event> {
        let follows = match self.state {
            State::Requested => match self.first_refusal() {
                Some(reason) => Some(Event::Rejected(reason)),
                None if self.payment.is_refused() => {
                    Some(Event::Cancelled(Reason::PaymentDeclined))
                }
                None => (!self.is_waiting()).then_some(Event::AwaitingPayment),
            },
            State::AwaitingPayment | State::Confirmed => match self.first_refusal() {
                Some(reason) => Some(Event::Cancelled(reason)),
                None if self.payment.is_refused() => {
                    Some(Event::Cancelled(Reason::PaymentDeclined))
                }
                None => (self.state == State::AwaitingPayment && self.payment.is_paid())
                    .then_some(Event::Confirmed),
            },
            State::Lapsed if self.payment.is_paid() => Some(Event::ReservingAgain),
            State::Lapsed => self.payment.is_refused().then_some(Event::GivenUp),
            State::ReservingAgain if !self.payment.is_paid() => Some(Event::GivenUp),
            State::ReservingAgain if self.first_refusal().is_some() => Some(Event::GivenUp),
            State::ReservingAgain => (!self.is_waiting()).then_some(Event::Confirmed),
            State::Rejected(_) | State::Cancelled(_) => None,
        };
        follows.or_else(|| self.payment.demand(self.due()).map(Event::Payment))
    }

    /// Takes in a change.
    #[inline]
    pub fn evolve(&mut self, event: Event) {
        match event {
            Event::LineReserved { line, levels, place } => {
                let line = &mut self.lines[usize::from(line)];
                (line.claim, line.place) = (Claim::Reserved(levels), place);
            }
            Event::LineRefused { line, reason, available } => {
                self.lines[usize::from(line)].claim = Claim::Refused { reason, available };
            }
            Event::ClaimedInVain { .. } => {}
            Event::AwaitingPayment => self.state = State::AwaitingPayment,
            Event::Confirmed => self.allocate(),
            Event::Rejected(reason) => {
                self.state = State::Rejected(reason);
                let kept = |line: &&mut Line| !matches!(line.claim, Claim::Refused { .. });
                self.lines.iter_mut().filter(kept).for_each(|line| line.claim = Claim::Released);
            }
            Event::Cancelled(reason) => self.end(State::Cancelled(reason)),
            // Nobody was asked for money yet: none can come late.
            Event::Expired if self.state == State::Requested => {
                self.end(State::Cancelled(Reason::ReservationExpired));
            }
            Event::Expired => self.end(State::Lapsed),
            Event::ReservingAgain => {
                self.state = State::ReservingAgain;
                self.lines.iter_mut().for_each(Line::ask_again);
            }
            Event::GivenUp => self.end(State::Cancelled(Reason::ReservationExpired)),
            Event::Payment(event) => self.payment.evolve(event),
        }
    }

    fn allocate(&mut self) {
        self.state = State::Confirmed;
        for line in &mut self.lines {
            line.claim = match std::mem::replace(&mut line.claim, Claim::Released) {
                Claim::Reserved(levels) => Claim::Allocated(levels),
                other @ (Claim::Waiting
                | Claim::Allocated(_)
                | Claim::Refused { .. }
                | Claim::Released) => {
                    unreachable!("I6: an order is confirmed with a line {other:?}")
                }
            };
        }
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.lines.iter_mut().for_each(|line| line.claim = Claim::Released);
    }

    const fn due(&self) -> Due {
        match self.state {
            State::Requested | State::Lapsed | State::ReservingAgain => Due::Open,
            State::AwaitingPayment => Due::Wanted,
            State::Confirmed => Due::All,
            State::Rejected(_) | State::Cancelled(_) => Due::Nothing,
        }
    }

    /// Whether nothing more comes of it by itself. A payment that was never answered may still.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        (self.has_ended() || matches!(self.state, State::Lapsed)) && !self.payment.waits()
    }

    const fn has_ended(&self) -> bool {
        matches!(self.state, State::Rejected(_) | State::Cancelled(_))
    }

    fn claim(&self, line: u16) -> Option<&Claim> {
        self.lines.get(usize::from(line)).map(|line| &line.claim)
    }

    fn waits_for(&self, line: u16) -> bool {
        matches!(self.claim(line), Some(Claim::Waiting))
    }

    fn is_waiting(&self) -> bool {
        self.lines.iter().any(|line| line.claim == Claim::Waiting)
    }

    fn first_refusal(&self) -> Option<Reason> {
        self.lines.iter().find_map(|line| match line.claim {
            Claim::Refused { reason, .. } => Some(reason),
            Claim::Waiting | Claim::Reserved(_) | Claim::Allocated(_) | Claim::Released => None,
        })
    }
}
