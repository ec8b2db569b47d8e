//! Idempotency keys: which action a customer's key stands for, for 24 hours of log time.
//!
//! Whether a key is remembered is judged by its age, never by whether it was swept.

use super::FixedState;
use hashbrown::HashMap;
use schemas::id::{ActionId, CustomerId, KeyHash};
use schemas::limits::IDEMPOTENCY_KEY_KEPT_MS;
use schemas::time::Timestamp;
use std::collections::VecDeque;

/// What a key is to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It stands for nothing yet: from now on for this action.
    Fresh,
    /// It stands for this very action.
    Same,
    /// It stands for another.
    Reused,
}

/// The keys of all customers.
#[derive(Clone)]
pub(super) struct Keys {
    kept: HashMap<(CustomerId, KeyHash), (ActionId, Timestamp), FixedState>,
    /// The same by age. Bounded by what 24 hours of the log hold.
    by_age: VecDeque<(Timestamp, CustomerId, KeyHash)>,
}

impl Keys {
    pub(super) fn new(state: FixedState) -> Self {
        Self { kept: HashMap::with_hasher(state), by_age: VecDeque::new() }
    }

    /// What `key` is to `action`; a fresh one is remembered.
    pub(super) fn claim(
        &mut self,
        now: Timestamp,
        customer: CustomerId,
        key: KeyHash,
        action: ActionId,
    ) -> Key {
        let entry = self.kept.entry((customer, key)).or_insert((action, Timestamp::MIN));
        let (kept, since) = *entry;
        if since.plus_ms(IDEMPOTENCY_KEY_KEPT_MS) > now {
            return if kept == action { Key::Same } else { Key::Reused };
        }
        *entry = (action, now);
        self.by_age.push_back((now, customer, key));
        Key::Fresh
    }

    /// Gives up what is over.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some((since, customer, key)) = self.by_age.front().copied() {
            if since.plus_ms(IDEMPOTENCY_KEY_KEPT_MS) > now {
                return;
            }
            self.by_age.pop_front();
            if self.kept.get(&(customer, key)).is_some_and(|(_, kept)| *kept == since) {
                self.kept.remove(&(customer, key));
            }
        }
    }

    pub(super) fn dump(&self) -> Vec<String> {
        self.kept.iter().map(|entry| format!("{entry:?}")).collect()
    }
}
