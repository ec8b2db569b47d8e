//! What the sandbox owes whom: a pure fold over the calls made and the webhooks accepted.
//!
//! | verb | payment | answer |
//! |---|---|---|
//! | authorize | new | as the payment method says |
//! | authorize | asked for before | what it is: no second hold; while unanswered, nothing more |
//! | capture | held | captured |
//! | capture | captured | captured: no second capture |
//! | capture | voided / not held, or less than asked | voided / declined, `not_held` |
//! | void | captured | captured: too late, it must be refunded |
//! | void | anything else | voided; an authorization still to come will not come |
//! | refund | captured, and that much is left | refunded |
//! | refund | captured, less is left | declined, `over_captured` |
//! | refund | not captured | as a void |
//!
//! It keeps some 150 bytes of each payment and 50 of each attempt for as long as it lives: a real
//! provider forgets keys after a day, a sandbox is thrown away before.

use crate::payment_gateway::Attempt;
use schemas::events::customer_actions::PaymentOutcome;
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::{KeyHash, OrderId, PaymentId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

const DELAY_MS: i64 = 5_000;
const LATE_MS: i64 = 2_000;
/// What the first refusal puts a webhook off by; each further one doubles it.
const BACKOFF_MS: i64 = 100;
const BACKOFF_MAX_MS: i64 = 10_000;

#[derive(Default)]
pub(super) struct Ledger {
    attempts: HashMap<KeyHash, Answer>,
    payments: HashMap<PaymentId, Payment>,
    /// What is to be told, by when and in the order in which it became so.
    due: BTreeMap<(Timestamp, u64), Notice>,
    places: HashMap<NoticeId, (Timestamp, u64)>,
    next: u64,
}

/// What an attempt is answered, from when on.
#[derive(Clone, Copy)]
struct Answer {
    outcome: Option<PaymentOutcome>,
    at: Timestamp,
}

struct Payment {
    authorization: KeyHash,
    copies: u8,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Unanswered,
    Declined,
    Held { from: Timestamp, amount: i64 },
    Captured { amount: i64, refunded: i64 },
    Voided,
}

/// One copy of one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct NoticeId {
    /// The [`KeyHash`] of the attempt.
    key: [u64; 2],
    copy: u8,
}

/// A webhook to be told, as often as it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Notice {
    pub(super) id: NoticeId,
    /// Which of the attempt's events: copies of one webhook have the same.
    event: u8,
    pub(super) outcome: PaymentOutcome,
    pub(super) payment_id: PaymentId,
    pub(super) order_id: OrderId,
    pub(super) amount: i64,
    pub(super) currency: Currency,
    /// When it became so.
    pub(super) at: Timestamp,
    pub(super) decline_code: Option<&'static str>,
    /// How often it was not accepted.
    refusals: u32,
}

impl Notice {
    /// The provider's id of the event.
    pub(super) fn event_id(&self) -> String {
        let [hi, lo] = self.id.key;
        format!("evt_{hi:016x}{lo:016x}_{}", self.event)
    }
}

/// What one call comes to: the payment afterwards, and what is told, in this order.
struct Outcome {
    state: State,
    told: Vec<Told>,
}

struct Told {
    outcome: PaymentOutcome,
    amount: i64,
    decline_code: Option<&'static str>,
    at: Timestamp,
}

impl Told {
    const fn new(outcome: PaymentOutcome, amount: i64, at: Timestamp) -> Self {
        Self { outcome, amount, decline_code: None, at }
    }

    const fn declined(code: &'static str, amount: i64, at: Timestamp) -> Self {
        Self { outcome: PaymentOutcome::Declined, amount, decline_code: Some(code), at }
    }
}

impl Ledger {
    pub(super) fn knows(&self, key: KeyHash) -> bool {
        self.attempts.contains_key(&key)
    }

    /// Takes a call that was made `at`. One with a known key changes nothing.
    pub(super) fn make(&mut self, key: KeyHash, request: PaymentRequested, at: Timestamp) {
        if self.knows(key) {
            return;
        }
        let (told, copies) = self.book(key, request, at);
        self.tell(key, &request, &told, copies);
    }

