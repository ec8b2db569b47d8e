//! Orders by deadline. An order stays here when it is settled; whoever asks what is due says
//! which orders still wait.

use schemas::id::OrderId;
use schemas::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// The timers of one worker's orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// Most orders of an epoch share one deadline, hence few and long lists.
    by_deadline: BTreeMap<Timestamp, Vec<OrderId>>,
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
        let mut due = Vec::new();
        let mut taken: HashMap<u16, usize> = HashMap::new();
        let later = self.by_deadline.split_off(&now.plus_ms(1));
        for (deadline, mut orders) in std::mem::replace(&mut self.by_deadline, later) {
            orders.retain(|order| waits(*order));
            orders.sort_unstable();
            let mut kept = Vec::new();
            for order in orders {
                let taken = taken.entry(order.group()).or_default();
                if *taken == cap {
                    kept.push(order);
                } else {
                    *taken += 1;
                    due.push(order);
                }
            }
            if !kept.is_empty() {
                self.by_deadline.insert(deadline, kept);
            }
        }
        due
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_deadline.first_key_value().map(|(deadline, _)| *deadline)
    }

    /// Those of orders that still wait, as text: when the others go is nobody's business.
    pub(super) fn dump(&self, waits: impl Fn(OrderId) -> bool) -> Vec<String> {
        let timers = |(deadline, orders): (&Timestamp, &Vec<OrderId>)| {
            let waiting = orders.iter().filter(|order| waits(**order));
            waiting.map(|order| format!("{deadline:?} {order:?}")).collect::<Vec<_>>()
        };
        self.by_deadline.iter().flat_map(timers).collect()
    }
}
