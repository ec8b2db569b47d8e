//! The sandbox: a payment provider inside the process, which does as the payment method says.
//!
//! | payment method | an authorization is answered |
//! |---|---|
//! | `tok_ok`, and any other | authorized, at once |
//! | `tok_decline` | declined, at once |
//! | `tok_delay_5s` | authorized, 5 s later |
//! | `tok_twice` | authorized; this and all later webhooks of the payment come three times |
//! | `tok_reorder` | captured, then authorized: it captures by itself |
//! | `tok_silent` | never |
//! | `tok_late` | authorized, 2 s after `expires_at` |
//!
//! The other verbs are answered at once, by what the payment then is (`ledger.rs`). An attempt is
//! in the journal before its call returns; what is to be told is worked out from the journal, so a
//! restart tells what was due meanwhile, and tells again what it does not know to be accepted.
//!
//! Another process's sandbox answers the same calls the same, so what is recalled is booked anew.

mod courier;
mod journal;
mod ledger;

pub use courier::{Deliver, Webhook};
pub use journal::OpenError;

use super::signature::Secrets;
use super::{Attempt, Call, GatewayError, PaymentGateway};
use crate::clock::Clock;
use courier::Courier;
use journal::{Entry, Journal};
use ledger::Ledger;
use schemas::id::KeyHash;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Webhooks not yet accepted, the delayed ones among them; beyond it calls are refused.
pub const UNDELIVERED_MAX: usize = 1_000_000;

/// The sandbox. Dropping it stops its deliveries; opening it again takes them up.
pub struct Sandbox {
    shared: Arc<Shared>,
    clock: Clock,
    _courier: Courier,
}

struct Shared {
    books: Mutex<Books>,
    changed: Condvar,
}

struct Books {
    journal: Journal,
    ledger: Ledger,
    stopping: bool,
}

impl Shared {
    /// A panic while the books are open leaves what the journal says already.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Opens the sandbox whose journal is in `dir`, an existing folder, and begins to deliver.
    pub fn open(
        dir: &Path,
        secrets: Secrets,
        clock: Clock,
        deliver: Deliver,
    ) -> Result<Self, OpenError> {
        let path = dir.join("sandbox-payments");
        let mut ledger = Ledger::default();
        let journal = Journal::open(&path, |entry| match entry {
            Entry::Made { key, request, at } => ledger.make(KeyHash::of(&key), request, at),
            Entry::Accepted(notice) => ledger.accepted(notice),
        })?;
        let books = Mutex::new(Books { journal, ledger, stopping: false });
        let shared = Arc::new(Shared { books, changed: Condvar::new() });
        let courier = Courier::start(Arc::clone(&shared), secrets, clock.clone(), deliver)
            .map_err(|source| OpenError::Io { path, source })?;
        Ok(Self { shared, clock, _courier: courier })
    }

    /// Looks at the clock anew. A clock that was moved by hand wakes nobody by itself.
    pub fn clock_advanced(&self) {
        // With the lock: the courier has either not looked at the clock yet, or sleeps.
        let _books = self.shared.lock();
        self.shared.changed.notify_all();
    }
}

impl PaymentGateway for Sandbox {
    fn call(&self, calls: &[Call]) -> Vec<Result<(), GatewayError>> {
        let mut books = self.shared.lock();
        if books.ledger.undelivered() + calls.len() > UNDELIVERED_MAX {
            let why = format!("over {UNDELIVERED_MAX} webhooks wait to be accepted");
            return vec![Err(GatewayError::Unavailable(why)); calls.len()];
        }
        let at = self.clock.now();
        let mut keys = HashSet::new();
        let new: Vec<_> = calls
            .iter()
            .map(|call| (KeyHash::of(&call.idempotency_key), call))
            .filter(|(key, _)| !books.ledger.knows(*key) && keys.insert(*key))
            .collect();
        let entries = new.iter().map(|(_, call)| Entry::Made {
            key: call.idempotency_key.clone(),
            request: call.request,
            at,
        });
        let entries: Vec<_> = entries.collect();
        if !entries.is_empty()
            && let Err(error) = books.journal.append(&entries).and_then(|()| books.journal.sync())
        {
            return vec![Err(GatewayError::Unknown(error.to_string())); calls.len()];
        }
        for (key, call) in new {
            books.ledger.make(key, call.request, at);
        }
        drop(books);
        self.shared.changed.notify_all();
        vec![Ok(()); calls.len()]
    }

    fn attempt(&self, idempotency_key: &str) -> Result<Attempt, GatewayError> {
        let books = self.shared.lock();
        Ok(books.ledger.attempt(KeyHash::of(idempotency_key), self.clock.now()))
    }

    fn recall(&self, call: &Call) {
        let key = KeyHash::of(&call.idempotency_key);
        self.shared.lock().ledger.recall(key, call.request, self.clock.now());
    }

    fn answers(&self) -> bool {
        true
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a test names what it looks for, and draws small numbers"
)]
mod tests;
