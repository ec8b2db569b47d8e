//! I16 hangs on the canonical sort: left out of either operator, what the determinism tests compare
//! is no longer equal. And on the digest: it sees one unit of one line.
//!
//! The seam is a hash seed, which changes nothing that shows: an engine that is given one of
//! [`LEFT_OUT`] has workers that do not sort that operator's messages. It is theirs alone, so
//! that other tests may run beside.

use super::determinism::{AS_WRITTEN, SEED, STEPS, replay, written};
use super::history::{Step, steps};
use crate::protection::{Protection, is_off};
use bytes::Bytes;
use machines::message::{ToCustomer, ToProduct};
use schemas::codec::Codec;
use schemas::events::Event;
use std::any::type_name;
use std::cell::Cell;

/// Hash seeds of workers that leave a sort out: of customers' messages, of products'.
const LEFT_OUT: [u64; 2] = [0x1ef7_0017_0000_0000, 0x1ef7_0017_0000_0001];

thread_local! {
    static OPERATOR: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A worker's thread begins.
pub(crate) fn begin_worker(hash_seed: u64) {
    OPERATOR.set(LEFT_OUT.iter().position(|seed| *seed == hash_seed));
}

/// Whether this thread leaves the sort of these messages out.
pub(crate) fn is_left_out<M>() -> bool {
    let messages = [type_name::<ToCustomer>(), type_name::<ToProduct>()];
    OPERATOR.get().is_some_and(|operator| messages[operator] == type_name::<M>())
        || is_off(Protection::Sort)
}

#[test]
fn a_sort_left_out_of_either_operator_is_found() {
    let steps = steps(SEED, STEPS);
    for seed in LEFT_OUT {
        let outcome = |workers| replay(written(&steps, AS_WRITTEN).path(), workers, seed);
        let alone = outcome(1);
        // Which worker's messages come first is left to chance.
        let found = [2, 3, 7].into_iter().filter(|workers| outcome(*workers) != alone).count();
        assert!(found > 0, "seed {seed:x}: any number of workers gives the same");
    }
}

#[test]
fn one_unit_more_of_one_line_changes_both_digests() {
    let before = steps(SEED, STEPS);
    let mut after = before.clone();
    let (step, line) = with_one_unit_more(&mut after);
    let digests = [before, after]
        .map(|steps| replay(written(&steps, AS_WRITTEN).path(), 1, 0).expect("it replays").digests);
    // The first step is epoch 1.
    let changed = u64::try_from(step).expect("a few steps") + 1;
    let differ = |epoch: u64| digests[0][&epoch] != digests[1][&epoch];
    assert!((1..changed).all(|epoch| !differ(epoch)), "nothing differs before epoch {changed}");
    let [ours, theirs] = [&digests[0][&changed], &digests[1][&changed]];
    assert!(ours[0] != theirs[0] && ours[1] != theirs[1], "line {line}: {ours:x?} {theirs:x?}");
}

/// Asks for one unit more in the first line of the first checkout that asks for 1; says where.
fn with_one_unit_more(steps: &mut [Step]) -> (usize, String) {
    let codec = Codec::compiled();
    for (index, step) in steps.iter_mut().enumerate() {
        for record in step {
            let (envelope, mut event) = codec.decode(&record.value).expect("ours");
            let Event::CheckoutRequested(checkout) = &mut event else { continue };
            let lines = checkout.lines.iter_mut().flatten();
            let Some(line) = lines.into_iter().find(|line| line.quantity == 1) else { continue };
            line.quantity += 1;
            let said = format!("{line:?}");
            let mut value = Vec::new();
            codec.encode(&envelope, &event, &mut value);
            record.value = Bytes::from(value);
            return (index, said);
        }
    }
    panic!("no checkout asks for one unit");
}
