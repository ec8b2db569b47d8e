//! The thread that tells: it sleeps until a notice is due, posts what is due in batches, and puts
//! off what was not accepted. What is accepted is noted without a sync: a power failure has it
//! told again, which the shop is used to.

use super::journal::Entry;
use super::ledger::Notice;
use super::{Books, Shared};
use crate::clock::Clock;
use crate::payment_gateway::signature::{Secrets, sign};
use schemas::events::customer_actions::PaymentOutcome;
use schemas::time::Timestamp;
use serde_json::json;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Webhooks of one delivery: enough to share the shop's sync of its log.
const BATCH: usize = 1_000;

/// A webhook as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Of the header [`SIGNATURE_HEADER`](crate::payment_gateway::signature::SIGNATURE_HEADER).
    pub signature: String,
    /// JSON.
    pub body: Vec<u8>,
}

/// Posts webhooks, in this order, and says of each whether it was accepted: durably taken. What was
/// not is posted again later.
pub type Deliver = Box<dyn Fn(Vec<Webhook>) -> Vec<bool> + Send + Sync>;

pub(super) struct Courier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    pub(super) fn start(
        shared: Arc<Shared>,
        secrets: Secrets,
        clock: Clock,
        deliver: Deliver,
    ) -> io::Result<Self> {
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sandbox-courier".to_owned())
            .spawn(move || run(&theirs, &secrets, &clock, &deliver))?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(
                "the sandbox's courier panicked; what it owed is told at the next start"
            );
        }
    }
}

fn run(shared: &Shared, secrets: &Secrets, clock: &Clock, deliver: &Deliver) {
    while let Some(notices) = wait_for_due(shared, clock) {
        let now = clock.now();
        let webhooks = notices.iter().map(|notice| webhook(notice, secrets, now)).collect();
        let accepted = deliver(webhooks);
        let mut books = shared.lock();
        if let Err(error) = settle(&mut books, &notices, &accepted, now) {
            tracing::error!(%error, "accepted webhooks are told again at the next start");
        }
    }
}

/// Blocks until notices are due, and returns them; `None` when it is time to stop.
fn wait_for_due(shared: &Shared, clock: &Clock) -> Option<Vec<Notice>> {
    let mut books = shared.lock();
    loop {
        if books.stopping {
            return None;
        }
        let now = clock.now();
        let due = books.ledger.due(now, BATCH);
        if !due.is_empty() {
            return Some(due);
        }
        books = match books.ledger.next_due() {
            None => shared.changed.wait(books).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let ms = u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
                let waited = shared.changed.wait_timeout(books, Duration::from_millis(ms));
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// Forgets what was accepted, puts off the rest. An answer that is missing is a refusal.
fn settle(
    books: &mut Books,
    notices: &[Notice],
    accepted: &[bool],
    now: Timestamp,
) -> io::Result<()> {
    let mut entries = Vec::new();
    for (n, notice) in notices.iter().enumerate() {
        if accepted.get(n).copied().unwrap_or(false) {
            books.ledger.accepted(notice.id);
            entries.push(Entry::Accepted(notice.id));
            continue;
        }
        books.ledger.refused(*notice, now);
    }
    books.journal.append(&entries)
}

fn webhook(notice: &Notice, secrets: &Secrets, now: Timestamp) -> Webhook {
    let kind = match notice.outcome {
        PaymentOutcome::Authorized => "payment.authorized",
        PaymentOutcome::Declined => "payment.declined",
        PaymentOutcome::Captured => "payment.captured",
        PaymentOutcome::Voided => "payment.voided",
        PaymentOutcome::Refunded => "payment.refunded",
    };
    let body = json!({
        "id": notice.event_id(),
        "type": kind,
        "payment_id": notice.payment_id,
        "order_id": notice.order_id,
        "amount": notice.amount,
        "currency": notice.currency,
        "created_at": notice.at.rfc3339(),
        "decline_code": notice.decline_code,
    });
    let body = body.to_string().into_bytes();
    Webhook { signature: sign(secrets, now, &body), body }
}
