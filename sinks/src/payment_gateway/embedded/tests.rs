//! The sandbox by its tokens, through restarts, and with a shop that refuses.

use super::*;
use crate::payment_gateway::conformance::{self, Provider, call};
use crate::payment_gateway::signature::verify;
use schemas::events::customer_actions::PaymentOutcome;
use schemas::events::payment_requests::PaymentVerb::{Authorize, Capture, Refund, Void};
use schemas::id::PaymentId;
use schemas::time::Timestamp;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const START: Timestamp = Timestamp(1_000_000_000_000);

/// A sandbox, and the shop that its webhooks come to.
struct Shop {
    dir: tempfile::TempDir,
    clock: Clock,
    /// How many webhooks are refused before one is accepted.
    refusals: Arc<AtomicU32>,
    came: mpsc::Receiver<Webhook>,
    sender: mpsc::Sender<Webhook>,
}

impl Shop {
    fn new() -> Self {
        let (sender, came) = mpsc::channel();
        let dir = tempfile::tempdir().unwrap();
        Self { dir, clock: Clock::manual(START), refusals: Arc::default(), came, sender }
    }

    fn open(&self) -> Sandbox {
        let (sender, refusals) = (self.sender.clone(), Arc::clone(&self.refusals));
        let deliver = move |webhooks: Vec<Webhook>| {
            let take = |webhook| {
                sender.send(webhook).unwrap();
                let refuse = |left: u32| left.checked_sub(1);
                refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse).is_err()
            };
            webhooks.into_iter().map(take).collect()
        };
        let secrets = Secrets::one(b"whsec");
        Sandbox::open(self.dir.path(), secrets, self.clock.clone(), Box::new(deliver)).unwrap()
    }

    fn next(&self) -> serde_json::Value {
        let webhook = self.came.recv().unwrap();
        let secrets = Secrets::one(b"whsec");
        verify(&secrets, &webhook.signature, &webhook.body, self.clock.now()).unwrap();
        serde_json::from_slice(&webhook.body).unwrap()
    }

    fn next_type(&self) -> String {
        self.next()["type"].as_str().unwrap().strip_prefix("payment.").unwrap().to_owned()
    }

    fn advance(&self, sandbox: &Sandbox, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        sandbox.clock_advanced();
    }

    /// What comes until the webhook of another payment, made for this, has come.
    fn types_until_now(&self, sandbox: &Sandbox, key: &str) -> Vec<String> {
        let marker = call(250, Authorize, "tok_ok", key);
        sandbox.call(std::slice::from_ref(&marker));
        let came = std::iter::from_fn(|| Some(self.next()));
        let others =
            came.take_while(|body| body["payment_id"] != marker.request.payment_id.to_string());
        others.map(|body| body["type"].as_str().unwrap().to_owned()).collect()
    }
}

struct SandboxProvider(Shop);

impl Provider for SandboxProvider {
    fn open(&mut self) -> Arc<dyn PaymentGateway> {
        Arc::new(self.0.open())
    }

    fn next_webhook(&mut self) -> (PaymentId, PaymentOutcome) {
        let body = self.0.next();
        let outcome = match body["type"].as_str().unwrap() {
            "payment.authorized" => PaymentOutcome::Authorized,
            "payment.declined" => PaymentOutcome::Declined,
            "payment.captured" => PaymentOutcome::Captured,
            "payment.voided" => PaymentOutcome::Voided,
            "payment.refunded" => PaymentOutcome::Refunded,
            other => panic!("{other}"),
        };
        (PaymentId::parse(body["payment_id"].as_str().unwrap()).unwrap(), outcome)
    }
}

#[test]
fn passes_the_conformance_suite() {
    conformance::check_all(&mut SandboxProvider(Shop::new()));
}

