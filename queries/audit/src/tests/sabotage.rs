//! One thing is broken in an otherwise clean log; the audit must name it.

use super::scribe::{Scribe, TIMEOUT_MS, envelope};
use super::story::{Hand, customer, day, key, opened, order, product, warehouse};
use super::{broken, judge};
use schemas::events::Event;
use schemas::events::epochs::EpochDigest;
use schemas::events::inventory::{
    ReservationExpired, StockAdjusted, StockAllocated, StockReceived, StockRefused, StockReleased,
};
use schemas::events::orders::{OrderConfirmed, OrderRejected, PaymentChanged};
use schemas::events::payment_requests::PaymentVerb;
use schemas::id::EventId;

/// A day with a broken decision: must be named, whatever else follows from it.
fn names(id: &str, hand: Hand) {
    let report = judge(&day(hand));
    let found = broken(&report);
    assert!(found.contains(&id), "{id} is broken, named were {found:?}");
    assert!(!report.ok);
    let part = report.invariants.iter().find(|part| part.id == id).expect("one of them");
    assert_eq!(part.examples.len() as u64, part.breaches.min(10));
}

/// A log that is broken in itself.
fn only(id: &str, scribe: &Scribe) {
    let report = judge(scribe);
    assert_eq!(broken(&report), [id], "{:#?}", report.invariants);
}

#[test]
fn i1_an_adjustment_that_takes_another_number() {
    names("I1", |event| match event {
        Event::StockAdjusted(e) => vec![StockAdjusted { change: -2, ..e }.into()],
        event => vec![event],
    });
}

#[test]
fn i2_units_that_are_not_there() {
    names("I2", |event| match event {
        Event::StockReceived(e) => vec![StockReceived { quantity: 3, ..e }.into()],
        event => vec![event],
    });
}

#[test]
fn i3_an_allocation_of_another_sum() {
    names("I3", |event| match event {
        Event::StockAllocated(e) => vec![StockAllocated { quantity: 1, ..e }.into()],
        event => vec![event],
    });
}

#[test]
fn i4_a_reservation_that_ends_twice() {
    names("I4", |event| match event {
        Event::ReservationExpired(e) => vec![event, ReservationExpired { ..e }.into()],
        event => vec![event],
    });
}

#[test]
fn i5_an_order_that_lapses_too_early_or_too_late() {
    let timeout = TIMEOUT_MS.unsigned_abs();
    for (ms, fits) in [(timeout, true), (timeout - 1, false)] {
        let mut day = opened();
        day.reserved(2, 4);
        day.lapse(2, 4, ms);
        let expected = if fits { vec![] } else { vec!["I5"] };
        assert_eq!(broken(&judge(&day.scribe)), expected, "after {ms} ms");
    }
    let mut day = opened();
    day.reserved(2, 4);
    day.scribe.next_epoch(timeout);
    day.lapse(2, 4, 1);
    only("I5", &day.scribe);
}

#[test]
fn i6_an_order_confirmed_without_its_units() {
    names("I6", |event| match event {
        Event::StockAllocated(_) => vec![],
        event => vec![event],
    });
}

#[test]
fn i6_an_order_that_holds_units_after_its_end() {
    names("I6", |event| match event {
        Event::ReservationExpired(_) => vec![],
        event => vec![event],
    });
}

#[test]
fn i7_a_refusal_of_units_that_were_there() {
    names("I7", |event| match event {
        Event::StockRefused(e) => vec![StockRefused { available: 9, ..e }.into()],
        event => vec![event],
    });
    names("I7", |event| match event {
        Event::StockReceived(e) => vec![StockReceived { quantity: 20, ..e }.into()],
        event => vec![event],
    });
}

#[test]
fn i8_an_order_that_comes_back() {
    names("I8", |event| match event {
        Event::OrderRejected(OrderRejected { order_id, customer_id, .. }) => {
            vec![event, OrderConfirmed { order_id, customer_id }.into()]
        }
        event => vec![event],
    });
}

#[test]
fn i8_an_order_that_never_ends() {
    let timeout = TIMEOUT_MS.unsigned_abs();
    for (ms, expected) in [(timeout, vec!["I5"]), (2 * timeout, vec!["I5", "I8"])] {
        let mut day = opened();
        day.reserved(2, 4);
        day.scribe.next_epoch(ms);
        // Something else is decided: the engine is not just slow.
        let cause = day.receive(5, 4, key("truck-2"));
        day.scribe.next_epoch(0);
        day.received(cause, 4, 2);
        assert_eq!(broken(&judge(&day.scribe)), expected, "{ms} ms");
    }
}

#[test]
fn i9_money_that_is_kept_twice_asked_twice_or_shrinks() {
    names("I9", |event| match event {
        Event::PaymentRequested(e) if e.verb == PaymentVerb::Capture => vec![event, e.into()],
        event => vec![event],
    });
    names("I9", |event| match event {
        Event::PaymentChanged(e) if e.captured > 0 => {
            vec![PaymentChanged { captured: e.captured / 2, ..e }.into()]
        }
        event => vec![event],
    });
    // Authorized, never taken, never given up.
    names("I9", |event| match event {
        Event::PaymentRequested(e) if e.verb == PaymentVerb::Capture => vec![],
        Event::PaymentChanged(e) if e.captured > 0 => vec![],
        event => vec![event],
    });
}

