//! Views that tell something else than the log.

use super::scribe::Scribe;
use super::{broken, honest, story};
use crate::fold::Fold;
use crate::stream::Stream;
use crate::{Report, Verdicts, audit};
use schemas::events::Event;
use schemas::id::{EventId, OrderId};
use sinks::view_store::embedded::EmbeddedViews;
use sinks::view_store::rows::{OrderState, Row, TimelineRow, View};
use sinks::view_store::{Mark, ViewStore};
use std::collections::BTreeMap;

/// The rows of all views, as the fold makes them, and the timeline, as the scribe told it.
fn rows(scribe: &Scribe) -> Vec<Row> {
    let (mut fold, mut verdicts) = (Fold::default(), Verdicts::default());
    let mut stream = Stream::open(&scribe.log, &scribe.schemas).unwrap();
    while let Some(mut epoch) = stream.next(&mut verdicts, &mut |_| {}).unwrap() {
        fold.epoch(&mut epoch, &mut verdicts);
    }
    let mut rows = Vec::new();
    View::ALL.iter().for_each(|view| fold.rows(*view, &mut |row| rows.push(row)));
    let mut timeline: BTreeMap<(OrderId, u64), TimelineRow> = BTreeMap::new();
    for (event, epoch, entry) in &scribe.told {
        let Some(order_id) = order_of(event) else { continue };
        let row = timeline.entry((order_id, *epoch)).or_insert_with(|| TimelineRow {
            order_id,
            epoch: *epoch,
            entries: Vec::new(),
        });
        row.entries.push(entry.clone());
    }
    rows.extend(timeline.into_values().map(Row::from));
    rows
}

fn order_of(event: &Event) -> Option<OrderId> {
    match event {
        Event::OrderRequested(e) => Some(e.order_id),
        Event::OrderAwaitingPayment(e) => Some(e.order_id),
        Event::OrderConfirmed(e) => Some(e.order_id),
        Event::OrderRejected(e) => Some(e.order_id),
        Event::OrderCancelled(e) => Some(e.order_id),
        Event::PaymentChanged(e) => Some(e.order_id),
        _ => None,
    }
}

fn judge(scribe: &Scribe, rows: Vec<Row>, mark: Mark) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedViews::open(dir.path()).unwrap();
    store.apply(rows, mark).unwrap();
    audit(&scribe.log, &scribe.schemas, Some(&store), None).unwrap()
}

#[test]
fn views_that_equal_the_fold_pass() {
    let scribe = story::day(honest);
    let report = judge(&scribe, rows(&scribe), scribe.mark());
    assert_eq!(broken(&report), [""; 0], "{:#?}", report.invariants);
    assert_eq!(report.views_epoch, Some(scribe.epoch));
    let counted: Vec<_> = report.views.iter().map(|view| (view.name, view.rows)).collect();
    let expected = [
        ("products", 1),
        ("stock", 1),
        ("reservations", 0),
        ("warehouses", 1),
        ("carts", 0),
        ("orders", 3),
        ("timeline", 6),
        ("customer_orders", 3),
        ("payments", 2),
        ("rejections", 0),
    ];
    assert_eq!(counted, expected);
}

#[test]
fn a_row_that_differs_is_missing_or_too_many_is_named() {
    let scribe = story::day(honest);
    let clean = rows(&scribe);
    let differences = |rows: Vec<Row>| {
        let report = judge(&scribe, rows, scribe.mark());
        assert_eq!(broken(&report), ["I12"]);
        report.views.iter().map(|view| view.differences).sum::<u64>()
    };
    for view in View::ALL {
        let Some(at) = clean.iter().position(|row| row.view() == *view) else { continue };
        let mut fewer = clean.clone();
        fewer.remove(at);
        assert_eq!(differences(fewer), 1, "{view:?} lacks a row");
    }
    let mut other = clean.clone();
    for row in &mut other {
        match row {
            Row::Orders(row) => row.state = OrderState::Requested,
            Row::Timeline(row) => row.entries[0].cause_id = EventId([0; 16]),
            _ => {}
        }
    }
    assert_eq!(differences(other), 3 + 6);
    let mut more = clean.clone();
    for row in &clean {
        if let Row::Warehouses(row) = row {
            let warehouse_id = schemas::id::WarehouseId::parse("B").unwrap();
            more.push(sinks::view_store::rows::WarehouseRow { warehouse_id, ..row.clone() }.into());
        }
    }
    assert_eq!(differences(more), 1);
}

#[test]
fn views_behind_the_log_are_compared_at_their_mark() {
    let mut day = story::opened();
    let (rows, mark) = (rows(&day.scribe), day.scribe.mark());
    day.reserved(1, 2);
    let report = judge(&day.scribe, rows, mark);
    assert_eq!((broken(&report), report.views_epoch, report.epoch), (vec![], Some(1), 2));
}

#[test]
fn a_mark_of_another_history_is_named() {
    let scribe = story::day(honest);
    let mark = Mark { plan_hash: EventId([1; 16]), ..scribe.mark() };
    assert_eq!(broken(&judge(&scribe, rows(&scribe), mark)), ["I12"]);
    let mark = Mark { epoch: scribe.epoch + 5, ..scribe.mark() };
    assert_eq!(broken(&judge(&scribe, rows(&scribe), mark)), ["I12"]);
}
