//! Port: the payment gateway. Asked with a fixed idempotency key, it answers by webhooks; asked
//! for an attempt, it says what became of it.
//!
//! The contract, which [`conformance`] tests by these names:
//! - *once*: the same key again is the same attempt: never a second effect.
//! - *remembers*: an attempt survives a restart of the gateway's process.
//! - *tells*: every webhook is signed; [`PaymentGateway::attempt`] tells what the webhook told.
//! - *unknown*: a call whose outcome is not known is [`GatewayError::Unknown`], never a decline.
//! - *recalls*: what was called and answered elsewhere counts as if it had been here, and is told
//!   to nobody again.

pub mod conformance;
pub mod embedded;
pub mod manual;
pub mod signature;

use schemas::events::customer_actions::PaymentOutcome;
use schemas::events::payment_requests::PaymentRequested;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The gateway never heard of it: it may be asked for.
    NeverMade,
    /// Made, and not yet over.
    Open,
    /// Over.
    Done(PaymentOutcome),
}

/// Why the gateway did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// It did not take the call; the same call again is safe.
    #[error("could not reach the payment gateway: {0}")]
    Unavailable(String),
    /// It may have taken the call: ask for the attempt before calling again.
    #[error("outcome of the payment call unknown: {0}")]
    Unknown(String),
}

/// One call, with what makes it one.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `topic/partition/epoch/n` of the request record.
    pub idempotency_key: String,
    /// What to do.
    pub request: PaymentRequested,
}

/// The gateway. Calls block; the payment worker makes them on its own thread.
pub trait PaymentGateway: Send + Sync {
    /// Makes calls, durably taken when this returns; each answer is that of its call.
    fn call(&self, calls: &[Call]) -> Vec<Result<(), GatewayError>>;

    /// What became of the attempt with this key.
    fn attempt(&self, idempotency_key: &str) -> Result<Attempt, GatewayError>;

    /// Tells of a call that was made and answered already, by this process or one before it. A
    /// provider knows all who call it, and needs no word; a stand-in that has books of its own
    /// takes in what is not in them.
    fn recall(&self, _call: &Call) {}

    /// Whether this gateway answers by itself. `manual:` does not: nothing is polled for.
    fn answers(&self) -> bool;
}
