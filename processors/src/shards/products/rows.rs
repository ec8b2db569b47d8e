//! The rows that changed in an epoch, each written once and whole from the state at its end.

use super::Products;
use super::product::Product;
use machines::inventory::bit;
use machines::message::Context;
use machines::reservation::Claim;
use schemas::events::orders::Reason;
use schemas::id::{ActionId, OrderId, WarehouseId};
use schemas::time::Timestamp;
use sinks::view_store::rows::{ProductRow, RejectionRow, ReservationRow, Row, StockRow};
use std::collections::BTreeSet;

/// What changed since rows were last taken.
#[derive(Debug, Default)]
pub(super) struct Changed {
    products: Vec<u32>,
    pub(super) reservations: Vec<(u32, OrderId)>,
    pub(super) rejections: Vec<(ActionId, Reason)>,
    pub(super) warehouses: BTreeSet<WarehouseId>,
}

impl Changed {
    /// To be called before the product is marked.
    pub(super) fn product(&mut self, at: u32, product: &Product) {
        if !product.row_changed && product.levels_changed == 0 {
            self.products.push(at);
        }
    }
}

impl Products {
    /// Takes the rows that changed since the last call, each key once. Not called when views are
    /// off; then [`Products::forget_rows`] is.
    pub fn take_rows(&mut self, _context: &Context, rows: &mut Vec<Row>) {
        for at in std::mem::take(&mut self.changed.products) {
            let product = self.products.get_mut(at);
            product_rows(product, rows);
            (product.row_changed, product.levels_changed) = (false, 0);
        }
        let mut reservations = std::mem::take(&mut self.changed.reservations);
        reservations.sort_unstable();
        reservations.dedup();
        rows.extend(reservations.into_iter().map(|(at, order)| self.reservation_row(at, order)));
        let mut rejections = std::mem::take(&mut self.changed.rejections);
        rejections.sort_unstable();
        rejections.dedup_by_key(|(action, _)| *action);
        rows.extend(rejections.into_iter().map(|(action_id, reason)| {
            Row::from(RejectionRow { action_id, reason, order_id: None })
        }));
        for id in std::mem::take(&mut self.changed.warehouses) {
            rows.extend(self.owned.rows.get(&id).cloned().map(Row::from));
        }
    }

    /// Drops the record of what changed.
    pub fn forget_rows(&mut self) {
        for at in std::mem::take(&mut self.changed.products) {
            let product = self.products.get_mut(at);
            (product.row_changed, product.levels_changed) = (false, 0);
        }
        self.changed = Changed::default();
    }

    fn reservation_row(&self, at: u32, order_id: OrderId) -> Row {
        let claim = self.claims.find(at, order_id).map(|claim| self.claims.get(claim).claim());
        let (levels, expires_at, ended) = match claim {
            Some(Claim::Reserved(held)) => (held.levels.levels().to_vec(), held.expires_at, false),
            Some(Claim::Waiting(_) | Claim::Allocated { .. }) | None => {
                (Vec::new(), Timestamp::default(), true)
            }
        };
        let product_id = self.products.get(at).id;
        ReservationRow { product_id, order_id, levels, expires_at, ended }.into()
    }
}

fn product_rows(product: &Product, rows: &mut Vec<Row>) {
    if let (true, Some(listing)) = (product.row_changed, &product.listing) {
        rows.push(Row::from(ProductRow {
            product_id: product.id,
            listing: listing.listing(),
            listed: listing.listed,
            version: listing.version,
            updated_at: listing.updated_at,
        }));
    }
    for (place, level) in product.stock.levels().iter().enumerate() {
        if product.levels_changed & bit(place) == 0 {
            continue;
        }
        rows.push(Row::from(StockRow {
            product_id: product.id,
            warehouse_id: level.warehouse,
            on_hand: i64::from(level.on_hand),
            available: i64::from(level.available()),
            reserved: i64::from(level.reserved),
            allocated: i64::from(level.allocated),
            safety_stock: i64::from(level.safety_stock()),
            safety_stock_wanted: level.safety_stock_wanted,
            version: u64::from(level.version),
        }));
    }
}
