//! Idempotency keys of stock actions: one per product whatever the route, known for 24 hours of
//! log time. Whether a key is known is a matter of its time, never of when it was forgotten.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use schemas::id::{ActionId, KeyHash, ProductId};
use schemas::limits::IDEMPOTENCY_KEY_KEPT_MS;
use schemas::time::Timestamp;
use std::collections::VecDeque;

/// Forgotten with every key that is learned: more than one, so that what is kept shrinks to what
/// must be kept.
const FORGOTTEN_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(super) struct Keys {
    known: HashMap<(ProductId, KeyHash), (ActionId, Timestamp), FixedState>,
    by_age: VecDeque<(Timestamp, ProductId, KeyHash)>,
    deduplicated: u64,
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    New,
    /// The same action, again.
    Duplicate,
    /// Another action.
    Reused,
}

impl Keys {
    pub(super) fn new(hashing: FixedState) -> Self {
        let known = HashMap::with_hasher(hashing);
        Self { known, by_age: VecDeque::new(), deduplicated: 0 }
    }

    pub(super) const fn deduplicated(&self) -> u64 {
        self.deduplicated
    }

    pub(super) fn learn(
        &mut self,
        now: Timestamp,
        product: ProductId,
        key: KeyHash,
        action: ActionId,
    ) -> Known {
        self.forget(now);
        match self.known.get(&(product, key)) {
            Some((same, at)) if *same == action && is_kept(*at, now) => {
                self.deduplicated += 1;
                return Known::Duplicate;
            }
            Some((_, at)) if is_kept(*at, now) => return Known::Reused,
            Some(_) | None => {}
        }
        self.known.insert((product, key), (action, now));
        self.by_age.push_back((now, product, key));
        Known::New
    }

    fn forget(&mut self, now: Timestamp) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some((at, product, key)) = self.by_age.front().copied() else { return };
            if is_kept(at, now) {
                return;
            }
            self.by_age.pop_front();
            // A key learned again since then stays.
            if self.known.get(&(product, key)).is_some_and(|(_, known)| *known == at) {
                self.known.remove(&(product, key));
            }
        }
    }

    /// What is known at `now`, in no order.
    pub(super) fn iter(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (ProductId, KeyHash, ActionId, Timestamp)> {
        let known = self.known.iter().filter(move |(_, (_, at))| is_kept(*at, now));
        known.map(|((product, key), (action, at))| (*product, *key, *action, *at))
    }
}

fn is_kept(at: Timestamp, now: Timestamp) -> bool {
    now < at.plus_ms(IDEMPOTENCY_KEY_KEPT_MS)
}