#[test]
fn a_webhook_says_what_interface_4_promises() {
    let shop = Shop::new();
    let sandbox = shop.open();
    let declined = call(1, Authorize, "tok_decline", "0");
    sandbox.call(std::slice::from_ref(&declined));
    let id = KeyHash::of(&declined.idempotency_key).0;
    let expected = serde_json::json!({
        "id": format!("evt_{:016x}{:016x}_0", id[0], id[1]),
        "type": "payment.declined",
        "payment_id": declined.request.payment_id.to_string(),
        "order_id": declined.request.order_id.to_string(),
        "amount": 500,
        "currency": "USD",
        "created_at": "2001-09-09T01:46:40.000Z",
        "decline_code": "card_declined",
    });
    assert_eq!(shop.next(), expected);
}

#[test]
fn every_token_does_what_it_says_and_every_verb_meets_every_state() {
    for (method, verbs, expected) in [
        ("tok_ok", &[Authorize, Capture, Refund][..], &["authorized", "captured", "refunded"][..]),
        ("visa", &[Authorize, Void, Capture], &["authorized", "voided", "voided"]),
        ("tok_ok", &[Authorize, Authorize], &["authorized", "authorized"]),
        ("tok_ok", &[Authorize, Capture, Void], &["authorized", "captured", "captured"]),
        ("tok_ok", &[Authorize, Capture, Capture], &["authorized", "captured", "captured"]),
        ("tok_ok", &[Authorize, Refund, Capture], &["authorized", "voided", "voided"]),
        (
            "tok_ok",
            &[Authorize, Capture, Refund, Refund],
            &["authorized", "captured", "refunded", "declined"],
        ),
        ("tok_decline", &[Authorize, Capture, Void], &["declined", "declined", "voided"]),
        (
            "tok_twice",
            &[Authorize, Void],
            &["authorized", "authorized", "authorized", "voided", "voided", "voided"],
        ),
        ("tok_reorder", &[Authorize, Capture], &["captured", "authorized", "captured"]),
        ("tok_silent", &[Authorize, Void], &["voided"]),
        ("tok_ok", &[Void], &["voided"]),
        ("tok_ok", &[Void, Authorize], &["voided", "voided"]),
        ("tok_delay_5s", &[Authorize, Capture, Void], &["declined", "voided"]),
    ] {
        let shop = Shop::new();
        let sandbox = shop.open();
        for (n, verb) in verbs.iter().enumerate() {
            let made = sandbox.call(&[call(1, *verb, method, &n.to_string())]);
            assert_eq!(made, [Ok(())]);
        }
        let told: Vec<_> = expected.iter().map(|_| shop.next_type()).collect();
        assert_eq!(told, expected, "{method} {verbs:?}");
        shop.advance(&sandbox, 600_000);
        assert_eq!(shop.types_until_now(&sandbox, "0"), [""; 0], "{method} {verbs:?}: more came");
    }
}

#[test]
fn three_copies_are_one_event_and_the_reordered_are_two() {
    for (method, expected) in
        [("tok_twice", ["_0", "_0", "_0"]), ("tok_reorder", ["_0", "_1", "_0"])]
    {
        let shop = Shop::new();
        let sandbox = shop.open();
        let calls = [call(1, Authorize, method, "0"), call(2, Authorize, "tok_ok", "0")];
        sandbox.call(&calls);
        let ids: Vec<_> = (0..3).map(|_| shop.next()["id"].as_str().unwrap().to_owned()).collect();
        let ends: Vec<_> = ids.iter().map(|id| &id[id.len() - 2..]).collect();
        assert_eq!(ends, expected, "{method}");
    }
}

