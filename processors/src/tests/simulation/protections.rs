//! Each protection switched off: the simulation must find it out.

use super::faults::Loss;
use super::line::Tally;
use super::steps;
use super::world::World;
use crate::protection::{Protection, switch_off};
use sinks::schema_registry::Schemas;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Worlds after which what is missing must have been found.
const SEEDS: u64 = 60;

/// There is a world that fails without this protection, and with it does not.
fn found(off: Protection, world: impl Fn(World)) {
    let schemas = Schemas::embedded();
    let fails = |seed: u64, off: Option<Protection>| {
        let new = World::new(seed, &Arc::<Tally>::default(), &schemas);
        switch_off(off);
        let ended = catch_unwind(AssertUnwindSafe(|| world(new)));
        switch_off(None);
        ended.is_err()
    };
    let found = (0..SEEDS).find(|seed| fails(*seed, Some(off)));
    let seed = found.unwrap_or_else(|| panic!("{off:?} is missing, and nobody notices"));
    println!("{off:?} is missing: found in world {seed}");
    assert!(!fails(seed, None), "world {seed} fails anyway");
}

fn drawn(off: Protection, loses: Option<Loss>) {
    found(off, |mut world| {
        world.loses = loses;
        world.run();
    });
}

#[test]
fn without_checksums_it_fails() {
    drawn(Protection::Checksums, Some(Loss::Rot));
}

#[test]
fn without_durability_of_what_is_acknowledged_it_fails() {
    drawn(Protection::Durability, None);
}

#[test]
fn without_the_rule_which_plans_are_valid_it_fails() {
    drawn(Protection::Validity, None);
}

#[test]
fn without_the_canonical_sort_it_fails() {
    drawn(Protection::Sort, None);
}

#[test]
fn without_messages_left_over_in_a_checkpoint_it_fails() {
    drawn(Protection::LoopMessages, None);
}

#[test]
fn without_the_marks_of_the_views_it_fails() {
    drawn(Protection::Marks, Some(Loss::OlderViews));
}

#[test]
fn without_a_look_at_the_tail_what_is_published_is_published_again() {
    found(Protection::Tail, |mut world| {
        world.story(&[steps::PUBLISHED], 2);
    });
}
