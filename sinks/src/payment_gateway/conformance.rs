//! What every payment gateway that answers must pass, clause by clause of the port. The gateway
//! under test authorizes `tok_ok` without delay and tells nothing of `tok_silent`.

use super::{Attempt, Call, PaymentGateway};
use schemas::events::customer_actions::PaymentOutcome::{
    self, Authorized, Captured, Refunded, Voided,
};
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::{CustomerId, OrderId, PaymentId, PaymentMethod};
use schemas::money::Currency;
use schemas::time::Timestamp;
use std::sync::Arc;

/// A gateway under test and the shop it tells.
pub trait Provider {
    /// Opens the gateway, or opens it again as after a restart of its process.
    fn open(&mut self) -> Arc<dyn PaymentGateway>;

    /// Blocks until a webhook has come whose signature fits: what it says of which payment.
    fn next_webhook(&mut self) -> (PaymentId, PaymentOutcome);
}

/// Runs every clause. Panics at a breach.
pub fn check_all(provider: &mut dyn Provider) {
    for (payment, clause) in (0..).zip([once, remembers, tells, unknown, recalls]) {
        clause(provider, payment);
    }
}

/// A call on the order with this number, of 500 US cents.
#[must_use]
pub fn call(order: u8, verb: PaymentVerb, method: &str, key: &str) -> Call {
    let order_id = OrderId::new(u16::from(order), [order; 16]);
    let request = PaymentRequested {
        payment_id: order_id.payment(),
        order_id,
        customer_id: CustomerId::parse("C1").expect("a legal id"),
        verb,
        amount: 500,
        currency: Currency::parse("USD").expect("a legal code"),
        payment_method: PaymentMethod::parse(method).expect("a legal id"),
        expires_at: Timestamp(1_000_000_000_000),
    };
    Call { idempotency_key: format!("payment-requests/0/{order}/{key}"), request }
}

fn make(gateway: &dyn PaymentGateway, call: &Call) {
    assert_eq!(gateway.call(std::slice::from_ref(call)), [Ok(())]);
}

/// The same key again tells nothing new: the next webhook is that of the next call.
fn once(provider: &mut dyn Provider, order: u8) {
    let gateway = provider.open();
    let authorize = call(order, PaymentVerb::Authorize, "tok_ok", "0");
    let payment = authorize.request.payment_id;
    assert_eq!(gateway.call(&[authorize.clone(), authorize.clone()]), [Ok(()), Ok(())]);
    make(&*gateway, &authorize);
    make(&*gateway, &call(order, PaymentVerb::Capture, "tok_ok", "1"));
    make(&*gateway, &authorize);
    let told = [provider.next_webhook(), provider.next_webhook()];
    assert_eq!(told, [(payment, Authorized), (payment, Captured)]);
}

fn remembers(provider: &mut dyn Provider, order: u8) {
    let gateway = provider.open();
    let authorize = call(order, PaymentVerb::Authorize, "tok_ok", "0");
    let payment = authorize.request.payment_id;
    make(&*gateway, &authorize);
    assert_eq!(provider.next_webhook(), (payment, Authorized));
    drop(gateway);
    let gateway = provider.open();
    assert_eq!(gateway.attempt(&authorize.idempotency_key), Ok(Attempt::Done(Authorized)));
    make(&*gateway, &authorize);
    make(&*gateway, &call(order, PaymentVerb::Void, "tok_ok", "1"));
    // A webhook may be told again after a restart; a hold that is given up was held once.
    let mut told = provider.next_webhook();
    while told == (payment, Authorized) {
        told = provider.next_webhook();
    }
    assert_eq!(told, (payment, Voided));
}

fn tells(provider: &mut dyn Provider, order: u8) {
    let gateway = provider.open();
    let silent = call(order, PaymentVerb::Authorize, "tok_silent", "0");
    assert_eq!(gateway.attempt(&silent.idempotency_key), Ok(Attempt::NeverMade));
    make(&*gateway, &silent);
    assert_eq!(gateway.attempt(&silent.idempotency_key), Ok(Attempt::Open));
    let void = call(order, PaymentVerb::Void, "tok_silent", "1");
    make(&*gateway, &void);
    let (payment, outcome) = provider.next_webhook();
    assert_eq!((payment, outcome), (void.request.payment_id, Voided));
    assert_eq!(gateway.attempt(&void.idempotency_key), Ok(Attempt::Done(outcome)));
}

/// Whatever an attempt is, it is no decline before the provider has said so.
fn unknown(provider: &mut dyn Provider, order: u8) {
    let gateway = provider.open();
    let silent = call(order, PaymentVerb::Authorize, "tok_silent", "0");
    assert!(gateway.answers());
    make(&*gateway, &silent);
    drop(gateway);
    let gateway = provider.open();
    assert_eq!(gateway.attempt(&silent.idempotency_key), Ok(Attempt::Open));
}

/// A hold that another process asked for, and heard of, is there to be captured; a capture that it
/// heard of is not made again.
fn recalls(provider: &mut dyn Provider, order: u8) {
    let gateway = provider.open();
    gateway.recall(&call(order, PaymentVerb::Authorize, "tok_ok", "0"));
    let capture = call(order, PaymentVerb::Capture, "tok_ok", "1");
    let payment = capture.request.payment_id;
    make(&*gateway, &capture);
    assert_eq!(provider.next_webhook(), (payment, Captured));
    gateway.recall(&capture);
    make(&*gateway, &capture);
    let refund = call(order, PaymentVerb::Refund, "tok_ok", "2");
    make(&*gateway, &refund);
    assert_eq!(provider.next_webhook(), (payment, Refunded));
}
