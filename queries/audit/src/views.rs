//! The fold against the rows of a store: stock, reservations, warehouses, orders, payments.

use crate::AuditError;
use crate::inventory::{Hold, Inventory};
use crate::orders::Orders;
use crate::report::{Breach, Judge, ViewReport};
use sinks::view_store::ViewStore;
use sinks::view_store::rows::{Row, View};
use std::collections::BTreeMap;

const PAGE: usize = 10_000;

/// Compares what the store has with what the fold says; keyed and worded alike on both sides.
pub(crate) fn compare(
    views: &dyn ViewStore,
    inventory: &Inventory,
    orders: &Orders,
    judge: &mut Judge,
) -> Result<Vec<ViewReport>, AuditError> {
    let mut reports = Vec::new();
    for (view, expected) in [
        (View::Stock, stock(inventory)),
        (View::Reservations, reservations(inventory)),
        (View::Warehouses, warehouses(inventory)),
        (View::Orders, order_rows(orders)),
        (View::Payments, payments(orders)),
    ] {
        reports.push(view_report(views, view, expected, judge)?);
    }
    Ok(reports)
}

type Expected = BTreeMap<String, String>;

fn view_report(
    views: &dyn ViewStore,
    view: View,
    mut expected: Expected,
    judge: &mut Judge,
) -> Result<ViewReport, AuditError> {
    let (mut rows, mut differences, mut after) = (0, 0, None::<Vec<u8>>);
    let mut judged = |key: &str, expected: Option<&str>, found: Option<&str>| {
        differences += u64::from(expected != found);
        judge.check("I12", expected == found, || {
            let place = format!("{} {key}", view.name());
            Breach::new(&place, expected.unwrap_or("no row"), found.unwrap_or("no row"), "the end")
        });
    };
    loop {
        let page = views.scan(view, &[], after.as_deref(), PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (_, stored) in page {
            rows += 1;
            let (key, found) = worded(&stored.row);
            judged(&key, expected.remove(&key).as_deref(), Some(&found));
        }
    }
    for (key, missing) in expected {
        judged(&key, Some(&missing), None);
    }
    Ok(ViewReport { name: view.name(), rows, differences })
}

fn worded(row: &Row) -> (String, String) {
    match row {
        Row::Stock(r) => (
            format!("{} {}", r.product_id, r.warehouse_id),
            format!(
                "{} {} {} {} {} {} {}",
                r.on_hand,
                r.available,
                r.reserved,
                r.allocated,
                r.safety_stock,
                r.safety_stock_wanted,
                r.version
            ),
        ),
        Row::Reservations(r) => {
            let mut levels: Vec<_> =
                r.levels.iter().map(|l| (l.warehouse_id, i64::from(l.quantity))).collect();
            levels.sort_unstable();
            (format!("{} {}", r.product_id, r.order_id), format!("{levels:?} {:?}", r.expires_at))
        }
        Row::Warehouses(r) => {
            (r.warehouse_id.to_string(), format!("{} {} {}", r.name, r.region, r.priority))
        }
        Row::Orders(r) => (
            r.order_id.to_string(),
            format!(
                "{} {:?} {:?} {} {:?} {:?} {:?}",
                r.customer_id,
                r.state,
                r.reason,
                r.version,
                r.created_at,
                r.updated_at,
                r.lines.iter().map(|l| (l.product_id, l.quantity, l.price)).collect::<Vec<_>>()
            ),
        ),
        Row::Payments(r) => (
            r.order_id.to_string(),
            format!(
                "{:?} {} {} {} {} {}",
                r.state, r.amount, r.authorized, r.captured, r.refunded, r.voided
            ),
        ),
        Row::Products(_)
        | Row::Carts(_)
        | Row::Timeline(_)
        | Row::CustomerOrders(_)
        | Row::Rejections(_) => (String::new(), String::new()),
    }
}

fn stock(inventory: &Inventory) -> Expected {
    let rows = inventory.stock.iter().map(|((product, warehouse), level)| {
        let s = level.sums();
        let sums = [s.on_hand, s.available, s.reserved, s.allocated, s.safety_stock];
        let sums: Vec<_> = sums.iter().map(ToString::to_string).collect();
        (
            format!("{product} {warehouse}"),
            format!("{} {} {}", sums.join(" "), level.wanted, level.version),
        )
    });
    rows.collect()
}

fn reservations(inventory: &Inventory) -> Expected {
    let open = inventory.claims.iter().filter(|(_, claim)| claim.hold != Hold::Allocated);
    let rows = open.map(|((product, order), claim)| {
        let mut levels = claim.levels.clone();
        levels.sort_unstable();
        (format!("{product} {order}"), format!("{levels:?} {:?}", claim.expires_at))
    });
    rows.collect()
}

fn warehouses(inventory: &Inventory) -> Expected {
    let rows = inventory.warehouses.iter();
    rows.map(|(id, put)| (id.to_string(), format!("{} {} {}", put.name, put.region, put.priority)))
        .collect()
}

fn order_rows(orders: &Orders) -> Expected {
    let rows = orders.iter().map(|(id, order)| {
        (
            id.to_string(),
            format!(
                "{} {:?} {:?} {} {:?} {:?} {:?}",
                order.customer_id,
                order.state,
                order.reason,
                order.version,
                order.created_at,
                order.updated_at,
                order.lines.iter().map(|l| (l.product_id, l.quantity, l.price)).collect::<Vec<_>>()
            ),
        )
    });
    rows.collect()
}

fn payments(orders: &Orders) -> Expected {
    let rows = orders.iter().filter_map(|(id, order)| {
        let p = order.payment?;
        let words = format!(
            "{:?} {} {} {} {} {}",
            p.state,
            order.total(),
            p.authorized,
            p.captured,
            p.refunded,
            p.voided
        );
        Some((id.to_string(), words))
    });
    rows.collect()
}
