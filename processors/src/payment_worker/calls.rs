//! What is due: calls to the gateway, questions what became of them, and results that were told so.

use super::requests::{Next, Open};
use super::worker::Worker;
use bytes::Bytes;
use schemas::envelope::{Envelope, Role};
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::payment_requests::PaymentRequested;
use schemas::id::{EventId, action_id};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::NewRecord;
use sinks::payment_gateway::{Attempt, GatewayError};
use std::time::Duration;

/// Calls made at once: they share the gateway's round trip.
const CALLS_MAX: usize = 10_000;
/// How long a webhook may take before the attempt is asked for; each further time it is double.
pub(super) const POLL_AFTER: Duration = Duration::from_secs(10);
const POLL_AFTER_MAX: Duration = Duration::from_secs(600);
/// What the first failed call waits; each further one waits double.
pub(super) const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long after the order's deadline an open attempt is asked for: providers forget keys then.
const POLLED_MS: i64 = 24 * 60 * 60 * 1000;
impl Worker {
    /// Takes every step that is due.
    pub(super) fn work(&mut self) {
        let (now, wall) = (self.clock.elapsed(), self.clock.now());
        let (mut to_call, mut to_report) = (Vec::new(), Vec::new());
        for open in self.requests.take_due(now, CALLS_MAX) {
            match open.next {
                Next::Call => to_call.push(open),
                Next::Ask => match self.gateway.attempt(&open.id.idempotency_key()) {
                    Ok(Attempt::NeverMade) => to_call.push(open),
                    Ok(Attempt::Open) => self.poll_later(open, now, wall),
                    Ok(Attempt::Done(outcome)) => to_report.push((open, outcome)),
                    Err(GatewayError::Unavailable(_) | GatewayError::Unknown(_)) => {
                        self.requests.again(open, Next::Ask, now, backoff(open.waited));
                    }
                },
            }
        }
        self.call(to_call, now);
        self.append(to_report, now);
    }

    fn poll_later(&mut self, open: Open, now: Duration, wall: Timestamp) {
        let given_up_at = open.request.expires_at.plus_ms(POLLED_MS);
        if !self.gateway.answers() || wall > given_up_at {
            return;
        }
        let wait = (2 * open.waited).clamp(POLL_AFTER, POLL_AFTER_MAX);
        self.requests.again(open, Next::Ask, now, wait);
    }

    fn call(&mut self, to_call: Vec<Open>, now: Duration) {
        if to_call.is_empty() {
            return;
        }
        let calls: Vec<_> = to_call.iter().map(Open::call).collect();
        let answers = self.gateway.call(&calls);
        assert_eq!(answers.len(), calls.len(), "a gateway answers every call");
        for (open, answer) in to_call.into_iter().zip(answers) {
            let wait = backoff(open.waited);
            match answer {
                Ok(()) if self.gateway.answers() => {
                    self.requests.again(open, Next::Ask, now, POLL_AFTER);
                }
                Ok(()) => {}
                Err(GatewayError::Unavailable(_)) => {
                    self.requests.again(open, Next::Call, now, wait);
                }
                Err(GatewayError::Unknown(_)) => self.requests.again(open, Next::Ask, now, wait),
            }
        }
    }

    /// Appends what attempts told. A request stays open until its result is read, so an append
    /// that failed is made again.
    fn append(&mut self, to_report: Vec<(Open, PaymentOutcome)>, now: Duration) {
        if to_report.is_empty() {
            return;
        }
        let records = to_report.iter().map(|(open, outcome)| self.record(open, *outcome)).collect();
        for ((open, _), answer) in to_report.into_iter().zip(self.log.append(records).wait()) {
            let wait = if answer.is_ok() { POLL_AFTER } else { backoff(open.waited) };
            self.requests.again(open, Next::Ask, now, wait);
        }
    }

    fn record(&self, open: &Open, outcome: PaymentOutcome) -> NewRecord {
        let PaymentRequested { order_id, payment_id, amount, currency, .. } = open.request;
        let provider_event_id = format!("attempt:{}", open.id.idempotency_key());
        let event_id = action_id(order_id.group(), &[provider_event_id.as_bytes()]).to_bytes();
        let envelope = Envelope {
            event_id: EventId(event_id),
            occurred_at: self.clock.now(),
            role: Role::Provider,
            subject: None,
            causation_id: EventId(event_id),
            correlation_id: EventId(order_id.to_bytes()),
        };
        let report = PaymentReported {
            provider_event_id,
            payment_id,
            order_id,
            outcome,
            amount,
            currency,
            decline_code: None,
        };
        let mut value = Vec::new();
        self.schemas.codec.encode(&envelope, &report.into(), &mut value);
        NewRecord {
            partition: TopicPartition::of_group(Topic::CustomerActions, order_id.group()),
            key: order_id.with_text(|text| Bytes::copy_from_slice(text.as_bytes())),
            value: value.into(),
            output_id: None,
        }
    }
}

fn backoff(waited: Duration) -> Duration {
    (2 * waited).clamp(BACKOFF, BACKOFF_MAX)
}
