//! What every view store must pass, clause by clause of the port.

use super::key;
use super::rows::{ReservationRow, Row, View, WarehouseRow};
use super::{Mark, Stored, ViewStore};
use schemas::id::{EventId, Id, OrderId, ProductId, RegionId, WarehouseId};
use schemas::time::Timestamp;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

/// Runs every clause, each on a store of its own that `open` makes, empty. Panics at a breach.
pub fn check_all(open: &mut dyn FnMut() -> Arc<dyn ViewStore>) {
    for clause in [newest_wins, together, mark, deleted, scan, counts] {
        clause(&*open());
    }
}

/// The mark of an epoch of era 0.
#[must_use]
pub fn mark_of(epoch: u64) -> Mark {
    let now = Timestamp(i64::try_from(epoch).expect("a small epoch") * 10);
    Mark { era: 0, epoch, plan_hash: EventId([7; 16]), now, applied: vec![epoch; 48] }
}

/// A warehouse's row, told apart from its other versions by its priority.
#[must_use]
pub fn warehouse(id: &str, priority: u32) -> Row {
    let warehouse_id = WarehouseId::parse(id).expect("a legal id");
    let region = RegionId::parse("eu").expect("a legal id");
    WarehouseRow { warehouse_id, name: format!("{id} {priority}"), region, priority }.into()
}

/// A product's reservation, open or over.
#[must_use]
pub fn reservation(product: &str, order: u8, ended: bool) -> Row {
    ReservationRow {
        product_id: ProductId::parse(product).expect("a legal id"),
        order_id: OrderId::new(3, [order; 16]),
        levels: Vec::new(),
        expires_at: Timestamp(1_000),
        ended,
    }
    .into()
}

fn apply(store: &dyn ViewStore, rows: Vec<Row>, mark: Mark) {
    store.apply(rows, mark).expect("the store is up");
}

fn get(store: &dyn ViewStore, row: &Row) -> Option<Stored> {
    store.get(row.view(), &row.key()).expect("the store is up")
}

fn stored(version: i64, row: Row) -> (Vec<u8>, Stored) {
    (row.key(), Stored { version, row })
}

fn newest_wins(store: &dyn ViewStore) {
    let (old, new) = (warehouse("A", 1), warehouse("A", 2));
    let of_era_1 = Mark { era: 1, ..mark_of(1) };
    let version = of_era_1.version();
    assert_eq!(get(store, &old), None);
    apply(store, vec![old.clone()], mark_of(5));
    assert_eq!(get(store, &old), Some(Stored { version: 5, row: old.clone() }));
    for late in [mark_of(4), mark_of(5)] {
        apply(store, vec![new.clone()], late);
        assert_eq!(get(store, &old), Some(Stored { version: 5, row: old.clone() }));
    }
    apply(store, vec![new.clone()], of_era_1);
    assert_eq!(get(store, &old), Some(Stored { version, row: new.clone() }));
    apply(store, vec![old.clone()], mark_of(9));
    assert_eq!(get(store, &old), Some(Stored { version, row: new }));
}

