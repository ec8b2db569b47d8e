//! Orders by deadline. An order stays here when it is settled; whoever asks what is due says
//! which orders still wait.
//!
//! ```text
//! set --> by deadline --(its time has come)--> overdue, by key group --(at most the cap each)--> due
//! ```

use schemas::id::OrderId;
use schemas::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

type Timer = (Timestamp, OrderId);

/// The timers of one worker's orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// Most orders of an epoch share one deadline, hence few and long lists.
    by_deadline: BTreeMap<Timestamp, Vec<OrderId>>,
    /// What is due and was over the cap of all sweeps so far. However many there are, a sweep
    /// looks at no more than it takes.
    overdue: BTreeMap<u16, BinaryHeap<Reverse<Timer>>>,
}

impl Timers {
    pub(super) fn set(&mut self, deadline: Timestamp, order: OrderId) {
        match self.by_deadline.last_entry() {
            Some(mut last) if *last.key() == deadline => last.get_mut().push(order),
            Some(_) | None => self.by_deadline.entry(deadline).or_default().push(order),
        }
    }

    /// Takes what is due at `now` and still waits, in order of (deadline, id), at most `cap` of
    /// each key group; what is over the cap stays.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        cap: usize,
        waits: impl Fn(OrderId) -> bool,
    ) -> Vec<OrderId> {
        let later = self.by_deadline.split_off(&now.plus_ms(1));
        for (deadline, orders) in std::mem::replace(&mut self.by_deadline, later) {
            for order in orders {
                self.overdue.entry(order.group()).or_default().push(Reverse((deadline, order)));
            }
        }
        let mut due = Vec::new();
        for timers in self.overdue.values_mut() {
            let waiting = std::iter::from_fn(|| timers.pop()).filter(|timer| waits(timer.0.1));
            due.extend(waiting.take(cap).map(|timer| timer.0));
            // What is left begins with one that waits: only so many are overdue.
            while timers.peek().is_some_and(|timer| !waits(timer.0.1)) {
                timers.pop();
            }
        }
        self.overdue.retain(|_, timers| !timers.is_empty());
        due.sort_unstable();
        due.into_iter().map(|(_, order)| order).collect()
    }

    /// The deadline of the earliest.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let overdue = self.overdue.values().filter_map(BinaryHeap::peek).map(|timer| timer.0.0);
        overdue.min().or_else(|| self.by_deadline.first_key_value().map(|(deadline, _)| *deadline))
    }

    /// Those of orders that still wait, as text: when the others go is nobody's business.
    pub(super) fn dump(&self, waits: impl Fn(OrderId) -> bool) -> Vec<String> {
        let overdue = self.overdue.values().flatten().map(|timer| timer.0);
        let later = self.by_deadline.iter();
        let later = later.flat_map(|(deadline, orders)| orders.iter().map(|id| (*deadline, *id)));
        let waiting = overdue.chain(later).filter(|timer| waits(timer.1));
        waiting.map(|(deadline, order)| format!("{deadline:?} {order:?}")).collect()
    }
}
