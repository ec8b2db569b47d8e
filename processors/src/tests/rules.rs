//! Plans that are decided by rules of another build.

use super::determinism::SEED;
use super::history::steps;
use super::process::{Process, SILENCE, open, say, say_to_planner};
use crate::engine::Role;
use crate::failure::Failure;
use crate::standing::Standing;
use schemas::events::epochs::{GenerationClaimed, Settings};
use schemas::id::EventId;
use schemas::topic::{GROUPS, PARTITIONS};
use tempfile::TempDir;

#[test]
fn who_lacks_the_rules_of_a_claim_ends_and_says_so_and_does_not_start_again() {
    let (dir, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (log, steps) = (open(dir.path()), steps(SEED, 1));
    let process = Process::saving(&log, Role::Leads, folder.path());
    process.is(Standing::Leads);
    process.has_applied(say(log.as_ref(), &steps[0]));
    let claim = GenerationClaimed {
        claim_id: EventId([9; 16]),
        follows: process.engine.status().generation,
        era: 0,
        rules_version: 2,
        groups: GROUPS.into(),
        partitions: PARTITIONS.into(),
        settings: Settings { reservation_timeout_ms: 900_000 },
    };
    say_to_planner(log.as_ref(), claim);
    let refused = |process: &Process| {
        process.passes(SILENCE);
        let failure = process.engine.wait_until(|_| false).unwrap_err();
        assert!(matches!(failure, Failure::Damaged(_)), "{failure:?}");
        assert!(failure.to_string().contains("by rules version 2, and this build"), "{failure}");
    };
    refused(&process);
    drop(process);
    // Neither behind a checkpoint nor from the beginning.
    refused(&Process::saving(&log, Role::Leads, folder.path()));
    refused(&Process::start(&log, Role::StandsBy));
}
