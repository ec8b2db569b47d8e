//! Each invariant, broken on purpose, is counted; what is right is counted too and breaks nothing.

use super::judge::{Judge, SAMPLE};
use super::watch::Progress;
use super::{Count, Counts};
use crate::epoch::{EpochInfo, EpochInput, OPERATORS, Part};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::views;
use machines::message::Context;
use machines::rules::Rules;
use schemas::events::epochs::EpochDigest;
use schemas::events::lines::Level;
use schemas::events::orders::Reason;
use schemas::id::{CustomerId, EventId, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use sinks::view_store::embedded::EmbeddedViews;
use sinks::view_store::rows::{LineRow, LineState, OrderRow, OrderState, Row, StockRow};
use sinks::view_store::{Mark, ViewStore};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn info(epoch: u64, now: i64) -> EpochInfo {
    let context = Context {
        epoch,
        now: Timestamp(now),
        before: Timestamp(now),
        deadline: Timestamp(now + 100),
        rules: Rules::NEWEST,
    };
    EpochInfo { context, era: 0, hash: EventId([1; 16]), applied: Arc::default() }
}

fn views() -> (TempDir, Arc<dyn ViewStore>) {
    let dir = TempDir::new().unwrap();
    let views = Arc::new(EmbeddedViews::open(dir.path()).unwrap());
    (dir, views)
}

fn level([on_hand, available, reserved, allocated, safety_stock]: [i64; 5]) -> Row {
    let row = StockRow {
        product_id: ProductId::parse("P1").unwrap(),
        warehouse_id: WarehouseId::parse("A").unwrap(),
        on_hand,
        available,
        reserved,
        allocated,
        safety_stock,
        safety_stock_wanted: 0,
        version: 1,
    };
    row.into()
}

/// An order of the sample that lapses at 500, with one line of 2 units in this state.
fn order(version: u64, state: OrderState, line: LineState, units: u32) -> OrderRow {
    let mut hash = [7; 16];
    hash[15] = SAMPLE;
    let product_id = ProductId::parse("P1").unwrap();
    let level = Level { warehouse_id: WarehouseId::parse("A").unwrap(), quantity: units };
    let levels = if units == 0 { vec![] } else { vec![level] };
    let line = LineRow { product_id, quantity: 2, price: 1, state: line, levels, refused: None };
    OrderRow {
        order_id: OrderId::new(5, hash),
        customer_id: CustomerId::parse("C1").unwrap(),
        state,
        reason: None,
        version,
        lines: vec![line],
        currency: Currency::parse("USD").unwrap(),
        region: RegionId::parse("eu").unwrap(),
        payment_method: PaymentMethod::parse("tok_ok").unwrap(),
        expires_at: Some(Timestamp(500)),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn lapsed(version: u64) -> OrderRow {
    let reason = Some(Reason::ReservationExpired);
    OrderRow { reason, ..order(version, OrderState::Cancelled, LineState::Released, 0) }
}

/// What was judged at all: checks and breaches.
fn judged(counts: &Counts) -> BTreeMap<&'static str, (u64, u64)> {
    let judged = counts.iter().filter(|(_, count)| *count != Count::default());
    judged.map(|(name, count)| (name, (count.checked, count.breaches))).collect()
}

/// Judges epochs and their rows, and writes them.
fn counts(epochs: Vec<(EpochInfo, Vec<Row>)>) -> BTreeMap<&'static str, (u64, u64)> {
    let (_dir, views) = views();
    let mut judge = Judge::default();
    for (info, rows) in epochs {
        judge.epoch(&info, &rows, &*views).unwrap();
        let (epoch, now) = (info.context.epoch, info.context.now);
        let mark = Mark { era: 0, epoch, plan_hash: info.hash, now, applied: Vec::new() };
        views.apply(rows, mark).unwrap();
    }
    judged(&judge.counts)
}

fn check<const N: usize>(epochs: Vec<(EpochInfo, Vec<Row>)>, expected: [(&str, (u64, u64)); N]) {
    assert_eq!(counts(epochs), BTreeMap::from(expected));
}

#[test]
fn a_stock_level_adds_up_and_is_nowhere_below_zero() {
    let rows = vec![level([10, 5, 3, 2, 0]), level([10, 5, 3, 2, 1]), level([10, 11, 0, 0, -1])];
    check(vec![(info(1, 10), rows)], [("I1", (3, 1)), ("I2", (3, 1))]);
}

#[test]
fn an_order_holds_what_its_state_says() {
    use LineState::{Allocated, Released, Requested, Reserved};
    use OrderState::{AwaitingPayment, Cancelled, Confirmed, Rejected};
    for (state, line, units, breaches) in [
        (OrderState::Requested, Requested, 0, 0),
        (AwaitingPayment, Reserved, 2, 0),
        (AwaitingPayment, Reserved, 1, 1),
        (AwaitingPayment, Allocated, 2, 1),
        (Confirmed, Allocated, 2, 0),
        (Confirmed, Reserved, 2, 1),
        (Confirmed, Allocated, 3, 1),
        (Cancelled, Released, 0, 0),
        (Cancelled, Released, 1, 1),
        (Rejected, Reserved, 0, 1),
    ] {
        let row = order(1, state, line, units).into();
        check(vec![(info(1, 10), vec![row])], [("I6", (1, breaches))]);
    }
}

#[test]
fn an_order_lapses_at_its_deadline_and_not_before() {
    for (now, breaches) in [(499, 1), (500, 0), (900, 0)] {
        let rows = vec![lapsed(1).into()];
        check(vec![(info(1, now), rows)], [("I5", (1, breaches)), ("I6", (1, 0))]);
    }
}

#[test]
fn an_order_goes_where_it_may_and_never_back() {
    use LineState::{Allocated, Released, Reserved};
    use OrderState::{AwaitingPayment, Cancelled, Confirmed, Rejected};
    let waiting = || order(2, AwaitingPayment, Reserved, 2);
    let confirmed = |version| order(version, Confirmed, Allocated, 2);
    let cancelled = |version| order(version, Cancelled, Released, 0);
    let rejected = |version| order(version, Rejected, Released, 0);
    for (before, after, back, older) in [
        (waiting(), confirmed(3), 0, 0),
        (confirmed(3), cancelled(4), 0, 0),
        (lapsed(3), confirmed(5), 0, 0),
        (cancelled(3), confirmed(5), 1, 0),
        (confirmed(3), OrderRow { version: 4, ..waiting() }, 1, 0),
        (rejected(3), cancelled(4), 1, 0),
        (confirmed(3), confirmed(3), 0, 1),
    ] {
        let epochs = vec![(info(1, 600), vec![before.into()]), (info(2, 600), vec![after.into()])];
        let counts = counts(epochs);
        // The epochs themselves are in order: one check of I13 more.
        assert_eq!((counts["I8"], counts["I13"]), ((1, back), (2, older)));
    }
}

#[test]
fn epochs_and_their_time_never_go_back() {
    for (epoch, now, breaches) in [(2, 10, 0), (9, 11, 0), (1, 10, 1), (2, 9, 1)] {
        let epochs = vec![(info(1, 10), vec![]), (info(epoch, now), vec![])];
        check(epochs, [("I13", (1, breaches))]);
    }
}

#[test]
fn a_stall_is_told_once() {
    let mut progress = Progress::default();
    let mut look =
        |seconds, waits, finished| progress.look(Duration::from_secs(seconds), waits, finished);
    assert_eq!(look(60, false, 7), None, "nothing waits");
    assert_eq!(look(61, true, 7), Some(true));
    assert_eq!(look(64, true, 7), Some(true));
    assert_eq!(look(65, true, 7), Some(false));
    assert_eq!(look(99, true, 7), None);
    assert_eq!(look(100, true, 8), Some(true), "it goes on");
    assert_eq!(look(105, true, 8), Some(false), "the next stall is another one");
    assert_eq!(look(106, false, 8), None);
}

/// Lets one worker finish an epoch of these rows.
fn finish(hub: &Hub, epoch: u64, rows: Vec<Row>, digests: [u64; OPERATORS]) -> Result<(), Failure> {
    let info = info(epoch, 10);
    let (context, none) = (info.context, Vec::new);
    let (products, spare) = (Vec::new(), Default::default());
    let input = EpochInput { context, customers: none(), products, rows: true, save: false, spare };
    let mut state = hub.lock();
    state.open(info, vec![input], Vec::new(), None);
    state.finish(epoch, 0, Part { rows, digests, ..Part::default() })
}

#[test]
fn a_bad_row_that_the_engine_writes_is_counted_in_its_status() {
    let (_dir, views) = views();
    let hub = Hub::new(1);
    finish(&hub, 1, vec![level([10, 10, 0, 0, 0])], [0; OPERATORS]).unwrap();
    finish(&hub, 2, vec![level([10, 9, 0, 0, 0])], [0; OPERATORS]).unwrap();
    hub.stop();
    views::run(&hub, &views, &Mark::default()).unwrap();
    let counts = judged(&hub.lock().invariants);
    assert_eq!(counts, BTreeMap::from([("I1", (2, 1)), ("I2", (2, 0)), ("I13", (1, 0))]));
}

#[test]
fn a_digest_that_is_not_the_logs_is_counted() {
    let hub = Hub::new(1);
    let carried = |digest| {
        let digest = |operator| EpochDigest { epoch: 1, operator, digest };
        [digest(0), digest(1)]
    };
    finish(&hub, 1, Vec::new(), [7; OPERATORS]).unwrap();
    hub.lock().expect_digests(&carried(7)).unwrap();
    assert_eq!(judged(&hub.lock().invariants), BTreeMap::from([("I16", (2, 0))]));
    let hub = Hub::new(1);
    hub.lock().expect_digests(&carried(8)).unwrap();
    finish(&hub, 1, Vec::new(), [7; OPERATORS]).expect_err("another digest");
    assert_eq!(judged(&hub.lock().invariants), BTreeMap::from([("I16", (1, 1))]));
}
