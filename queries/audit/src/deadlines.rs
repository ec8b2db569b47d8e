//! What time it was in each epoch, whether something lapsed when it should, and what is so long ago
//! that nothing may come of it.
//!
//! What is over is written in the first epoch whose `now` reaches the deadline. Later only by the
//! sweep's cap: in every epoch from that one on, as many of the same key group's orders lapsed as
//! one sweep takes.

use schemas::time::Timestamp;
use std::collections::HashMap;

/// Timers of one key group that one sweep takes, by the rules' version.
const fn sweep_cap(rules_version: u32) -> u32 {
    if rules_version == 1 { 1_000 } else { 1 }
}

/// How long a settled order stands behind its last event, in milliseconds; none: for ever.
const fn settled_kept_ms(rules_version: u32) -> Option<i64> {
    if rules_version < 3 { None } else { Some(7 * 24 * 60 * 60 * 1000) }
}

/// `now` of all epochs so far, and where sweeps were full.
#[derive(Default)]
pub(crate) struct Deadlines {
    /// Of epoch 1 and on: epochs have no gaps.
    nows: Vec<Timestamp>,
    /// Of the last epoch.
    sweep_cap: u32,
    settled_kept_ms: Option<i64>,
    fired: HashMap<u16, u32>,
    /// Of each key group, the last run of epochs whose sweeps were full: first and last.
    full: HashMap<u16, (u64, u64)>,
}

impl Deadlines {
    pub(crate) fn begin(&mut self, now: Timestamp, rules_version: u32) {
        self.nows.push(now);
        self.sweep_cap = sweep_cap(rules_version);
        self.settled_kept_ms = settled_kept_ms(rules_version);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.nows.len() as u64
    }

    /// `now` of an epoch, or of none.
    pub(crate) fn now_of(&self, epoch: u64) -> Timestamp {
        let at = usize::try_from(epoch).ok().and_then(|epoch| epoch.checked_sub(1));
        at.and_then(|at| self.nows.get(at)).copied().unwrap_or(Timestamp::MIN)
    }

    /// Whether what stands so since this time is past: as of the epoch before.
    pub(crate) fn is_past(&self, since: Timestamp) -> bool {
        let before = self.now_of(self.epoch().saturating_sub(1));
        self.settled_kept_ms.is_some_and(|kept| since.plus_ms(kept) <= before)
    }

    /// An order of this key group lapsed.
    pub(crate) fn fired(&mut self, group: u16) {
        *self.fired.entry(group).or_default() += 1;
    }

    pub(crate) fn end(&mut self) {
        let epoch = self.epoch();
        for (group, fired) in self.fired.drain() {
            if fired >= self.sweep_cap {
                let run = self.full.entry(group).or_insert((epoch, epoch));
                *run = if run.1 + 1 == epoch { (run.0, epoch) } else { (epoch, epoch) };
            }
        }
    }

    /// The first epoch whose `now` reaches this deadline, if there was one.
    pub(crate) fn first_reaching(&self, deadline: Timestamp) -> Option<u64> {
        let before = self.nows.partition_point(|now| *now < deadline);
        (before < self.nows.len()).then_some(before as u64 + 1)
    }

    /// Whether an order of this key group that lapses in this epoch should have in an earlier one.
    pub(crate) fn is_late(&self, group: u16, deadline: Timestamp) -> bool {
        self.is_late_in(self.epoch(), group, deadline)
    }

    /// The same of any epoch.
    pub(crate) fn is_late_in(&self, epoch: u64, group: u16, deadline: Timestamp) -> bool {
        let Some(first) = self.first_reaching(deadline) else { return false };
        let swept = |(from, to): &(u64, u64)| *from <= first && *to + 1 >= epoch;
        first < epoch && !self.full.get(&group).is_some_and(swept)
    }
}
