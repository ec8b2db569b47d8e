//! One order's money: what the provider has said of it, and what we have asked for.
//!
//! Both are sets that only grow, so neither the order nor the repetition of the provider's
//! answers matters. What follows is read off them and what the order owes ([`Payment::demand`]):
//!
//! | the order | known | ask for |
//! |---|---|---|
//! | waits for payment | nothing | authorize |
//! | owes | authorized | capture |
//! | owes nothing | authorized, capture never asked for | void |
//! | owes nothing | captured | refund |
//!
//! Each verb is asked for once; the payment worker repeats the call. A void is never asked for
//! beside a capture: the capture's answer is waited for, and refunded. An answer of another
//! amount or currency is a [`Stray`]: it is undone, and changes nothing else.

use schemas::events::customer_actions::PaymentOutcome;
use schemas::events::orders::PaymentState;
use schemas::events::payment_requests::PaymentVerb;
use schemas::money::Currency;
use serde::{Deserialize, Serialize};

/// Strays remembered for one payment. A provider that tells more different wrong sums of one
/// payment is broken; what it says then is dropped, for a person to look at on the log.
pub const STRAYS_MAX: usize = 8;

/// Money that was reported, but not the money asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// What undoes it: void of a hold, refund of what was taken.
    pub verb: PaymentVerb,
    /// In minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
}

/// What the order owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is not known yet.
    Open,
    /// The order waits for its payment.
    Wanted,
    /// All of it.
    All,
    /// Nothing, now and for ever.
    Nothing,
}

/// A change of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The provider told something new.
    Told(PaymentOutcome),
    /// The provider told of money that was not asked for.
    Strayed(Stray),
    /// The provider was asked for something.
    Asked(PaymentVerb),
}

/// What is shown of a payment; sums in minor units, as in `PaymentChanged`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: PaymentState,
    /// Held for us at some time.
    pub authorized: i64,
    /// Taken.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// Hold given up.
    pub voided: i64,
}

/// A payment of a fixed sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payment {
    amount: i64,
    currency: Currency,
    told: u8,
    asked: u8,
    strays: Vec<Stray>,
}

