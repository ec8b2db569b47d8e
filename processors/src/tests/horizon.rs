//! Orders that were settled long ago leave memory, and what comes of them later has its fate: in a
//! history with a pause of eight days, in which much is said once more of orders from before it.

use super::determinism::{AS_WRITTEN, Output, SEED, STEPS, replay};
use super::history::steps;
use super::scribe::{EPOCH_BEHIND_PAUSE, Scribe};
use machines::rules::Rules;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::payment_requests::PaymentVerb;
use schemas::id::OrderId;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// What an engine comes to by these rules: its outputs, and lines of state of placed and past orders.
fn ended(rules: Rules) -> (Vec<Event>, Vec<String>, Vec<String>) {
    let dir = TempDir::new().unwrap();
    Scribe::under(rules).write(&dir.path().join("log"), &steps(SEED, STEPS), AS_WRITTEN);
    let outcome = replay(dir.path(), 2, 0).unwrap();
    let codec = Codec::compiled();
    let behind = |output: &&Output| output.1.unwrap().epoch >= EPOCH_BEHIND_PAUSE;
    let events = outcome.outputs.iter().filter(behind).map(|(.., value)| codec.decode(value));
    let events = events.map(|event| event.unwrap().1).collect();
    let of = |kind: &str| outcome.state.iter().filter(|l| l.starts_with(kind)).cloned().collect();
    (events, of("order "), of("past "))
}

fn undone(events: &[Event]) -> BTreeSet<OrderId> {
    let requests = events.iter().filter_map(|event| match event {
        Event::PaymentRequested(e) => Some(e),
        _ => None,
    });
    let back = requests.filter(|e| matches!(e.verb, PaymentVerb::Void | PaymentVerb::Refund));
    back.map(|e| e.order_id).collect()
}

#[test]
fn settled_orders_leave_memory_and_money_that_comes_later_goes_back() {
    let (events, placed, past) = ended(Rules::NEWEST);
    let (events_before, placed_before, past_before) = ended(Rules::V2);
    assert_eq!((past_before.len(), placed_before.len()), (0, placed.len() + past.len()));
    assert!(past.len() > 50, "{} are past, {} are not", past.len(), placed.len());

    // By the older rules some of those came back; by these all money goes back.
    let is_past = |id: &OrderId| past.iter().any(|line| line.contains(&format!("{id:?}")));
    let again = |events: &[Event]| -> BTreeSet<OrderId> {
        let confirmed = events.iter().filter_map(|event| match event {
            Event::OrderConfirmed(e) => Some(e.order_id),
            _ => None,
        });
        confirmed.filter(is_past).collect()
    };
    assert_eq!(again(&events), BTreeSet::new());
    let undone: BTreeSet<_> = undone(&events).into_iter().filter(is_past).collect();
    assert!(!undone.is_empty());
    let came_back = again(&events_before);
    assert!(came_back.is_subset(&undone), "{came_back:?} of {undone:?}");
    let untold = events.iter().all(|event| match event {
        Event::PaymentChanged(e) => !is_past(&e.order_id),
        _ => true,
    });
    assert!(untold, "the rows of what is past stand as they are");
}