#[test]
fn a_delayed_and_a_late_answer_come_in_their_time_also_after_a_restart() {
    for (method, after_ms) in [("tok_delay_5s", 5_000), ("tok_late", 2_000)] {
        let shop = Shop::new();
        let authorize = call(1, Authorize, method, "0");
        assert_eq!(authorize.request.expires_at, START, "late counts from here");
        let attempt = |sandbox: &Sandbox| sandbox.attempt(&authorize.idempotency_key);
        let sandbox = shop.open();
        sandbox.call(std::slice::from_ref(&authorize));
        shop.advance(&sandbox, after_ms - 1);
        assert_eq!(shop.types_until_now(&sandbox, "0"), [""; 0]);
        assert_eq!(attempt(&sandbox), Ok(Attempt::Open));
        drop(sandbox);
        shop.clock.advance(Duration::from_millis(1));
        let sandbox = shop.open();
        assert_eq!(shop.next_type(), "authorized");
        assert_eq!(attempt(&sandbox), Ok(Attempt::Done(PaymentOutcome::Authorized)));
        drop(sandbox);
        let sandbox = shop.open();
        assert_eq!(shop.types_until_now(&sandbox, "1"), [""; 0], "accepted, and told again");
    }
}

#[test]
fn a_void_calls_off_an_authorization_that_has_not_come() {
    for method in ["tok_delay_5s", "tok_late", "tok_silent"] {
        let shop = Shop::new();
        let sandbox = shop.open();
        let authorize = call(1, Authorize, method, "0");
        sandbox.call(&[authorize.clone(), call(1, Void, method, "1")]);
        assert_eq!(shop.next_type(), "voided");
        let attempt = sandbox.attempt(&authorize.idempotency_key);
        assert_eq!(attempt, Ok(Attempt::Done(PaymentOutcome::Voided)));
        drop(sandbox);
        let sandbox = shop.open();
        shop.advance(&sandbox, 60_000);
        assert_eq!(shop.types_until_now(&sandbox, "0"), [""; 0], "{method}");
    }
}

#[test]
fn a_webhook_that_is_not_accepted_comes_again_later_and_after_a_restart() {
    let shop = Shop::new();
    shop.refusals.store(3, Ordering::SeqCst);
    let sandbox = shop.open();
    sandbox.call(&[call(1, Authorize, "tok_ok", "0")]);
    let first = shop.next();
    for wait_ms in [100, 200] {
        shop.advance(&sandbox, wait_ms);
        assert_eq!(shop.next(), first);
    }
    drop(sandbox);
    let sandbox = shop.open();
    assert_eq!(shop.next(), first, "owed over the restart");
    shop.advance(&sandbox, 10_000);
    assert_eq!(shop.types_until_now(&sandbox, "0"), [""; 0], "accepted at last");
}

#[test]
fn a_torn_end_is_cut_off_and_damage_is_named() {
    let shop = Shop::new();
    let path = shop.dir.path().join("sandbox-payments");
    let [first, second] = ["0", "1"].map(|key| call(1, Authorize, "tok_silent", key));
    let sandbox = shop.open();
    sandbox.call(std::slice::from_ref(&first));
    let first_ends = fs::metadata(&path).unwrap().len() as usize;
    sandbox.call(std::slice::from_ref(&second));
    drop(sandbox);
    let whole = fs::read(&path).unwrap();

    for cut in first_ends..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let sandbox = shop.open();
        let attempts =
            [&first, &second].map(|call| sandbox.attempt(&call.idempotency_key).unwrap());
        assert_eq!(attempts, [Attempt::Open, Attempt::NeverMade], "cut at {cut}");
        assert_eq!(fs::metadata(&path).unwrap().len() as usize, first_ends);
    }
    for byte in [4, 8, first_ends - 1] {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1;
        fs::write(&path, flipped).unwrap();
        let opened = Journal::open(&path, |_| ());
        assert!(matches!(opened, Err(OpenError::Damaged { byte: 0, .. })), "bit of byte {byte}");
    }
}

#[test]
fn manual_takes_every_call_and_answers_none() {
    let manual = crate::payment_gateway::manual::Manual;
    let calls = [call(1, Authorize, "tok_ok", "0"), call(1, Capture, "tok_ok", "1")];
    assert_eq!(manual.call(&calls), [Ok(()), Ok(())]);
    assert_eq!(manual.attempt(&calls[0].idempotency_key), Ok(Attempt::Open));
    assert!(!manual.answers());
}
