//! Small logs made by hand: a clean one passes, and each thing that is broken in it is named.

mod sabotage;
mod scribe;
mod story;
mod views;

use crate::{AuditError, Invariant, Ledger, Place, Report, audit};
use schemas::events::Event;
use schemas::topic::{Topic, TopicPartition};
use scribe::Scribe;
use sinks::event_log::EventLog as _;

/// Leaves a decision as it is.
fn honest(event: Event) -> Vec<Event> {
    vec![event]
}

fn judge(scribe: &Scribe) -> Report {
    audit(&scribe.log, &scribe.schemas, None, None).expect("the log can be read")
}

fn judge_with(scribe: &Scribe, ledger: &str) -> Report {
    let ledger = Ledger::read(ledger.as_bytes()).expect("a ledger");
    audit(&scribe.log, &scribe.schemas, None, Some(ledger)).expect("the log can be read")
}

/// The invariants that do not hold.
fn broken(report: &Report) -> Vec<&'static str> {
    report.invariants.iter().filter(|part| part.breaches > 0).map(|part| part.id).collect()
}

#[test]
fn a_clean_day_passes_and_is_covered() {
    let report = judge(&story::day(honest));
    assert_eq!(broken(&report), [""; 0], "{:#?}", report.invariants);
    assert!(report.ok);
    let unchecked: Vec<_> =
        report.invariants.iter().filter(|part| part.checked == 0).map(|part| part.id).collect();
    // Views are not given, no key comes twice with another body, no plan tells a digest, and
    // there are no reviews.
    assert_eq!(unchecked, ["I12", "I14", "I16"]);
    let orders = report.totals.orders;
    let told = (orders.confirmed, orders.cancelled, orders.rejected, orders.awaiting_payment);
    assert_eq!(told, (1, 1, 1, 0));
    let units = report.totals.units;
    assert_eq!((units.received, units.adjusted, units.on_hand), (10, -3, 7));
    assert_eq!((units.available, units.reserved, units.allocated), (5, 0, 2));
    let money = report.totals.money[0];
    assert_eq!((money.authorized, money.captured), (1_000, 1_000));
}

#[test]
fn of_a_record_whose_schema_is_unknown_there_is_no_opinion() {
    let mut scribe = story::day(honest);
    scribe.ask_unreadably(5, 70_000);
    assert!(judge(&scribe).ok, "held back, it is in no plan");
    scribe.plan();
    let refused = audit(&scribe.log, &scribe.schemas, None, None).expect_err("no report");
    let partition = TopicPartition::of_group(Topic::CustomerActions, 5);
    let offset = scribe.log.ends(&[partition]).unwrap()[0] - 1;
    let place = Place { partition, offset };
    assert!(
        matches!(refused, AuditError::UnknownSchema { place: at, schema: 70_000, .. }
            if at == place),
        "{refused}"
    );
}

#[test]
fn the_same_story_has_the_same_digest_and_another_has_not() {
    let digest = |hand: story::Hand| judge(&story::day(hand)).digest;
    let other = |event: Event| match event {
        Event::StockReceived(e) => {
            vec![schemas::events::inventory::StockReceived { quantity: 11, ..e }.into()]
        }
        event => vec![event],
    };
    assert_eq!(digest(honest), digest(honest));
    assert_ne!(digest(honest), digest(other));
}

#[test]
fn plans_that_are_void_plan_nothing() {
    let mut day = story::opened();
    day.scribe.wait_ms(5);
    let plan = day.scribe.plan();
    // A copy, and one of an earlier chain: neither is a plan.
    day.scribe.append_plan(plan.clone());
    day.scribe.append_plan(plan);
    let report = judge(&day.scribe);
    assert_eq!((broken(&report), report.epoch), (vec![], 2));
}

#[test]
fn what_a_plan_took_but_no_epoch_decided_is_not_judged() {
    let mut day = story::opened();
    day.checkout(1, 2);
    day.scribe.next_epoch(10);
    let report = judge(&day.scribe);
    assert_eq!((broken(&report), report.not_judged), (vec![], 1));
}

