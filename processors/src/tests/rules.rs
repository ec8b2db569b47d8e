//! Plans that are decided by other rules than this build claims with.

use super::determinism::{AS_WRITTEN, SEED, STEPS, replay};
use super::history::steps;
use super::process::{Process, SILENCE, claims_and_plans, open, say, say_to_planner};
use super::scribe::Scribe;
use crate::engine::Role;
use crate::failure::Failure;
use crate::hub::State;
use crate::standing::Standing;
use machines::rules::Rules;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::epochs::{GenerationClaimed, Settings};
use schemas::events::orders::Reason;
use schemas::id::EventId;
use schemas::topic::{GROUPS, PARTITIONS};
use std::collections::BTreeMap;
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
        rules_version: Rules::NEWEST.version() + 1,
        groups: GROUPS.into(),
        partitions: PARTITIONS.into(),
        settings: Settings { reservation_timeout_ms: 900_000 },
    };
    say_to_planner(log.as_ref(), claim);
    let refused = |process: &Process| {
        process.passes(SILENCE);
        let failure = process.engine.wait_until(|_| false).unwrap_err();
        assert!(matches!(failure, Failure::Damaged(_)), "{failure:?}");
        assert!(failure.to_string().contains("by rules version 4, and this build"), "{failure}");
    };
    refused(&process);
    drop(process);
    // Neither behind a checkpoint nor from the beginning.
    refused(&Process::saving(&log, Role::Leads, folder.path()));
    refused(&Process::start(&log, Role::StandsBy));
}

/// How many orders of one key group lapsed in an epoch, at most, and how many in all, under plans by
/// these rules.
fn lapsed(rules: Rules) -> (usize, usize) {
    let (dir, codec) = (TempDir::new().unwrap(), Codec::compiled());
    let steps = [steps(SEED, STEPS), vec![Vec::new(); 60]].concat();
    Scribe::under(rules).write(&dir.path().join("log"), &steps, AS_WRITTEN);
    let outcome = replay(dir.path(), 2, 0).unwrap();
    let mut lapsed: BTreeMap<_, usize> = BTreeMap::new();
    for (_, id, _, value) in &outcome.outputs {
        if let (_, Event::OrderCancelled(order)) = codec.decode(value).unwrap()
            && order.reason == Reason::ReservationExpired
        {
            *lapsed.entry((id.unwrap().epoch, order.order_id.group())).or_default() += 1;
        }
    }
    (*lapsed.values().max().unwrap(), lapsed.values().sum())
}

#[test]
fn plans_are_decided_by_the_rules_of_their_claim() {
    let ((at_once, all), (apart, as_many)) = (lapsed(Rules::V1), lapsed(Rules::V2));
    assert!(at_once > apart, "{at_once} at once by the first rules");
    assert_eq!((apart, as_many), (Rules::V2.sweep_cap(), all));
}

/// As after a failover to another machine: time stands still until its clock is there.
#[test]
fn who_leads_by_a_clock_that_is_behind_fires_all_that_is_overdue_by_the_last_plan() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, STEPS));
    Scribe::new().write(dir.path(), &steps, AS_WRITTEN);
    let log = open(dir.path());
    let process = Process::start(&log, Role::Leads);
    process.is(Standing::Leads);
    let overdue =
        |state: &State| state.next_deadline.is_some_and(|at| state.plans.now() >= Some(at));
    let done = |state: &State| state.finished == state.plans.epoch() && !overdue(state);
    process.engine.wait_until(done).unwrap();
    let [_, plans] = claims_and_plans(log.as_ref());
    assert!(plans > steps.len() + 3, "{plans} plans, {} of them by the scribe", steps.len());
}