#[test]
fn i10_a_key_with_two_effects() {
    let mut day = opened();
    let first = day.receive(5, 4, key("truck-2"));
    let other = day.receive(6, 5, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(first, 4, 2);
    day.received(other, 5, 3);
    only("I10", &day.scribe);

    let mut day = opened();
    let first = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(first, 4, 2);
    day.received(first, 4, 3);
    only("I10", &day.scribe);
}

#[test]
fn i10_a_key_is_free_again_after_a_day() {
    let mut day = opened();
    let first = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(first, 4, 2);
    day.scribe.wait_ms(25 * 60 * 60 * 1_000);
    let other = day.receive(6, 5, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(other, 5, 3);
    assert_eq!(broken(&judge(&day.scribe)), [""; 0]);
}

#[test]
fn i11_an_effect_out_of_nothing() {
    let mut day = opened();
    day.scribe.next_epoch(10);
    day.received(EventId([1; 16]), 4, 2);
    only("I11", &day.scribe);
}

#[test]
fn i11_an_output_of_an_epoch_nobody_planned() {
    let mut day = opened();
    let cause = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(cause, 4, 2);
    let later = day.receive(6, 4, key("truck-3"));
    day.scribe.epoch += 7;
    day.received(later, 4, 3);
    assert!(broken(&judge(&day.scribe)).contains(&"I11"));
}

#[test]
fn i13_ids_versions_and_time_that_do_not_fit() {
    // An id is left out.
    let mut day = opened();
    let cause = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    let received = StockReceived {
        product_id: product(),
        warehouse_id: warehouse(),
        quantity: 4,
        reference: "truck".to_owned(),
        version: 2,
    };
    let told = envelope(EventId([2; 16]), cause, day.scribe.now);
    day.scribe.decide_as(product().0.group(), &told, received.clone().into(), 1);
    only("I13", &day.scribe);

    // A decision of another time.
    let mut day = opened();
    let cause = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    let told = envelope(EventId([2; 16]), cause, day.scribe.now.plus_ms(1));
    day.scribe.decide_as(product().0.group(), &told, received.into(), 0);
    only("I13", &day.scribe);

    // A version that stands still.
    let mut day = opened();
    let cause = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(cause, 4, 1);
    only("I13", &day.scribe);
}

#[test]
fn i15_a_record_that_nothing_comes_of() {
    let mut day = opened();
    day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    day.reserved(1, 2);
    only("I15", &day.scribe);
}

#[test]
fn i15_a_record_that_cannot_be_read_and_is_not_set_aside() {
    let mut day = opened();
    let at = schemas::topic::TopicPartition::of_group(
        schemas::topic::Topic::CustomerActions,
        customer().0.group(),
    );
    day.scribe.append(at, b"nonsense".to_vec(), None);
    day.checkout(1, 2);
    day.scribe.next_epoch(10);
    assert!(broken(&judge(&day.scribe)).contains(&"I15"));
}

#[test]
fn i16_two_plans_that_contradict_each_other() {
    let digest = |digest| vec![EpochDigest { epoch: 1, operator: 0, digest }];
    for (second, expected) in [(5, vec![]), (6, vec!["I16"])] {
        let mut day = opened();
        day.scribe.plan_with(digest(5));
        day.scribe.plan_with(digest(second));
        assert_eq!(broken(&judge(&day.scribe)), expected);
    }
}

#[test]
fn i17_input_that_waits_while_nobody_plans() {
    for (ms, expected) in [(0, vec![]), (1, vec!["I17"])] {
        let mut day = opened();
        let mut causes = Vec::new();
        for (n, truck) in (5..).zip(["2", "3", "4", "5", "6"]) {
            causes.push(day.receive(n, 4, key(truck)));
            day.scribe.wait_ms(2_000);
        }
        causes.push(day.receive(10, 4, key("7")));
        day.scribe.next_epoch(ms);
        for (version, cause) in (2..).zip(causes) {
            day.received(cause, 4, version);
        }
        assert_eq!(broken(&judge(&day.scribe)), expected, "10 s and {ms} ms");
    }
}

#[test]
fn nobody_plans_while_the_log_is_away() {
    let mut day = opened();
    let before = day.receive(5, 4, key("truck-2"));
    day.scribe.wait_ms(300_000);
    let after = day.receive(6, 4, key("truck-3"));
    day.scribe.next_epoch(100);
    day.received(before, 4, 2);
    day.received(after, 4, 3);
    assert_eq!(broken(&judge(&day.scribe)), [""; 0]);
}

#[test]
fn a_release_without_a_claim_is_named() {
    let mut day = opened();
    let cause = day.receive(5, 4, key("truck-2"));
    day.scribe.next_epoch(10);
    day.received(cause, 4, 2);
    let (product_id, order_id, quantity, allocated) = (product(), order(1), 1, false);
    day.decide(cause, StockReleased { product_id, order_id, quantity, allocated });
    only("I4", &day.scribe);
}
