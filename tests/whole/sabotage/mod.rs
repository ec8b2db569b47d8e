//! One thing is broken inside a running shop, and the audit of what it leaves behind names it. The
//! same day in an honest shop audits clean, so it is the fault that is named.
//!
//! | | what is broken | where |
//! |---|---|---|
//! | I1 | a receipt books, and tells, one unit less than came | on its way to products |
//! | I2 | products hold three times the units that they tell, and sell them | products |
//! | I3 | an allocation tells one unit more than was reserved | products' events |
//! | I4 | a reservation is told to end twice | products' events |
//! | I5 | the timers run an hour ahead; they stand still | the operators' `now` |
//! | I6 | a confirmed line, and a rejected order's, is not passed on | on its way to products |
//! | I7 | products hold fewer units than they tell, and refuse who would have had them | products |
//! | I8 | an order never ends; one that was rejected is confirmed | `now`; customers' events |
//! | I9 | the provider is asked twice to capture; a declined payment counts as paid | customers |
//! | I10 | products, and customers, forget which key stands for what | on their way there |
//! | I11 | the log loses what it acknowledged; an order asks for more than was asked; an effect names no cause | log; on its way; events |
//! | I12 | the store drops a row, and alters one; an operator writes a wrong one | view store; rows |
//! | I13 | the log turns two outputs round; it loses one of several | event log |
//! | I15 | an action is dropped | on its way to products |
//! | I16 | somebody who should be dead says something else again; a plan tells another digest | event log |
//! | I17 | plans stop for 11 s while input comes | event log |
//!
//! I14 waits for reviews. A provider that lies is no fault of the shop, which must stand it: it
//! captures twice or never answers, and the audit finds nothing.
//!
//! Faults get past the guards of the operators: what the machines refuse by a panic is not here.

mod day;
mod late;
mod lies;
mod poison;
mod stage;

use day::{Verdict, day};
use machines::message::{Context, CustomerMessage, ProductMessage, ToCustomer, ToProduct};
use processors::sabotage::Hooks;
use processors::shards::Decided;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::customer_actions::{IdempotencyKey, PaymentOutcome};
use schemas::events::epochs::EpochDigest;
use schemas::events::orders::OrderConfirmed;
use schemas::events::payment_requests::PaymentVerb;
use schemas::id::EventId;
use schemas::topic::Topic;
use serde_json::{Value, json};
use sinks::event_log::NewRecord;
use sinks::view_store::rows::{Row, View};
use stage::Lies;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::TempDir;

/// The audit names this invariant, among what follows from the same fault.
fn names(id: &str, verdict: &Verdict) {
    assert_eq!(verdict.code, Some(1));
    assert!(verdict.named().contains(id), "{id} is broken, named are {:?}", verdict.named());
}

fn in_operators(operators: Hooks) -> Verdict {
    day(Lies { operators, ..Lies::default() })
}

fn to_products(fault: impl Fn(&mut Vec<ToProduct>) + Send + Sync + 'static) -> Verdict {
    in_operators(Hooks { to_products: Some(Box::new(fault)), ..Hooks::default() })
}

fn to_customers(fault: impl Fn(&mut Vec<ToCustomer>) + Send + Sync + 'static) -> Verdict {
    in_operators(Hooks { to_customers: Some(Box::new(fault)), ..Hooks::default() })
}

fn in_events(fault: impl Fn(&mut Vec<Decided>) + Send + Sync + 'static) -> Verdict {
    in_operators(Hooks { events: Some(Box::new(fault)), ..Hooks::default() })
}

fn in_time(fault: impl Fn(usize, &mut Context) + Send + Sync + 'static) -> Verdict {
    let context = move |seen: &mut (usize, Context)| fault(seen.0, &mut seen.1);
    in_operators(Hooks { context: Some(Box::new(context)), ..Hooks::default() })
}

fn in_log(lie: impl Fn(&mut Vec<NewRecord>) -> bool + Send + Sync + 'static) -> Verdict {
    day(Lies { log: Box::new(lie), ..Lies::default() })
}

fn in_views(lie: impl Fn(&mut Vec<Row>) + Send + Sync + 'static) -> Verdict {
    day(Lies { views: Box::new(lie), ..Lies::default() })
}

