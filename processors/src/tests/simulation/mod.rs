//! The simulator: the real engine, with all its threads, on ports of ours that lose, tear, delay,
//! copy and refuse whatever their contracts allow, in virtual time, decided by a seed.
//!
//! One world: `WATERMART_TEST_SEED=7`; more of them: `WATERMART_TEST_SEEDS=10000`. What threads do
//! first is left to them, so a seed that failed may have to be asked for more than once.

mod check;
mod faults;
mod files;
mod line;
mod log;
mod protections;
mod steps;
mod stories;
mod views;
mod world;

use line::Tally;
use sinks::schema_registry::Schemas;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use world::World;

/// Worlds that each run of the tests goes through: as many as fit into a minute.
const SEEDS: u64 = 60;
/// Worlds at once: their threads mostly wait for each other.
const AT_ONCE: usize = 4;

#[expect(clippy::disallowed_methods, reason = "a test is asked for one world, or for more")]
fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number of worlds"))
}

fn run(seed: u64, tally: &Arc<Tally>, schemas: &Schemas) {
    let world = || World::new(seed, tally, schemas).run();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(world)) {
        eprintln!(
            "this world again: WATERMART_TEST_SEED={seed} cargo test --workspace --locked --lib \
             simulation::whatever_happens"
        );
        resume_unwind(panic);
    }
}

#[test]
fn whatever_happens_the_bytes_are_those_of_a_run_without_faults() {
    let (tally, schemas) = (Arc::<Tally>::default(), Schemas::embedded());
    if let Some(seed) = asked("WATERMART_TEST_SEED") {
        run(seed, &tally, &schemas);
        return;
    }
    let (next, seeds) = (AtomicU64::new(0), asked("WATERMART_TEST_SEEDS").unwrap_or(SEEDS));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(seed) =
                    Some(next.fetch_add(1, Ordering::SeqCst)).filter(|s| *s < seeds)
                {
                    run(seed, &tally, &schemas);
                }
            });
        }
    });
    let tally = tally.lock().unwrap();
    println!("{tally:#?}");
    for fault in FAULTS {
        assert!(tally.get(fault).is_some_and(|count| *count > 0), "no {fault} in {tally:?}");
    }
}

#[test]
fn who_is_stopped_while_it_publishes_and_goes_on_later_changes_nothing_that_is_read() {
    let (tally, schemas) = (Arc::<Tally>::default(), Schemas::embedded());
    let (stand, read) = World::new(1, &tally, &schemas).pause_while_publishing();
    assert!(stand > read && read > 0, "what it sent came late: {read} of {stand} are read");
}

/// What must have happened at least once.
const FAULTS: [&str; 21] = [
    "append taken, answer lost",
    "append lost, unknown",
    "append refused",
    "append taken late",
    "append taken twice",
    "append taken in part",
    "append answered late",
    "ends not told",
    "read fails",
    "checkpoint store silent",
    "checkpoint file torn",
    "process stalled",
    "process compared",
    "orders past",
    "rows lost that were not durable",
    "older copy of the views restored",
    "bit turned in a checkpoint",
    "crash",
    "crash with messages left over",
    "crash with open timers",
    "crash with unpublished outputs",
];