/// A ledger's line of the customer's checkout with this key.
fn checkout(key: &str, told: &str) -> String {
    let asked = format!(
        r#"{{"kind":"checkout","customer_id":"C1","lines":[],"currency":"USD","region":"eu","payment_method":"tok_ok","idempotency_key":"{key}"}}"#
    );
    format!(r#"{{"entry":"action","intended_at":1,"asked":{asked},"told":{told}}}"#)
}

#[test]
fn what_was_sent_once_may_be_taken_twice_and_not_be_sent_twice() {
    let unknown = r#"{"outcome":"unknown","detail":"broken"}"#;
    let mut day = story::opened();
    let sent = day.checkout(1, 2);
    day.scribe.taken_twice(sent);
    let differences = |day: &story::Day, ledger: &[String]| {
        judge_with(&day.scribe, &ledger.join("\n")).ledger.expect("one was given").differences
    };
    let once = checkout("order-1", unknown);
    assert_eq!(differences(&day, std::slice::from_ref(&once)), 0);
    day.scribe.wait_ms(1);
    day.checkout(1, 2);
    assert_eq!(differences(&day, std::slice::from_ref(&once)), 1);
    assert_eq!(differences(&day, &[once.clone(), once]), 0, "whoever asks again sends again");
}

#[test]
fn a_ledger_is_compared_with_what_is_on_the_log() {
    let scribe = story::day(honest);
    let id = story::order(1);
    let taken = format!(r#"{{"outcome":"answered","status":202,"id":"{id}"}}"#);
    let refused = r#"{"outcome":"answered","status":400,"id":null}"#;
    let unknown = r#"{"outcome":"unknown","detail":"broken"}"#;
    let seen = |state| {
        format!(r#"{{"entry":"order_seen","order_id":"{id}","state":"{state}","updated_at":""}}"#)
    };
    for (entries, differences) in [
        (vec![checkout("order-1", &taken), seen("confirmed")], 0),
        (vec![checkout("order-2", unknown), checkout("never-there", unknown)], 0),
        (vec![checkout("never-there", refused)], 0),
        (vec![checkout("never-there", &taken)], 1),
        (vec![checkout("order-2", refused)], 1),
        (vec![checkout("order-1", &taken), seen("cancelled")], 1),
    ] {
        let report = judge_with(&scribe, &entries.join("\n"));
        let ledger = report.ledger.expect("one was given");
        assert_eq!(ledger.differences, differences, "{entries:?} {:?}", ledger.examples);
        assert_eq!(report.ok, differences == 0);
        let named = if differences == 0 { vec![] } else { vec![Invariant::I11.id()] };
        assert_eq!(broken(&judge_with(&scribe, &entries.join("\n"))), named);
    }
}

/// A batch that was sent again is on the log as often as it may have been taken, and no more.
#[test]
fn tries_that_may_have_been_taken_are_counted() {
    let told = [
        (r#"{"outcome":"answered","status":202,"id":null}"#, true),
        (r#"{"outcome":"answered","status":503,"id":null}"#, true),
        (r#"{"outcome":"unknown","detail":"broken"}"#, true),
        (r#"{"outcome":"answered","status":429,"id":null}"#, false),
        (r#"{"outcome":"failed","detail":"no connection"}"#, false),
    ];
    let mut day = story::opened();
    for n in [8, 9] {
        day.receive(n, 10, story::key("twice"));
    }
    day.scribe.next_epoch(10);
    let entry = |told: &str| {
        let asked = r#"{"kind":"receipt","product_id":"P1","warehouse_id":"A","quantity":10,"idempotency_key":"twice"}"#;
        format!(r#"{{"entry":"action","intended_at":1,"asked":{asked},"told":{told}}}"#)
    };
    for (earlier, may_be_taken) in told {
        let entries = [entry(earlier), entry(told[0].0)].join("\n");
        let ledger = judge_with(&day.scribe, &entries).ledger.expect("one was given");
        assert_eq!(ledger.differences, u64::from(!may_be_taken), "{entries}");
    }
}

#[test]
fn a_story_is_told_in_order_with_its_causes() {
    let scribe = story::day(honest);
    let tell = |n| {
        let story = crate::story(&scribe.log, &scribe.schemas, story::order(n)).expect("readable");
        let line = |line: crate::StoryLine| (line.event, line.cause.unwrap_or_default());
        story.into_iter().map(line).collect::<Vec<_>>()
    };
    let at = |name: &str, offset: u64| {
        let partition = story::customer().0.group() % 16;
        format!("{name}, watermart.customer-actions/{partition}@{offset}")
    };
    let (asked, authorized, captured) =
        (at("checkout_requested", 0), at("payment_reported", 1), at("payment_reported", 2));
    let expected = [
        ("checkout_requested", ""),
        ("order_requested", &*asked),
        ("stock_reserved", &asked),
        ("order_awaiting_payment", &asked),
        ("payment_changed", &asked),
        ("payment_requested", &asked),
        ("payment_reported", ""),
        ("order_confirmed", &authorized),
        ("stock_allocated", &authorized),
        ("payment_changed", &authorized),
        ("payment_requested", &authorized),
        ("payment_reported", ""),
        ("payment_changed", &captured),
    ];
    let owned = |(event, cause): (&str, &str)| (event.to_owned(), cause.to_owned());
    assert_eq!(tell(1), expected.map(owned));
    let lapsed = [
        ("order_cancelled", "a timer: the order's deadline"),
        ("reservation_expired", "a timer: the reservation's deadline"),
    ];
    assert_eq!(tell(2)[6..], lapsed.map(owned));
    assert_eq!(tell(9), []);
}
