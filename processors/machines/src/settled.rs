//! What is kept for ever of an order that was settled long ago: enough that its id opens no other
//! order, and that money which comes after all goes back. Its rows stand as they are.

use crate::order::Order;
use crate::payment::{Due, Event, Payment};
use schemas::events::customer_actions::PaymentOutcome;
use schemas::id::{CustomerId, PaymentMethod};
use schemas::money::Currency;
use serde::{Deserialize, Serialize};

/// An order that is no more than its money. It owes nothing, now and for ever.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    customer: CustomerId,
    payment_method: PaymentMethod,
    payment: Payment,
}

impl Settled {
    /// What is left of an order; nothing if it is not settled.
    #[must_use]
    pub fn of(order: &Order) -> Option<Self> {
        order.is_settled().then(|| Self {
            customer: order.customer(),
            payment_method: order.payment_method(),
            payment: order.payment().clone(),
        })
    }

    /// Whose it was.
    #[must_use]
    pub const fn customer(&self) -> CustomerId {
        self.customer
    }

    /// How it was to be paid.
    #[must_use]
    pub const fn payment_method(&self) -> PaymentMethod {
        self.payment_method
    }

    /// Its money.
    #[must_use]
    pub const fn payment(&self) -> &Payment {
        &self.payment
    }

    /// What a report of the provider changes; nothing if it is known, or overtaken.
    #[must_use]
    pub fn decide(
        &self,
        outcome: PaymentOutcome,
        amount: i64,
        currency: Currency,
    ) -> Option<Event> {
        self.payment.decide(outcome, amount, currency)
    }

    /// What follows: what came in goes back.
    #[must_use]
    pub const fn consequence(&self) -> Option<Event> {
        self.payment.demand(Due::Nothing)
    }

    /// Takes in a change.
    pub fn evolve(&mut self, event: Event) {
        self.payment.evolve(event);
    }
}
