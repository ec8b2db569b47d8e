//! What the embedded store promises beyond the port: crashes, and levels against a model.

use super::writer::FRESH_ROWS_MAX;
use super::*;
use crate::view_store::conformance::{self, mark_of, reservation, warehouse};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::mem;
use std::path::PathBuf;

/// Never by itself: only tests say when.
const NEVER: Duration = Duration::MAX;

fn open(dir: &Path) -> EmbeddedViews {
    EmbeddedViews::open_writing_every(dir, NEVER).unwrap()
}

/// Everything a reader can see, and the mark.
fn seen(views: &EmbeddedViews) -> (Mark, Vec<(Vec<u8>, Stored)>) {
    let rows = [View::Reservations, View::Warehouses]
        .iter()
        .flat_map(|view| views.scan(*view, b"", None, usize::MAX).unwrap())
        .collect();
    ((**views.marks().borrow()).clone(), rows)
}

/// The directory as a crash leaves it now.
fn crash_image(of: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                fs::create_dir(&to).unwrap();
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let image = tempfile::tempdir().unwrap();
    copy(of, image.path());
    image
}

fn journal(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "jnl")).max().unwrap()
}

#[test]
fn passes_the_conformance_suite() {
    let mut dirs = Vec::new();
    conformance::check_all(&mut || {
        let dir = tempfile::tempdir().unwrap();
        let views = Arc::new(EmbeddedViews::open(dir.path()).unwrap());
        dirs.push(dir);
        views
    });
}

#[test]
fn what_was_applied_is_there_after_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path());
    views.apply(vec![warehouse("A", 1), reservation("P", 1, false)], mark_of(1)).unwrap();
    views.apply(vec![warehouse("A", 2), warehouse("B", 2)], mark_of(2)).unwrap();
    let before = seen(&views);
    drop(views);
    let views = open(dir.path());
    assert_eq!(seen(&views), before);
    assert_eq!((views.rows(View::Warehouses).unwrap(), views.rows(View::Carts).unwrap()), (2, 0));
}

#[test]
fn a_crash_keeps_what_was_flushed_and_loses_later_epochs_whole() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path());
    views.apply(vec![warehouse("A", 1), reservation("P", 1, false)], mark_of(1)).unwrap();
    views.flush().unwrap();
    let flushed = seen(&views);
    views.apply(vec![warehouse("A", 2), reservation("P", 1, true)], mark_of(2)).unwrap();
    let image = crash_image(dir.path());
    assert_eq!(seen(&open(image.path())), flushed);
}

#[test]
fn a_batch_torn_anywhere_leaves_the_epoch_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path());
    views.apply(vec![warehouse("A", 1), reservation("P", 1, false)], mark_of(1)).unwrap();
    views.flush().unwrap();
    let before = (seen(&views), views.rows(View::Reservations).unwrap());
    let bytes = |image: &Path| fs::read(journal(image)).unwrap();
    let first = bytes(crash_image(dir.path()).path());
    views.apply(vec![warehouse("A", 2), reservation("P", 1, true)], mark_of(2)).unwrap();
    views.flush().unwrap();
    let after = (seen(&views), views.rows(View::Reservations).unwrap());
    let image = crash_image(dir.path());
    let second = bytes(image.path());
    let begins = first.iter().zip(&second).position(|(a, b)| a != b).unwrap_or(first.len());
    let ends = second.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(begins < ends);
    drop(image);

    for cut in (begins..ends).step_by(7).chain([ends]) {
        let image = crash_image(dir.path());
        let file = OpenOptions::new().write(true).open(journal(image.path())).unwrap();
        file.set_len(cut as u64).unwrap();
        let views = open(image.path());
        let found = (seen(&views), views.rows(View::Reservations).unwrap());
        assert_eq!(found, if cut == ends { after.clone() } else { before.clone() }, "cut at {cut}");
    }
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let _views = open(dir.path());
    assert!(
        matches!(EmbeddedViews::open(dir.path()), Err(OpenError::InUse(found)) if found == dir.path())
    );
}

#[test]
fn an_applier_waits_while_memory_is_full_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let views = open(dir.path());
    let epochs = 5;
    let rows_each = FRESH_ROWS_MAX / 2 + 1;
    for epoch in 1..=epochs {
        let rows = (0..rows_each).map(|n| warehouse(&format!("{epoch}-{n}"), 1)).collect();
        views.apply(rows, mark_of(epoch)).unwrap();
        let waiting = views.shared.read().fresh.len();
        assert!(waiting <= FRESH_ROWS_MAX + rows_each, "{waiting} rows in memory");
    }
    views.flush().unwrap();
    assert_eq!(views.rows(View::Warehouses).unwrap(), epochs * rows_each as u64);
}

/// (product, order, over) triples: one apply.
type Rows = Vec<(u8, u8, bool)>;

fn some_rows() -> impl Strategy<Value = Rows> {
    prop::collection::vec((0..3u8, 0..4u8, any::<bool>()), 0..8)
}

fn apply(views: &EmbeddedViews, model: &mut BTreeMap<Vec<u8>, Stored>, rows: &Rows, epoch: u64) {
    let rows = rows.iter().map(|(product, order, over)| {
        let row = reservation(&format!("P{product}"), *order, *over);
        (row.key(), row)
    });
    let rows: BTreeMap<_, _> = rows.collect();
    for (key, row) in &rows {
        let stored = Stored { version: mark_of(epoch).version(), row: row.clone() };
        if row.is_deleted() {
            model.remove(key)
        } else {
            model.insert(key.clone(), stored)
        };
    }
    views.apply(rows.into_values().collect(), mark_of(epoch)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Rows on disk, rows being written and fresh ones read as their fold, and so does what is
    /// opened again.
    #[test]
    fn levels_read_as_one(
        history in prop::collection::vec(some_rows(), 1..6),
        writing in some_rows(),
        fresh in some_rows(),
        limit in 0..6usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let views = open(dir.path());
        let mut model = BTreeMap::new();
        let mut epoch = 0;
        for rows in &history {
            epoch += 1;
            apply(&views, &mut model, rows, epoch);
            if epoch % 2 == 1 {
                views.flush().unwrap();
                prop_assert_eq!(views.rows(View::Reservations).unwrap(), model.len() as u64);
            }
        }
        views.flush().unwrap();
        // As if the thread were in the middle of its batch.
        apply(&views, &mut model, &writing, epoch + 1);
        {
            let mut levels = views.shared.write();
            levels.writing = Arc::new(mem::take(&mut levels.fresh));
        }
        apply(&views, &mut model, &fresh, epoch + 2);

        let keys = (0..3u8).flat_map(|product| (0..4u8).map(move |order| (product, order)));
        for (product, order) in keys {
            let key = reservation(&format!("P{product}"), order, false).key();
            let found = views.get(View::Reservations, &key).unwrap();
            prop_assert_eq!(found.as_ref(), model.get(&key));
            let prefixes: [&[u8]; 4] = [b"", b"P", &key[..3], &key];
            for prefix in prefixes {
                for after in [None, Some(key.as_slice())] {
                    let expected: Vec<_> = model
                        .iter()
                        .filter(|(key, _)| key.starts_with(prefix))
                        .filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after))
                        .take(limit)
                        .map(|(key, stored)| (key.clone(), stored.clone()))
                        .collect();
                    let found = views.scan(View::Reservations, prefix, after, limit).unwrap();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
