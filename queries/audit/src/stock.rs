//! Products: listings, stock levels and the claims on them, folded from the topic `inventory`.
//!
//! A product's events stand in the order in which they were decided, so each is judged against
//! what the product had at that very position.

use crate::claims::{Claim, End};
use crate::deadlines::Deadlines;
use crate::orders::Orders;
use crate::verdicts::{Example, Invariant, Place, Verdicts};
use schemas::events::Event;
use schemas::events::inventory::{StockAdjusted, StockReleased};
use schemas::events::lines::Level;
use schemas::events::product_actions::Listing;
use schemas::id::{OrderId, ProductId, WarehouseId};
use schemas::limits::SPLIT_MAX;
use schemas::time::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// A stock level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StockLevel {
    pub(crate) warehouse: WarehouseId,
    pub(crate) received: i64,
    pub(crate) adjusted: i64,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    /// Of the reserved units, those of orders that are still undecided.
    pub(crate) soft: i64,
    pub(crate) allocated: i64,
    pub(crate) wanted: u32,
    pub(crate) version: u64,
}

impl StockLevel {
    const fn unclaimed(&self) -> i64 {
        self.on_hand - self.reserved - self.allocated
    }

    pub(crate) fn available(&self) -> i64 {
        (self.unclaimed() - i64::from(self.wanted)).max(0)
    }

    pub(crate) fn safety_stock(&self) -> i64 {
        self.unclaimed().min(i64::from(self.wanted))
    }

    fn left_by_firm_claims(&self) -> i64 {
        (self.unclaimed() + self.soft - i64::from(self.wanted)).max(0)
    }
}

/// A listing.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) listing: Box<Listing>,
    pub(crate) listed: bool,
    pub(crate) version: u64,
    pub(crate) updated_at: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Product {
    pub(crate) listed: Option<Listed>,
    pub(crate) levels: Vec<StockLevel>,
}

impl Product {
    pub(crate) fn level(&mut self, warehouse: WarehouseId) -> &mut StockLevel {
        let at = self.levels.iter().position(|level| level.warehouse == warehouse);
        let at = at.unwrap_or_else(|| {
            let (received, adjusted, on_hand, reserved, soft, allocated) = (0, 0, 0, 0, 0, 0);
            let (wanted, version) = (0, 0);
            self.levels.push(StockLevel {
                warehouse,
                received,
                adjusted,
                on_hand,
                reserved,
                soft,
                allocated,
                wanted,
                version,
            });
            self.levels.len() - 1
        });
        &mut self.levels[at]
    }

    /// Units that a line could have if all undecided orders gave theirs back; a line is served
    /// from a limited number of warehouses.
    pub(crate) fn left_by_firm_claims(&self) -> i64 {
        let mut left: Vec<_> = self.levels.iter().map(StockLevel::left_by_firm_claims).collect();
        left.sort_unstable_by(|a, b| b.cmp(a));
        left.iter().take(SPLIT_MAX).sum()
    }
}

/// All products and claims.
#[derive(Default)]
pub(crate) struct Stock {
    pub(crate) products: HashMap<ProductId, Product>,
    pub(crate) claims: HashMap<(ProductId, OrderId), Claim>,
    /// The open reservations in the order of their view, for whoever reads it by product.
    pub(crate) open: Option<BTreeSet<(ProductId, OrderId)>>,
}

/// What a record is judged with.
pub(crate) struct Bench<'a> {
    pub(crate) place: Place,
    /// The record that it began with.
    pub(crate) began: Option<Place>,
    pub(crate) now: Timestamp,
    pub(crate) verdicts: &'a mut Verdicts,
    pub(crate) deadlines: &'a Deadlines,
}

impl Stock {
    /// Takes in an event of the topic `inventory`; gives the order it touches.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the caller's topic has no others")]
    pub(crate) fn fold(
        &mut self,
        event: Event,
        orders: &Orders,
        bench: &mut Bench<'_>,
    ) -> Option<OrderId> {
        match event {
            Event::ProductListed(e) => {
                self.list(e.product_id, e.version, Some(e.listing), bench);
                None
            }
            Event::ProductDelisted(e) => {
                self.list(e.product_id, e.version, None, bench);
                None
            }
            Event::StockReceived(e) => {
                let level = self.counted(e.product_id, e.warehouse_id, e.version, bench);
                level.received += i64::from(e.quantity);
                level.on_hand += i64::from(e.quantity);
                None
            }
            Event::StockAdjusted(e) => {
                self.adjust(&e, bench);
                None
            }
            Event::SafetyStockChanged(e) => {
                self.counted(e.product_id, e.warehouse_id, e.version, bench).wanted =
                    e.safety_stock;
                None
            }
            Event::StockReserved(e) => {
                let order = e.order_id;
                self.reserve(e, orders, bench);
                Some(order)
            }
            Event::ReservationSecured(e) => {
                self.secure(e.product_id, e.order_id, bench);
                Some(e.order_id)
            }
            Event::StockRefused(e) => {
                self.refuse(&e, orders, bench);
                Some(e.order_id)
            }
            Event::StockAllocated(e) => {
                self.allocate(&e, bench);
                Some(e.order_id)
            }
            Event::StockReleased(StockReleased { product_id, order_id, quantity, allocated }) => {
                self.end(product_id, order_id, End::Released { quantity, allocated }, bench);
                Some(order_id)
            }
            Event::ReservationExpired(e) => {
                let end = End::Expired { quantity: e.quantity };
                self.end(e.product_id, e.order_id, end, bench);
                Some(e.order_id)
            }
            Event::ReservationRevoked(e) => {
                let end = End::Revoked { quantity: e.quantity };
                self.end(e.product_id, e.order_id, end, bench);
                Some(e.order_id)
            }
            Event::AllocationShorted(e) => {
                self.short(&e, bench);
                Some(e.order_id)
            }
            _ => None,
        }
    }

