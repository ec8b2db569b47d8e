//! The protocol's steps by name. A process dies at each of them, and again at another while it
//! recovers, and is started with the same, more and fewer workers.

use super::line::Call::{
    Apply, Claim, CreateManifest, Ends, Flush, LookAtStore, Outputs, Plan, PutMerged, PutState,
    ReadInputs, ReadPlans,
};
use super::line::Moment::{After, Before, Midway};
use super::line::{Call, Crash, Moment, Tally};
use super::world::World;
use sinks::schema_registry::Schemas;
use std::sync::Arc;

/// A step, where it is in the ports' calls, and which of these calls it is in the history.
type Step = (&'static str, Call, Moment, u32);

const STEPS: [Step; 27] = [
    ("claim sent", Claim, Before, 0),
    ("claim taken and not answered", Claim, After, 0),
    ("plan sent", Plan, Before, 5),
    ("plan taken and not answered", Plan, After, 5),
    ("plan or claim read back, nothing done", ReadPlans, After, 7),
    ("records read, not planned", ReadInputs, After, 5),
    ("ends asked for a cut", Ends, Before, 9),
    ("ends told, nothing planned", Ends, After, 9),
    ("epoch finished and not published", Outputs, Before, 4),
    ("part of an append published", Outputs, Midway, 4),
    ("published and not answered", Outputs, After, 4),
    ("epoch finished and not in the views", Apply, Before, 5),
    ("half of an epoch's rows applied", Apply, Midway, 5),
    ("rows in the views, not durable", Apply, After, 5),
    ("rows about to be durable", Flush, Before, 3),
    ("rows durable, no manifest yet", Flush, After, 3),
    ("state about to be written", PutState, Before, 4),
    ("state file half written", PutState, Midway, 4),
    ("state file written, manifest not yet", PutState, After, 4),
    ("manifest about to be created", CreateManifest, Before, 3),
    ("manifest half written", CreateManifest, Midway, 3),
    ("manifest created and not answered", CreateManifest, After, 3),
    ("files read to be merged", PutMerged, Before, 0),
    ("merged file half written", PutMerged, Midway, 0),
    ("merged file written, not in a manifest", PutMerged, After, 0),
    ("checkpoints about to be looked for", LookAtStore, Before, 0),
    ("checkpoint looked for", LookAtStore, After, 0),
];

/// As the test of the look at the tail needs it.
pub(super) const PUBLISHED: Crash = Crash { call: Outputs, moment: After, nth: 4 };

fn crash((_, call, moment, nth): Step) -> Crash {
    Crash { call, moment, nth }
}

/// Dies at these steps, one after the other.
fn check(seed: u64, steps: &[Step], workers: usize, schemas: &Schemas) -> usize {
    let told: Vec<_> = steps.iter().map(|(name, ..)| *name).collect();
    println!("{told:?} with {workers} workers, seed {seed}");
    let crashes: Vec<_> = steps.iter().copied().map(crash).collect();
    let died_at = World::new(seed, &Arc::<Tally>::default(), schemas).story(&crashes, workers);
    let reached =
        |step: &&Step| died_at.iter().any(|died| (died.call, died.moment) == (step.1, step.2));
    steps.iter().filter(reached).count()
}

#[test]
fn a_crash_at_each_step_changes_nothing_with_the_same_more_and_fewer_workers() {
    let schemas = Schemas::embedded();
    for (seed, step) in (0..).zip(STEPS) {
        for workers in [2, 3, 1] {
            assert_eq!(check(seed, &[step], workers, &schemas), 1, "{} is not reached", step.0);
        }
    }
}

/// The second crash comes at the first such call of the start after the first one.
#[test]
fn a_crash_while_another_is_recovered_from_changes_nothing() {
    let schemas = Schemas::embedded();
    let mut both = 0;
    for (index, first) in STEPS.into_iter().enumerate() {
        // Each second one over the whole list, and at different distances.
        for distance in [0, 1, 5, 12] {
            let (name, call, moment, _) = STEPS[(index + distance) % STEPS.len()];
            let seed = (100 * index + distance) as u64;
            let pair = [first, (name, call, moment, 0)];
            both += usize::from(check(seed, &pair, 1 + index % 3, &schemas) == 2);
        }
    }
    assert!(both > 2 * STEPS.len(), "only {both} came to both");
}