impl Payment {
    /// A payment of `amount` minor units that nobody has asked for.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency, told: 0, asked: 0, strays: Vec::new() }
    }

    /// The order's total in minor units.
    #[must_use]
    pub const fn amount(&self) -> i64 {
        self.amount
    }

    /// Of the amount.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The two sets, for hashing.
    #[must_use]
    pub fn word(&self) -> u64 {
        u64::from(self.told) | u64::from(self.asked) << 8 | (self.strays.len() as u64) << 16
    }

    /// Whether the money is held for us or ours.
    #[must_use]
    pub const fn is_paid(&self) -> bool {
        !self.told(PaymentOutcome::Refunded)
            && (self.told(PaymentOutcome::Captured)
                || self.told(PaymentOutcome::Authorized) && !self.told(PaymentOutcome::Voided))
    }

    /// Whether no money is to be expected: the provider said no, or gave it back.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        !self.is_paid()
            && (self.told(PaymentOutcome::Declined)
                || self.told(PaymentOutcome::Voided)
                || self.told(PaymentOutcome::Refunded))
    }

    /// Whether the provider owes an answer to a capture, a void or a refund.
    #[must_use]
    pub const fn waits(&self) -> bool {
        let given_up = self.told(PaymentOutcome::Voided) || self.has_captured();
        (self.asked(PaymentVerb::Capture) || self.asked(PaymentVerb::Void)) && !given_up
            || self.asked(PaymentVerb::Refund) && !self.told(PaymentOutcome::Refunded)
    }

    /// What a report of the provider changes; nothing if it is known, or overtaken.
    #[must_use]
    pub fn decide(
        &self,
        outcome: PaymentOutcome,
        amount: i64,
        currency: Currency,
    ) -> Option<Event> {
        if (amount, currency) != (self.amount, self.currency) {
            return self.decide_stray(outcome, amount, currency);
        }
        let overtaken = match outcome {
            PaymentOutcome::Declined => self.is_paid(),
            PaymentOutcome::Voided => self.has_captured(),
            PaymentOutcome::Authorized | PaymentOutcome::Captured | PaymentOutcome::Refunded => {
                false
            }
        };
        (!overtaken && !self.told(outcome)).then_some(Event::Told(outcome))
    }

    fn decide_stray(
        &self,
        outcome: PaymentOutcome,
        amount: i64,
        currency: Currency,
    ) -> Option<Event> {
        let verb = match outcome {
            PaymentOutcome::Authorized => PaymentVerb::Void,
            PaymentOutcome::Captured => PaymentVerb::Refund,
            PaymentOutcome::Declined | PaymentOutcome::Voided | PaymentOutcome::Refunded => {
                return None;
            }
        };
        let stray = Stray { verb, amount, currency };
        let new = self.strays.len() < STRAYS_MAX && !self.strays.contains(&stray);
        new.then_some(Event::Strayed(stray))
    }

    /// What must be asked for, if anything, where the order owes `due`.
    #[must_use]
    pub const fn demand(&self, due: Due) -> Option<Event> {
        let held = self.told(PaymentOutcome::Authorized) && !self.told(PaymentOutcome::Voided);
        let verb = match due {
            Due::Open => return None,
            Due::Wanted if self.told == 0 => PaymentVerb::Authorize,
            Due::Wanted => return None,
            Due::All if held && !self.has_captured() => PaymentVerb::Capture,
            Due::All => return None,
            Due::Nothing if self.told(PaymentOutcome::Refunded) => return None,
            Due::Nothing if self.told(PaymentOutcome::Captured) => PaymentVerb::Refund,
            Due::Nothing if held && !self.asked(PaymentVerb::Capture) => PaymentVerb::Void,
            Due::Nothing => return None,
        };
        if self.asked(verb) { None } else { Some(Event::Asked(verb)) }
    }

    /// Takes in a change.
    pub fn evolve(&mut self, event: Event) {
        match event {
            Event::Told(outcome) => self.told |= 1 << outcome as u8,
            Event::Strayed(stray) => self.strays.push(stray),
            Event::Asked(verb) => self.asked |= 1 << verb as u8,
        }
    }

    /// What is shown; nothing of a payment that was neither asked for nor reported.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        if self.told == 0 && self.asked == 0 {
            return None;
        }
        let sum = |holds: bool| if holds { self.amount } else { 0 };
        let held = self.told(PaymentOutcome::Authorized);
        Some(Standing {
            state: self.state(),
            authorized: sum(held || self.has_captured() || self.told(PaymentOutcome::Voided)),
            captured: sum(self.has_captured()),
            refunded: sum(self.told(PaymentOutcome::Refunded)),
            voided: sum(self.told(PaymentOutcome::Voided)),
        })
    }

    const fn state(&self) -> PaymentState {
        if self.told(PaymentOutcome::Refunded) {
            PaymentState::Refunded
        } else if self.told(PaymentOutcome::Captured) {
            if self.asked(PaymentVerb::Refund) {
                PaymentState::Refunding
            } else {
                PaymentState::Captured
            }
        } else if self.told(PaymentOutcome::Voided) {
            PaymentState::Voided
        } else if self.asked(PaymentVerb::Void) {
            PaymentState::Voiding
        } else if self.asked(PaymentVerb::Capture) {
            PaymentState::Capturing
        } else if self.told(PaymentOutcome::Authorized) {
            PaymentState::Authorized
        } else if self.told(PaymentOutcome::Declined) {
            PaymentState::Declined
        } else {
            PaymentState::Requested
        }
    }

    const fn has_captured(&self) -> bool {
        self.told(PaymentOutcome::Captured) || self.told(PaymentOutcome::Refunded)
    }

    const fn told(&self, outcome: PaymentOutcome) -> bool {
        self.told & 1 << outcome as u8 != 0
    }

    const fn asked(&self, verb: PaymentVerb) -> bool {
        self.asked & 1 << verb as u8 != 0
    }
}
