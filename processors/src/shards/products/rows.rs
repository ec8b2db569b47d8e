//! The rows that changed in an epoch, each written once and whole from the state at its end.

use super::Products;
use super::product::Product;
use crate::shards::changes::Changes;
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
    /// Claims that are there, each once, unless its place was given to another meanwhile.
    pub(super) claims: Vec<u32>,
    /// Product and order of claims that ended; a paid order may have claimed again since.
    pub(super) ended: Vec<(u32, OrderId)>,
    pub(super) rejections: Vec<(ActionId, Reason)>,
    pub(super) warehouses: BTreeSet<WarehouseId>,
    /// Products that changed since they were last saved.
    pub(super) unsaved: Changes,
}

impl Changed {
    /// To be called before the product is marked.
    pub(super) fn product(&mut self, at: u32, product: &Product) {
        self.unsaved.mark(at);
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
        self.take_reservations(rows);
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
        for at in self.changed.products.drain(..) {
            let product = self.products.get_mut(at);
            (product.row_changed, product.levels_changed) = (false, 0);
        }
        for at in self.changed.claims.drain(..) {
            self.claims.unmark(at);
        }
        self.changed.ended.clear();
        self.changed.rejections.clear();
        self.changed.warehouses.clear();
    }

    /// Each reservation once: as it stands, or as ended.
    fn take_reservations(&mut self, rows: &mut Vec<Row>) {
        let mut ended = std::mem::take(&mut self.changed.ended);
        ended.sort_unstable();
        ended.dedup();
        let mut changed = std::mem::take(&mut self.changed.claims);
        for at in changed.drain(..) {
            if !self.claims.unmark(at) {
                continue;
            }
            let entry = self.claims.get(at);
            let (product, order_id) = (entry.product, entry.order);
            if let Ok(again) = ended.binary_search(&(product, order_id)) {
                ended.remove(again);
            }
            let (levels, expires_at, ended) = match entry.claim() {
                Claim::Reserved(held) => (held.levels.levels().to_vec(), held.expires_at, false),
                Claim::Waiting(_) | Claim::Allocated { .. } => {
                    (Vec::new(), Timestamp::default(), true)
                }
            };
            let product_id = self.products.get(product).id;
            rows.push(ReservationRow { product_id, order_id, levels, expires_at, ended }.into());
        }
        self.changed.claims = changed;
        for (product, order_id) in ended.drain(..) {
            let product_id = self.products.get(product).id;
            let (levels, expires_at) = (Vec::new(), Timestamp::default());
            rows.push(
                ReservationRow { product_id, order_id, levels, expires_at, ended: true }.into(),
            );
        }
        self.changed.ended = ended;
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