/// Shows every record for products to `fault`.
fn records(messages: &mut [ToProduct], mut fault: impl FnMut(&mut Event)) {
    for message in messages {
        if let ProductMessage::Record(event) = &mut message.body {
            fault(event);
        }
    }
}

/// A fault that happens once.
fn once(which: impl Fn(&Event) -> bool) -> impl Fn(&Event) -> bool {
    let done = AtomicBool::new(false);
    move |event| which(event) && !done.swap(true, Ordering::SeqCst)
}

/// What is decided a second time, under an id of its own.
fn again(decided: &Decided) -> Decided {
    Decided { serial: !decided.serial, ..decided.clone() }
}

/// Tells this event twice, the first time that it is told.
fn twice(which: impl Fn(&Event) -> bool) -> impl Fn(&mut Vec<Decided>) {
    let which = once(which);
    move |events| {
        if let Some(at) = events.iter().position(|decided| which(&decided.event)) {
            events.insert(at + 1, again(&events[at]));
        }
    }
}

#[test]
fn an_honest_shop_is_clean_and_the_day_covers_every_invariant() {
    let verdict = day(Lies::default());
    assert_eq!(verdict.named(), BTreeSet::new(), "{:#}", verdict.report);
    assert_eq!(verdict.code, Some(0));
    // Time stands still while something waits: see I17's own test.
    let all = (1..=16).filter(|n| *n != 14).map(|n| format!("I{n}")).collect();
    assert_eq!(verdict.covered(), all);
    assert_eq!(verdict.report["not_judged"], 0);
    let orders = &verdict.report["totals"]["orders"];
    let ends = ["requested", "awaiting_payment", "confirmed", "cancelled", "rejected"];
    assert_eq!(ends.map(|end| orders[end].as_u64().unwrap()), [0, 0, 4, 4, 3], "{orders}");
}

