//! All state at an epoch's end, as text, in a canonical order: for tests that compare runs. The
//! lines of all shards together, sorted, are the same whatever their number.

use super::Customers;
use schemas::time::Timestamp;

impl Customers {
    /// Every byte of state.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.orders.iter().map(|placed| format!("order {placed:?}")));
        lines.extend(self.past.iter().map(|past| format!("past {past:?}")));
        lines.extend(self.carts.iter().map(|cart| format!("cart {cart:?}")));
        lines.extend(self.waiting.iter().map(|waiting| format!("waiting {waiting:?}")));
        lines.extend(self.keys.dump());
        let waits = |id| self.orders.is_due(id, Timestamp::MAX);
        lines.extend(self.timers.dump(waits).into_iter().map(|timer| format!("timer {timer}")));
        lines.sort_unstable();
        lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect()
    }
}