    fn list(
        &mut self,
        id: ProductId,
        version: u64,
        listing: Option<Box<Listing>>,
        bench: &mut Bench<'_>,
    ) {
        let product = self.products.entry(id).or_default();
        let next = product.listed.as_ref().map_or(0, |listed| listed.version) + 1;
        bench.verdicts.same(
            Invariant::I13,
            Some(bench.place),
            || format!("listing {id}"),
            &next,
            &version,
        );
        let updated_at = bench.now;
        match (listing, &mut product.listed) {
            (Some(listing), listed) => {
                *listed = Some(Listed { listing, listed: true, version, updated_at });
            }
            (None, Some(listed)) => {
                (listed.listed, listed.version, listed.updated_at) = (false, version, updated_at);
            }
            (None, None) => {}
        }
    }

    /// The level that a seller's change concerns, with its new version.
    fn counted(
        &mut self,
        product: ProductId,
        warehouse: WarehouseId,
        version: u64,
        bench: &mut Bench<'_>,
    ) -> &mut StockLevel {
        let level = self.products.entry(product).or_default().level(warehouse);
        bench.verdicts.same(
            Invariant::I13,
            Some(bench.place),
            || format!("level {product} at {warehouse}"),
            &(level.version + 1),
            &version,
        );
        level.version = version;
        level
    }

    fn adjust(&mut self, e: &StockAdjusted, bench: &mut Bench<'_>) {
        let level = self.counted(e.product_id, e.warehouse_id, e.version, bench);
        let change = e.asked.max(-level.on_hand);
        bench.verdicts.same(
            Invariant::I1,
            Some(bench.place),
            || format!("{} at {}", e.product_id, e.warehouse_id),
            &change,
            &e.change,
        );
        level.adjusted += e.change;
        level.on_hand += e.change;
        self.look(e.product_id, &[Level { warehouse_id: e.warehouse_id, quantity: 0 }], bench);
    }

    /// No sum below zero, and no unit claimed that is not there.
    pub(crate) fn look(&mut self, product: ProductId, levels: &[Level], bench: &mut Bench<'_>) {
        let stock = self.products.entry(product).or_default();
        for Level { warehouse_id, .. } in levels {
            let level = *stock.level(*warehouse_id);
            let sums = [level.on_hand, level.reserved, level.soft, level.allocated];
            let holds = sums.iter().all(|sum| *sum >= 0) && level.unclaimed() >= 0;
            bench.verdicts.check(Invariant::I2, holds, || {
                let key = format!("{product} at {warehouse_id}");
                Example::new(key, "nothing below zero", format!("{level:?}"), Some(bench.place))
            });
        }
    }

    /// At the end of the log: units are conserved, and sums are those of the claims.
    pub(crate) fn close(&self, verdicts: &mut Verdicts) {
        let mut sums: HashMap<(ProductId, WarehouseId), (i64, i64)> = HashMap::new();
        for ((product, _), claim) in &self.claims {
            for Level { warehouse_id, quantity } in claim.levels.levels() {
                let (reserved, allocated) = sums.entry((*product, *warehouse_id)).or_default();
                *(if claim.allocated { allocated } else { reserved }) += i64::from(*quantity);
            }
        }
        for (id, product) in &self.products {
            for level in &product.levels {
                let key = || format!("{id} at {}", level.warehouse);
                let counted = level.received + level.adjusted;
                let shown =
                    level.available() + level.reserved + level.allocated + level.safety_stock();
                let expected = (level.on_hand, level.on_hand);
                verdicts.same(Invariant::I1, None, key, &expected, &(counted, shown));
                let claimed = sums.remove(&(*id, level.warehouse)).unwrap_or_default();
                let found = (level.reserved, level.allocated);
                verdicts.same(Invariant::I3, None, key, &claimed, &found);
            }
        }
    }
}