/// The names in each object of a report, by path; lists are of one kind.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            let path = format!("{path}.{name}");
            fields(value, &path, into);
            into.insert(path);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(item, path, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_report_has_every_field_of_the_outside_interface() {
    let lost = |rows: &mut Vec<Row>| rows.retain(|row| row.view() != View::Payments);
    let verdict = in_views(lost);
    let mut found = BTreeSet::new();
    fields(&verdict.report, "", &mut found);
    let expected = [
        ("", "ok epoch records digest invariants views totals ledger"),
        (".invariants", "id name checked breaches examples"),
        (".invariants.examples", "key expected found position"),
        (".views", "name rows differences"),
        (".totals", "orders units money"),
        (".totals.orders", "requested rejected awaiting_payment confirmed cancelled"),
        (
            ".totals.units",
            "received adjusted shipped returned on_hand available reserved allocated safety_stock",
        ),
        (".totals.money", "currency authorized captured voided refunded"),
        (".ledger", "asked answered unknown differences"),
    ];
    let expected = expected
        .iter()
        .flat_map(|(path, names)| names.split(' ').map(move |name| format!("{path}.{name}")));
    let mut missing: BTreeSet<String> = expected.collect();
    missing.retain(|name| !found.contains(name));
    assert_eq!(missing, BTreeSet::new());
    let names = View::ALL.iter().map(|view| Value::from(view.name()));
    let views = verdict.report["views"].as_array().unwrap();
    assert!(views.iter().map(|view| view["name"].clone()).eq(names));
    let payments = views.iter().find(|view| view["name"] == "payments").unwrap();
    // Each order that was ever reserved has one, and all are missing.
    assert_eq!((&payments["rows"], &payments["differences"]), (&json!(0), &json!(8)));
    let ledger = &verdict.report["ledger"];
    let told = ["asked", "answered", "unknown", "differences"].map(|name| &ledger[name]);
    assert_eq!(told, [12, 12, 0, 0].map(Value::from).each_ref());
}

#[test]
fn i1_a_receipt_that_books_one_unit_less() {
    names(
        "I1",
        &to_products(|messages| {
            records(messages, |event| {
                if let Event::StockReceiptRequested(e) = event {
                    e.quantity -= u32::from(e.quantity == 10);
                }
            });
        }),
    );
}

#[test]
fn i2_units_that_are_sold_and_were_never_told() {
    let operators = Hooks {
        to_products: Some(Box::new(|messages| {
            records(messages, |event| {
                if let Event::StockReceiptRequested(e) = event {
                    e.quantity *= if e.quantity == 1 { 3 } else { 1 };
                }
            });
        })),
        events: Some(Box::new(|events| {
            for decided in events {
                if let Event::StockReceived(e) = &mut decided.event
                    && e.product_id.to_string() == "P2"
                    && e.version == 1
                {
                    e.quantity = 1;
                }
            }
        })),
        ..Hooks::default()
    };
    names("I2", &in_operators(operators));
}

#[test]
fn i3_an_allocation_of_more_than_was_reserved() {
    names(
        "I3",
        &in_events(|events| {
            for decided in events {
                if let Event::StockAllocated(e) = &mut decided.event {
                    e.quantity += 1;
                }
            }
        }),
    );
}

#[test]
fn i4_a_reservation_that_ends_twice() {
    names("I4", &in_events(twice(|event| matches!(event, Event::StockReleased(_)))));
    names("I4", &in_events(twice(|event| matches!(event, Event::ReservationExpired(_)))));
}

#[test]
fn i5_timers_that_run_ahead_or_stand_still() {
    names("I5", &in_time(|_, context| context.now = context.now.plus_ms(3_600_000)));
    let begun = Mutex::new(None);
    names(
        "I5",
        &in_time(move |operator, context| {
            let begun = *begun.lock().unwrap().get_or_insert(context.now);
            context.now = if operator == 0 { begun } else { context.now };
        }),
    );
}

#[test]
fn i6_a_line_that_is_confirmed_or_rejected_and_nobody_tells_its_product() {
    names(
        "I6",
        &to_products(|messages| {
            messages.retain(|message| !matches!(message.body, ProductMessage::Confirm { .. }));
        }),
    );
    names(
        "I6",
        &to_products(|messages| {
            messages.retain(|message| !matches!(message.body, ProductMessage::Release { .. }));
        }),
    );
}

#[test]
fn i7_a_refusal_of_units_that_were_told() {
    let operators = Hooks {
        to_products: Some(Box::new(|messages| {
            records(messages, |event| {
                if let Event::StockReceiptRequested(e) = event {
                    e.quantity = if e.quantity == 3 { 1 } else { e.quantity };
                }
            });
        })),
        events: Some(Box::new(|events| {
            for decided in events {
                if let Event::StockReceived(e) = &mut decided.event
                    && e.product_id.to_string() == "P2"
                    && e.version == 2
                {
                    e.quantity = 3;
                }
            }
        })),
        ..Hooks::default()
    };
    names("I7", &in_operators(operators));
}

#[test]
fn i8_an_order_that_never_ends_or_comes_back() {
    let begun = Mutex::new(None);
    names(
        "I8",
        &in_time(move |operator, context| {
            let begun = *begun.lock().unwrap().get_or_insert(context.now);
            context.now = if operator == 0 { begun } else { context.now };
        }),
    );
    names(
        "I8",
        &in_events(|events| {
            let rejected = |decided: &Decided| matches!(decided.event, Event::OrderRejected(_));
            if let Some(at) = events.iter().position(rejected)
                && let Event::OrderRejected(e) = &events[at].event
            {
                let (order_id, customer_id) = (e.order_id, e.customer_id);
                let back = OrderConfirmed { order_id, customer_id };
                events.insert(at + 1, Decided { event: back.into(), ..again(&events[at]) });
            }
        }),
    );
}

#[test]
fn i9_a_capture_that_is_asked_for_twice() {
    names(
        "I9",
        &in_events(twice(
            |event| matches!(event, Event::PaymentRequested(e) if e.verb == PaymentVerb::Capture),
        )),
    );
}

#[test]
fn i9_a_declined_payment_that_counts_as_paid() {
    names(
        "I9",
        &to_customers(|messages| {
            for message in messages {
                if let CustomerMessage::Record(event) = &mut message.body
                    && let Event::PaymentReported(e) = &mut **event
                    && e.outcome == PaymentOutcome::Declined
                {
                    e.outcome = PaymentOutcome::Authorized;
                }
            }
        }),
    );
}

#[test]
fn i10_a_key_that_is_forgotten() {
    names(
        "I10",
        &to_products(|messages| {
            records(messages, |event| {
                if let Event::StockReceiptRequested(e) = event {
                    e.idempotency_key = IdempotencyKey::Text(e.action_id.to_string().into());
                }
            });
        }),
    );
    names(
        "I10",
        &to_customers(|messages| {
            for message in messages {
                if let CustomerMessage::Record(event) = &mut message.body
                    && let Event::CheckoutRequested(e) = &mut **event
                {
                    e.idempotency_key = IdempotencyKey::Text(e.order_id.to_string().into());
                }
            }
        }),
    );
}

#[test]
fn i11_an_action_that_was_acknowledged_and_is_not_there() {
    let codec = Codec::compiled();
    let lost = once(|event| matches!(event, Event::CheckoutRequested(_)));
    names(
        "I11",
        &in_log(move |records| {
            records.retain(|record| !codec.decode(&record.value).is_ok_and(|(_, e)| lost(&e)));
            true
        }),
    );
}

#[test]
fn i11_an_effect_of_another_action_or_of_none() {
    names(
        "I11",
        &to_customers(|messages| {
            for message in messages {
                if let CustomerMessage::Record(event) = &mut message.body
                    && let Event::CheckoutRequested(e) = &mut **event
                    && let Some(line) = e.lines.as_mut().and_then(|lines| lines.first_mut())
                {
                    line.quantity += 1;
                }
            }
        }),
    );
    names(
        "I11",
        &in_events(|events| {
            for decided in events {
                if let Event::StockAdjusted(_) = decided.event {
                    decided.cause_id = EventId([9; 16]);
                }
            }
        }),
    );
}

#[test]
fn i12_a_row_that_is_lost_or_altered() {
    let is_lost = |row: &Row| matches!(row, Row::Payments(_));
    let verdict = in_views(move |rows| rows.retain(|row| !is_lost(row)));
    names("I12", &verdict);
    assert_eq!(verdict.views(), [View::Payments.name().to_owned()].into());
    let alter = |rows: &mut Vec<Row>| {
        for row in rows {
            if let Row::Orders(row) = row {
                row.version += 1;
            }
        }
    };
    let verdict = in_views(alter);
    names("I12", &verdict);
    assert_eq!(verdict.views(), [View::Orders.name().to_owned()].into());
    let operators = Hooks { rows: Some(Box::new(alter)), ..Hooks::default() };
    let verdict = in_operators(operators);
    names("I12", &verdict);
    assert_eq!(verdict.views(), [View::Orders.name().to_owned()].into());
}

/// Two outputs of one partition that stand one behind the other in an append.
fn pair(records: &[NewRecord]) -> Option<usize> {
    let pairs = records.windows(2);
    let mut same =
        pairs.map(|pair| pair[0].output_id.is_some() && pair[0].partition == pair[1].partition);
    same.position(|same| same)
}

#[test]
fn the_audit_beside_a_running_shop_names_the_view_that_lies() {
    let honest = day::half_day_beside(Lies::default());
    assert_eq!((honest.named(), honest.code), (BTreeSet::new(), Some(0)), "{:#}", honest.report);
    let lie = |rows: &mut Vec<Row>| {
        // Of a customer's list only its order is shown.
        rows.retain(|row| row.view() != View::CustomerOrders);
        rows.iter_mut().for_each(alter);
    };
    let verdict = day::half_day_beside(Lies { views: Box::new(lie), ..Lies::default() });
    names("I12", &verdict);
    let shown = View::ALL.iter().filter(|view| **view != View::Rejections);
    assert_eq!(verdict.views(), shown.map(|view| view.name().to_owned()).collect());
    let lost = |rows: &mut Vec<Row>| rows.retain(|row| row.view() != View::Warehouses);
    let verdict = day::half_day_beside(Lies { views: Box::new(lost), ..Lies::default() });
    names("I12", &verdict);
    assert_eq!(verdict.views(), [View::Warehouses.name().to_owned()].into());
}

/// Changes one field that is shown.
fn alter(row: &mut Row) {
    match row {
        Row::Products(row) => row.listing.price += 1,
        Row::Stock(row) => row.available += 1,
        Row::Reservations(row) => row.expires_at = row.expires_at.plus_ms(1),
        Row::Warehouses(row) => row.priority += 1,
        Row::Carts(row) => row.version += 1,
        Row::Orders(row) => row.version += 1,
        Row::Timeline(row) => {
            row.entries.pop();
        }
        Row::CustomerOrders(_) => {}
        Row::Payments(row) => row.captured += 1,
        Row::Rejections(row) => row.order_id = None,
    }
}

#[test]
fn i13_outputs_that_are_turned_round_or_lost() {
    names(
        "I13",
        &in_log(|records| {
            if let Some(at) = pair(records) {
                records.swap(at, at + 1);
            }
            true
        }),
    );
    names(
        "I13",
        &in_log(|records| {
            if let Some(at) = pair(records) {
                records.remove(at);
            }
            true
        }),
    );
}

#[test]
fn i15_an_action_that_is_dropped() {
    names(
        "I15",
        &to_products(|messages| {
            messages.retain(|message| {
                !matches!(&message.body, ProductMessage::Record(event)
                if matches!(**event, Event::StockAdjustmentRequested(_)))
            });
        }),
    );
}

#[test]
fn i16_a_dead_process_that_says_something_else() {
    let codec = Codec::compiled();
    names(
        "I16",
        &in_log(move |records| {
            let received = |record: &NewRecord| {
                record.output_id.is_some()
                    && matches!(codec.decode(&record.value), Ok((_, Event::StockReceived(_))))
            };
            if let Some(mut ghost) = records.iter().find(|record| received(record)).cloned() {
                let (envelope, event) = codec.decode(&ghost.value).unwrap();
                let Event::StockReceived(mut e) = event else { unreachable!("looked at above") };
                e.quantity += 1;
                let mut value = Vec::new();
                codec.encode(&envelope, &e.into(), &mut value);
                ghost.value = value.into();
                records.push(ghost);
            }
            true
        }),
    );
}

#[test]
fn i16_a_plan_that_tells_another_digest() {
    let codec = Codec::compiled();
    let plans = AtomicU64::new(0);
    names(
        "I16",
        &in_log(move |records| {
            for record in
                records.iter_mut().filter(|record| record.partition.topic == Topic::Epochs)
            {
                let Ok(Event::EpochPlanned(mut plan)) = codec.decode_bare(&record.value) else {
                    continue;
                };
                // The first epoch's digest was told long before.
                if plans.fetch_add(1, Ordering::SeqCst) == 8 {
                    plan.digests.push(EpochDigest { epoch: 1, operator: 0, digest: 42 });
                    let mut value = Vec::new();
                    codec.encode_bare(&plan.into(), &mut value);
                    record.value = value.into();
                }
            }
            true
        }),
    );
}

#[test]
fn i17_plans_that_stop_while_input_waits() {
    let dir = TempDir::new().unwrap();
    let verdict = day::stalled(dir.path(), 11);
    assert_eq!(verdict.named(), ["I17".to_owned()].into());
    let dir = TempDir::new().unwrap();
    let verdict = day::stalled(dir.path(), 9);
    assert_eq!(verdict.named(), BTreeSet::new());
    assert!(verdict.covered().contains("I17"));
}

#[test]
fn a_provider_that_captures_twice_or_never_answers_breaks_nothing() {
    for lie in [
        (|request, told| {
            if request == PaymentVerb::Capture {
                told.push("captured");
            }
        }) as fn(PaymentVerb, &mut Vec<&'static str>),
        |_, told| told.clear(),
        |request, told| {
            if request == PaymentVerb::Capture {
                told.clear();
            }
        },
    ] {
        let provider = Box::new(move |request: &_, told: &mut _| lie(verb(request), told));
        let verdict = day(Lies { provider, ..Lies::default() });
        assert_eq!((verdict.named(), verdict.code), (BTreeSet::new(), Some(0)));
    }
}

const fn verb(request: &schemas::events::payment_requests::PaymentRequested) -> PaymentVerb {
    request.verb
}