    /// Takes a call that was made and answered elsewhere before `now`: of an authorization, nothing
    /// is still to come, so it counts as made long ago.
    pub(super) fn recall(&mut self, key: KeyHash, request: PaymentRequested, now: Timestamp) {
        let at = match request.verb {
            PaymentVerb::Authorize => Timestamp(0),
            PaymentVerb::Capture | PaymentVerb::Void | PaymentVerb::Refund => now,
        };
        if !self.knows(key) {
            self.book(key, request, at);
        }
    }

    /// Books a call made `at`: what is told of it, and how often.
    fn book(&mut self, key: KeyHash, request: PaymentRequested, at: Timestamp) -> (Vec<Told>, u8) {
        let method = request.payment_method.to_string();
        let payment = self.payments.get(&request.payment_id);
        let copies = payment.map_or(if method == "tok_twice" { 3 } else { 1 }, |p| p.copies);
        let authorization = payment.map_or(key, |payment| payment.authorization);
        let known = payment.map(|payment| payment.state);
        let Outcome { state, told } = match request.verb {
            PaymentVerb::Authorize => match known {
                None => authorize(&request, &method, at),
                Some(state) => authorize_again(state, &request, at),
            },
            PaymentVerb::Capture => capture(known.unwrap_or(State::Unanswered), &request, at),
            PaymentVerb::Void => void(known.unwrap_or(State::Unanswered), &request, at),
            PaymentVerb::Refund => refund(known.unwrap_or(State::Unanswered), &request, at),
        };
        if matches!(state, State::Voided) {
            self.call_off(authorization, copies, at);
        }
        let payment = Payment { authorization, copies, state };
        self.payments.insert(request.payment_id, payment);
        let answer = told.last().map(|told| told.outcome);
        let answered_at = told.last().map_or(at, |told| told.at);
        self.attempts.insert(key, Answer { outcome: answer, at: answered_at });
        (told, copies)
    }

    fn tell(&mut self, key: KeyHash, request: &PaymentRequested, told: &[Told], copies: u8) {
        let events =
            (0u8..).zip(told).flat_map(|(event, told)| (0..copies).map(move |_| (event, told)));
        for (copy, (event, told)) in (0u8..).zip(events) {
            let notice = Notice {
                id: NoticeId { key: key.0, copy },
                event,
                outcome: told.outcome,
                payment_id: request.payment_id,
                order_id: request.order_id,
                amount: told.amount,
                currency: request.currency,
                at: told.at,
                decline_code: told.decline_code,
                refusals: 0,
            };
            self.put(notice, told.at);
        }
    }

    /// An authorization that has not come by the time of a void does not come any more.
    fn call_off(&mut self, authorization: KeyHash, copies: u8, at: Timestamp) {
        let Some(answer) = self.attempts.get_mut(&authorization) else { return };
        if answer.outcome.is_some() && answer.at <= at {
            return;
        }
        *answer = Answer { outcome: Some(PaymentOutcome::Voided), at };
        for copy in 0..copies {
            self.accepted(NoticeId { key: authorization.0, copy });
        }
    }

    pub(super) fn attempt(&self, key: KeyHash, now: Timestamp) -> Attempt {
        match self.attempts.get(&key) {
            None => Attempt::NeverMade,
            Some(Answer { outcome: Some(outcome), at }) if *at <= now => Attempt::Done(*outcome),
            Some(_) => Attempt::Open,
        }
    }

