//! Invariants that are judged while the shop runs, and how often: what `/v1/status` counts. They
//! are judged where nobody waits for it, on what passes there; the audit judges all of them.
//!
//! | | on what | that |
//! |---|---|---|
//! | I1 | each stock row | on hand = available + reserved + allocated + safety stock |
//! | I2 | each stock row | none of these is below zero |
//! | I5 | each row of an order that lapsed | its deadline is reached by the epoch's `now` |
//! | I6 | each order row | confirmed: all allocated; awaiting payment: all reserved; ended: nothing |
//! | I8 | the order rows of one order in [16](judge::SAMPLE) | the state may follow the one in the store |
//! | I13 | each epoch; the order rows of I8 | epoch, `now` and version grow, or `now` stays |
//! | I16 | each operator of each epoch | its digest is the one that the log carries |
//! | I17 | each second with input | an epoch was finished in the last [5](watch::STALL_MAX) |
//!
//! Counts begin with the process. A breach is an error in the logs, which name the first few.

pub mod judge;
pub mod watch;

/// Breaches of one invariant that are logged: what is broken is broken often.
const LOGGED_MAX: u64 = 100;

/// Declares [`Invariant`] from one list.
macro_rules! invariants {
    ($($name:ident),*) => {
        /// One that is judged here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Invariant { $(#[doc = stringify!($name)] $name),* }

        const ALL: &[(Invariant, &str)] = &[$((Invariant::$name, stringify!($name))),*];
    };
}
invariants!(I1, I2, I5, I6, I8, I13, I16, I17);

/// How often one was judged, and did not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Judged.
    pub checked: u64,
    /// Did not hold.
    pub breaches: u64,
}

/// All counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts([Count; ALL.len()]);

impl Counts {
    /// Takes in one judgement.
    pub fn judge(&mut self, invariant: Invariant, holds: bool, detail: impl FnOnce() -> String) {
        let count = &mut self.0[invariant as usize];
        count.checked += 1;
        if holds {
            return;
        }
        count.breaches += 1;
        if count.breaches <= LOGGED_MAX {
            let detail = detail();
            tracing::error!(?invariant, %detail, "an invariant does not hold");
        }
    }

    /// Catches up with the counts of another thread, which alone judges what it judges.
    pub fn catch_up(&mut self, others: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&others.0) {
            if theirs.checked > ours.checked {
                *ours = *theirs;
            }
        }
    }

    /// All of them by name, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Count)> {
        ALL.iter().map(|(invariant, name)| (*name, self.0[*invariant as usize]))
    }
}

#[cfg(test)]
mod tests;
