//! I16: what this process decided, against what the plans say was decided.

use crate::epoch::OPERATORS;
use crate::failure::Failure;
use crate::invariants::{Counts, Invariant};
use schemas::events::epochs::EpochDigest;
use std::collections::BTreeMap;

/// Digests of epochs, by operator.
#[derive(Debug, Default)]
pub struct Digests {
    /// Of finished epochs, until a valid plan has carried them.
    pub ours: BTreeMap<u64, [u64; OPERATORS]>,
    /// That plans carried for epochs not finished here yet.
    expected: BTreeMap<u64, [Option<u64>; OPERATORS]>,
    /// Epochs up to here were not done here, or not by this process alone: what plans say of them
    /// is not compared.
    pub from: u64,
}

impl Digests {
    /// Takes in those of an epoch that is finished here.
    ///
    /// # Errors
    /// One differs from what a plan carries.
    pub fn finish(
        &mut self,
        epoch: u64,
        digests: [u64; OPERATORS],
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        if epoch <= self.from {
            return Ok(());
        }
        self.ours.insert(epoch, digests);
        self.compare(epoch, counts)
    }

    /// Takes in those that a valid plan carries.
    ///
    /// # Errors
    /// One differs from ours.
    pub fn expect(&mut self, digests: &[EpochDigest], counts: &mut Counts) -> Result<(), Failure> {
        for EpochDigest { epoch, operator, digest } in digests {
            if *epoch <= self.from {
                continue;
            }
            let expected = self.expected.entry(*epoch).or_default();
            if let Some(slot) = expected.get_mut(usize::from(*operator)) {
                *slot = Some(digest.cast_unsigned());
            }
            self.compare(*epoch, counts)?;
        }
        Ok(())
    }

    fn compare(&mut self, epoch: u64, counts: &mut Counts) -> Result<(), Failure> {
        let (Some(ours), Some(theirs)) = (self.ours.get(&epoch), self.expected.get(&epoch)) else {
            return Ok(());
        };
        for (operator, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            if theirs.is_some_and(|theirs| theirs != *ours) {
                let reason = format!(
                    "I16: digest of operator {operator} in epoch {epoch} is {ours:016x} here, \
                     {:016x} on the log: this build or machine decides differently",
                    theirs.unwrap_or_default()
                );
                counts.judge(Invariant::I16, false, || reason.clone());
                return Err(Failure::Bug(reason));
            }
        }
        if theirs.iter().all(Option::is_some) {
            for _ in 0..OPERATORS {
                counts.judge(Invariant::I16, true, String::new);
            }
            self.ours.remove(&epoch);
            self.expected.remove(&epoch);
        }
        Ok(())
    }
}