    pub(super) fn undelivered(&self) -> usize {
        self.due.len()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// The first notices due, up to `limit`; they stay until they are accepted.
    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Vec<Notice> {
        let due = self.due.range(..=(now, u64::MAX));
        due.take(limit).map(|(_, notice)| *notice).collect()
    }

    /// Forgets a notice: it was accepted, or has nothing to tell any more.
    pub(super) fn accepted(&mut self, id: NoticeId) {
        if let Some(place) = self.places.remove(&id) {
            self.due.remove(&place);
        }
    }

    /// Puts off a notice that was not accepted, each time twice as long.
    pub(super) fn refused(&mut self, notice: Notice, now: Timestamp) {
        let Some(place) = self.places.remove(&notice.id) else { return };
        self.due.remove(&place);
        let wait_ms = (BACKOFF_MS << notice.refusals.min(10)).min(BACKOFF_MAX_MS);
        let refusals = notice.refusals.saturating_add(1);
        self.put(Notice { refusals, ..notice }, now.plus_ms(wait_ms));
    }

    fn put(&mut self, notice: Notice, until: Timestamp) {
        let place = (until, self.next);
        self.next += 1;
        self.places.insert(notice.id, place);
        self.due.insert(place, notice);
    }
}

fn authorize(request: &PaymentRequested, method: &str, at: Timestamp) -> Outcome {
    let amount = request.amount;
    let from = match method {
        "tok_delay_5s" => at.plus_ms(DELAY_MS),
        "tok_late" => request.expires_at.plus_ms(LATE_MS).max(at),
        _ => at,
    };
    let authorized = Told::new(PaymentOutcome::Authorized, amount, from);
    match method {
        "tok_silent" => Outcome { state: State::Unanswered, told: Vec::new() },
        "tok_decline" => Outcome {
            state: State::Declined,
            told: vec![Told::declined("card_declined", amount, at)],
        },
        "tok_reorder" => Outcome {
            state: State::Captured { amount, refunded: 0 },
            told: vec![Told::new(PaymentOutcome::Captured, amount, at), authorized],
        },
        _ => Outcome { state: State::Held { from, amount }, told: vec![authorized] },
    }
}

fn authorize_again(state: State, request: &PaymentRequested, at: Timestamp) -> Outcome {
    let told = match state {
        State::Unanswered => Vec::new(),
        State::Held { from, .. } if from > at => Vec::new(),
        State::Declined => vec![Told::declined("card_declined", request.amount, at)],
        State::Held { amount, .. } => vec![Told::new(PaymentOutcome::Authorized, amount, at)],
        State::Captured { amount, .. } => vec![Told::new(PaymentOutcome::Captured, amount, at)],
        State::Voided => vec![Told::new(PaymentOutcome::Voided, request.amount, at)],
    };
    Outcome { state, told }
}

fn capture(state: State, request: &PaymentRequested, at: Timestamp) -> Outcome {
    let asked = request.amount;
    match state {
        State::Held { from, amount } if from <= at && asked <= amount => Outcome {
            state: State::Captured { amount: asked, refunded: 0 },
            told: vec![Told::new(PaymentOutcome::Captured, asked, at)],
        },
        State::Captured { amount, .. } => {
            Outcome { state, told: vec![Told::new(PaymentOutcome::Captured, amount, at)] }
        }
        State::Voided => {
            Outcome { state, told: vec![Told::new(PaymentOutcome::Voided, asked, at)] }
        }
        State::Unanswered | State::Declined | State::Held { .. } => {
            Outcome { state, told: vec![Told::declined("not_held", asked, at)] }
        }
    }
}

fn void(state: State, request: &PaymentRequested, at: Timestamp) -> Outcome {
    match state {
        State::Captured { amount, .. } => {
            Outcome { state, told: vec![Told::new(PaymentOutcome::Captured, amount, at)] }
        }
        State::Held { amount, .. } => Outcome {
            state: State::Voided,
            told: vec![Told::new(PaymentOutcome::Voided, amount, at)],
        },
        State::Unanswered | State::Declined | State::Voided => Outcome {
            state: State::Voided,
            told: vec![Told::new(PaymentOutcome::Voided, request.amount, at)],
        },
    }
}

fn refund(state: State, request: &PaymentRequested, at: Timestamp) -> Outcome {
    let asked = request.amount;
    match state {
        State::Captured { amount, refunded } if asked <= amount - refunded => Outcome {
            state: State::Captured { amount, refunded: refunded + asked },
            told: vec![Told::new(PaymentOutcome::Refunded, asked, at)],
        },
        State::Captured { .. } => {
            Outcome { state, told: vec![Told::declined("over_captured", asked, at)] }
        }
        State::Unanswered | State::Declined | State::Held { .. } | State::Voided => {
            void(state, request, at)
        }
    }
}
