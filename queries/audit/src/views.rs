//! Every row of every view against the fold, as of the store's mark.

use crate::AuditError;
use crate::epoch::Epoch;
use crate::fold::Fold;
use crate::report::ViewReport;
use crate::timeline::timeline_hash;
use crate::verdicts::{Example, Invariant, Verdicts};
use schemas::hash::Hasher;
use schemas::id::{ProductId, WarehouseId};
use sinks::view_store::rows::{Row, View};
use sinks::view_store::{Mark, Stored, ViewStore};
use std::collections::HashMap;

/// Rows that are read together.
const PAGE: usize = 8_192;
/// Seeds the hash of a row.
const ROW: u64 = 10;

/// The mark is that of the epoch on the log.
pub(crate) fn check_mark(mark: &Mark, epoch: &Epoch, verdicts: &mut Verdicts) {
    let expected = (epoch.era, epoch.hash, epoch.now, &epoch.applied);
    let found = (mark.era, mark.plan_hash, mark.now, &mark.applied);
    let key = || format!("mark of epoch {}", epoch.number);
    verdicts.same(Invariant::I12, None, key, &expected, &found);
}

/// Compares all views with the fold, which is that of the mark's epoch.
pub(crate) fn compare(
    fold: &Fold,
    store: &dyn ViewStore,
    mark: &Mark,
    verdicts: &mut Verdicts,
) -> Result<Vec<ViewReport>, AuditError> {
    let mut sums = Sums::default();
    let mut reports = Vec::new();
    for view in View::ALL {
        reports.push(one(fold, store, *view, mark, &mut sums, verdicts)?);
    }
    sums.close(verdicts);
    Ok(reports)
}

fn one(
    fold: &Fold,
    store: &dyn ViewStore,
    view: View,
    mark: &Mark,
    sums: &mut Sums,
    verdicts: &mut Verdicts,
) -> Result<ViewReport, AuditError> {
    let mut report = ViewReport { name: view.name(), rows: 0, differences: 0 };
    let mut matched = 0_u64;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(view, b"", after.as_deref(), PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, Stored { version, row }) in page {
            report.rows += 1;
            sums.add(&row, verdicts);
            let (expected, same) = expected(fold, &row);
            matched += u64::from(expected.is_some());
            let holds = same && row.key() == key && version <= mark.version();
            report.differences += u64::from(!holds);
            verdicts.check(Invariant::I12, holds, || {
                let expected = expected.unwrap_or_else(|| "no row".to_owned());
                let found = format!("{row:?} of version {version}");
                Example::new(format_args!("{} {}", view.name(), name(&row)), expected, found, None)
            });
        }
    }
    if matched < count(fold, view) {
        report.differences += missing(fold, store, view, verdicts)?;
    }
    Ok(report)
}

/// What must stand in the place of `row`, and whether it does.
fn expected(fold: &Fold, row: &Row) -> (Option<String>, bool) {
    if let Row::Timeline(row) = row {
        let Some(hash) = fold.orders.timeline.get(&(row.order_id, row.epoch)) else {
            return (None, false);
        };
        let told = "the entries that the topic orders tells of this epoch".to_owned();
        return (Some(told), *hash == timeline_hash(&row.entries));
    }
    let counterpart = fold.counterpart(row);
    let same = counterpart.as_ref() == Some(row);
    (counterpart.map(|row| if same { String::new() } else { format!("{row:?}") }), same)
}

fn count(fold: &Fold, view: View) -> u64 {
    if view == View::Timeline {
        return fold.orders.timeline.len() as u64;
    }
    let mut rows = 0;
    fold.rows(view, &mut |_| rows += 1);
    rows
}

/// Names the rows that the view lacks.
fn missing(
    fold: &Fold,
    store: &dyn ViewStore,
    view: View,
    verdicts: &mut Verdicts,
) -> Result<u64, AuditError> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    if view == View::Timeline {
        let key = |(order, epoch): &(_, u64)| sinks::view_store::key::order_epoch(*order, *epoch);
        keys.extend(fold.orders.timeline.keys().map(key));
    } else {
        fold.rows(view, &mut |row| keys.push(row.key()));
    }
    let mut missing = 0;
    for key in keys {
        if store.get(view, &key)?.is_none() {
            missing += 1;
            verdicts.check(Invariant::I12, false, || {
                let shown = String::from_utf8_lossy(&key).replace('\0', " ");
                Example::new(format_args!("{} {shown}", view.name()), "a row", "none", None)
            });
        }
    }
    Ok(missing)
}

fn name(row: &Row) -> String {
    match row {
        Row::Products(row) => row.product_id.to_string(),
        Row::Stock(row) => format!("{} at {}", row.product_id, row.warehouse_id),
        Row::Reservations(row) => format!("{} of {}", row.product_id, row.order_id),
        Row::Warehouses(row) => row.warehouse_id.to_string(),
        Row::Carts(row) => row.customer_id.to_string(),
        Row::Orders(row) => row.order_id.to_string(),
        Row::Timeline(row) => format!("{} epoch {}", row.order_id, row.epoch),
        Row::CustomerOrders(row) => format!("{} {}", row.customer_id, row.order_id),
        Row::Payments(row) => row.order_id.to_string(),
        Row::Rejections(row) => row.action_id.to_string(),
    }
}

/// What the views' own rows say of each other: reserved against the reservations.
#[derive(Default)]
struct Sums {
    /// Reserved by the stock level, less the reservations'.
    open: HashMap<(ProductId, WarehouseId), i64>,
}

impl Sums {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only stock has sums")]
    fn add(&mut self, row: &Row, verdicts: &mut Verdicts) {
        match row {
            Row::Stock(row) => {
                *self.open.entry((row.product_id, row.warehouse_id)).or_default() += row.reserved;
                let key = || format!("view stock, {} at {}", row.product_id, row.warehouse_id);
                let parts = row.available + row.reserved + row.allocated + row.safety_stock;
                verdicts.same(Invariant::I1, None, key, &row.on_hand, &parts);
                let all =
                    [row.on_hand, row.available, row.reserved, row.allocated, row.safety_stock];
                verdicts.check(Invariant::I2, all.iter().all(|sum| *sum >= 0), || {
                    Example::new(key(), "nothing below zero", format!("{row:?}"), None)
                });
            }
            Row::Reservations(row) => {
                for level in &row.levels {
                    let at = (row.product_id, level.warehouse_id);
                    *self.open.entry(at).or_default() -= i64::from(level.quantity);
                }
            }
            _ => {}
        }
    }

    fn close(self, verdicts: &mut Verdicts) {
        for ((product, warehouse), open) in self.open {
            verdicts.check(Invariant::I3, open == 0, || {
                let key = format!("view stock, {product} at {warehouse}");
                let found = format!("{open} more than its reservations");
                Example::new(key, "reserved is the sum of the reservations", found, None)
            });
        }
    }
}

/// A hash over all rows, in whatever order: two logs with the same story have the same.
pub(crate) fn digest(fold: &Fold) -> String {
    let mut sum = 0_u64;
    for view in View::ALL {
        fold.rows(*view, &mut |row| {
            let text = serde_json::to_vec(&row).expect("rows have text keys: JSON takes them");
            sum = sum.wrapping_add(Hasher::new(ROW).bytes(&text).finish());
        });
    }
    for ((order, epoch), entries) in &fold.orders.timeline {
        let row = Hasher::new(ROW).bytes(&order.to_bytes()).word(*epoch).word(entries.finish());
        sum = sum.wrapping_add(row.finish());
    }
    format!("{sum:016x}")
}