/// Each epoch writes all rows anew; whoever scans meanwhile sees rows of one epoch, and none older
/// than the mark that was told before the scan.
fn together(store: &dyn ViewStore) {
    const EPOCHS: u64 = 200;
    let names = ["A", "B", "C", "D"];
    let look = || {
        let marked = store.marks().borrow().version();
        let rows = store.scan(View::Warehouses, b"", None, 10).expect("the store is up");
        let versions: Vec<i64> = rows.iter().map(|(_, stored)| stored.version).collect();
        let Some(first) = versions.first().copied() else {
            assert_eq!(marked, 0, "a mark without its rows");
            return ControlFlow::Continue(());
        };
        assert_eq!(versions, [first; 4], "half an epoch");
        assert!(first >= marked, "the mark {marked} was told before its rows, still {first}");
        if first == mark_of(EPOCHS).version() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    thread::scope(|scope| {
        scope.spawn(|| while look().is_continue() {});
        for epoch in 1..=EPOCHS {
            let priority = u32::try_from(epoch).expect("a small epoch");
            apply(store, names.map(|name| warehouse(name, priority)).to_vec(), mark_of(epoch));
            if epoch % 50 == 0 {
                store.flush().expect("the store is up");
            }
        }
    });
}

fn mark(store: &dyn ViewStore) {
    let mut marks = store.marks();
    assert_eq!(**marks.borrow_and_update(), Mark::default());
    for (applied, is_news, expected) in
        [(1, true, 1), (2, true, 2), (1, false, 2), (2, false, 2), (7, true, 7)]
    {
        apply(store, vec![warehouse("A", 1)], mark_of(applied));
        assert_eq!(marks.has_changed().expect("the store lives"), is_news);
        assert_eq!(**marks.borrow_and_update(), mark_of(expected));
    }
    apply(store, Vec::new(), mark_of(8));
    assert_eq!(**store.marks().borrow(), mark_of(8), "an epoch without rows has a mark too");
}

fn deleted(store: &dyn ViewStore) {
    let (open, over) = (reservation("P1", 1, false), reservation("P1", 1, true));
    let all = || store.scan(View::Reservations, b"", None, 10).expect("the store is up");
    // In memory and, wherever the store keeps it, behind a flush.
    for (flush, epoch) in [(false, 10), (true, 20)] {
        let flushed = || {
            if flush {
                store.flush().expect("the store is up")
            }
        };
        apply(store, vec![open.clone()], mark_of(epoch));
        flushed();
        assert_eq!(all(), [stored(mark_of(epoch).version(), open.clone())]);
        apply(store, vec![over.clone()], mark_of(epoch + 2));
        flushed();
        assert_eq!((get(store, &open), all()), (None, Vec::new()));
        apply(store, vec![open.clone()], mark_of(epoch + 1));
        flushed();
        assert_eq!((get(store, &open), all()), (None, Vec::new()), "an older version came back");
    }
}

fn scan(store: &dyn ViewStore) {
    let open = |product, order| reservation(product, order, false);
    let rows = [open("P1", 1), open("P1", 2), open("P1", 3), open("P10", 1), open("P2", 0xff)];
    // Half of them flushed, in another order than that of the keys.
    apply(store, vec![rows[4].clone(), rows[1].clone()], mark_of(1));
    store.flush().expect("the store is up");
    apply(store, vec![rows[3].clone(), rows[2].clone(), rows[0].clone()], mark_of(2));
    apply(store, vec![warehouse("P1", 1)], mark_of(3));
    let expected: Vec<_> = [2, 1, 2, 2, 1].into_iter().zip(rows).collect();
    let expected: Vec<_> = expected.into_iter().map(|(v, row)| stored(v, row)).collect();
    let scan = |prefix: &[u8], after: Option<&[u8]>, limit| {
        store.scan(View::Reservations, prefix, after, limit).expect("the store is up")
    };

    let p1 = key::id(Id::parse("P1").expect("a legal id"));
    assert_eq!(scan(b"", None, 10), expected);
    assert_eq!(scan(&p1, None, 10), expected[..3], "P10 is another product");
    assert_eq!(scan(&p1, Some(&expected[2].0), 10), []);
    assert_eq!(scan(&p1, Some(&[0xff]), 10), [], "behind the last key of the prefix");
    assert_eq!(scan(&p1, Some(b""), 10), expected[..3], "before the first key of the prefix");
    assert_eq!(scan(b"", Some(b"P1\0\xff"), 10), expected[3..], "behind a key that is no row's");
    assert_eq!(scan(b"\xff", None, 10), []);
    assert_eq!(scan(b"", None, 0), []);
    for limit in 1..=3 {
        let mut pages = Vec::new();
        loop {
            let after = pages.last().map(|(key, _): &(Vec<u8>, Stored)| key.clone());
            let page = scan(b"", after.as_deref(), limit);
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        assert_eq!(pages, expected, "pages of {limit}");
    }
}

fn counts(store: &dyn ViewStore) {
    let rows = |view| {
        store.flush().expect("the store is up");
        store.rows(view).expect("the store is up")
    };
    let [first, second] = [1, 2].map(|order| reservation("P1", order, false));
    apply(store, vec![first, second, warehouse("A", 1)], mark_of(1));
    assert_eq!((rows(View::Reservations), rows(View::Warehouses), rows(View::Orders)), (2, 1, 0));
    apply(store, vec![reservation("P1", 1, true), warehouse("A", 2)], mark_of(2));
    assert_eq!((rows(View::Reservations), rows(View::Warehouses)), (1, 1));
    apply(store, vec![reservation("P1", 3, false)], mark_of(3));
    apply(store, vec![reservation("P1", 3, true)], mark_of(4));
    assert_eq!(rows(View::Reservations), 1);
}
