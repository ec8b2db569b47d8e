//! The topic `inventory`, folded: stock levels and claims by product.

use crate::Output;
use crate::report::{Breach, Judge};
use schemas::events::Event;
use schemas::events::inventory::{StockRefused, StockReserved};
use schemas::events::lines::Split;
use schemas::events::orders::Reason;
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::id::{OrderId, ProductId, WarehouseId};
use schemas::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Soft,
    Firm,
    Allocated,
}

/// What an order holds of a product.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) levels: Vec<(WarehouseId, i64)>,
    pub(crate) hold: Hold,
    pub(crate) expires_at: Timestamp,
}

/// One product in one warehouse, counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) received: i64,
    pub(crate) adjusted: i64,
    pub(crate) reserved: i64,
    pub(crate) allocated: i64,
    pub(crate) wanted: u32,
    pub(crate) version: u64,
}

/// The five sums of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) on_hand: i64,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) allocated: i64,
    pub(crate) safety_stock: i64,
}

impl Level {
    pub(crate) fn sums(&self) -> Sums {
        let on_hand = self.received + self.adjusted;
        let free = on_hand - self.reserved - self.allocated;
        let safety_stock = free.clamp(0, i64::from(self.wanted));
        let available = free - safety_stock;
        Sums {
            on_hand,
            available,
            reserved: self.reserved,
            allocated: self.allocated,
            safety_stock,
        }
    }
}

/// Everything counted.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) stock: BTreeMap<(ProductId, WarehouseId), Level>,
    pub(crate) claims: HashMap<(ProductId, OrderId), Claim>,
    pub(crate) warehouses: BTreeMap<WarehouseId, WarehousePutRequested>,
    by_product: HashMap<ProductId, Vec<WarehouseId>>,
    soft: HashMap<ProductId, i64>,
}

impl Inventory {
    pub(crate) fn levels(&self) -> impl Iterator<Item = &Level> {
        self.stock.values()
    }

    pub(crate) fn warehouse(&mut self, put: WarehousePutRequested) {
        self.warehouses.insert(put.warehouse_id, put);
    }

    fn level(&mut self, product: ProductId, warehouse: WarehouseId) -> &mut Level {
        self.stock.entry((product, warehouse)).or_insert_with(|| {
            self.by_product.entry(product).or_default().push(warehouse);
            Level::default()
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only these events count units")]
    pub(crate) fn take(&mut self, output: &Output<'_>, judge: &mut Judge) {
        match output.event {
            Event::StockReceived(e) => {
                let level = self.level(e.product_id, e.warehouse_id);
                level.received += i64::from(e.quantity);
                level.version = e.version;
            }
            Event::StockAdjusted(e) => {
                let level = self.level(e.product_id, e.warehouse_id);
                level.adjusted += e.change;
                level.version = e.version;
            }
            Event::SafetyStockChanged(e) => {
                let level = self.level(e.product_id, e.warehouse_id);
                level.wanted = e.safety_stock;
                level.version = e.version;
            }
            Event::StockReserved(e) => self.reserved(e, output, judge),
            Event::ReservationSecured(e) => {
                let key = (e.product_id, e.order_id);
                let soft = self.claims.get(&key).is_some_and(|claim| claim.hold == Hold::Soft);
                judge.check("I4", soft, || missing(&e.order_id, output));
                self.hold(key, Hold::Firm);
            }
            Event::StockAllocated(e) => {
                let key = (e.product_id, e.order_id);
                let open = self.claims.get(&key).is_some_and(|claim| claim.hold != Hold::Allocated);
                judge.check("I4", open, || missing(&e.order_id, output));
                self.hold(key, Hold::Allocated);
            }
            Event::StockReleased(e) => {
                self.ended((e.product_id, e.order_id), Some(e.allocated), output, judge);
            }
            Event::ReservationRevoked(e) => {
                self.ended((e.product_id, e.order_id), Some(false), output, judge);
            }
            Event::ReservationExpired(e) => {
                let key = (e.product_id, e.order_id);
                let due = self.claims.get(&key).map_or(Timestamp::MIN, |claim| claim.expires_at);
                judge.check("I5", output.now >= due, || {
                    Breach::new(&e.order_id, due.rfc3339(), output.now.rfc3339(), &output.position)
                });
                self.ended(key, Some(false), output, judge);
            }
            Event::AllocationShorted(e) => {
                let quantity = i64::from(e.quantity);
                if let Some(claim) = self.claims.get_mut(&(e.product_id, e.order_id)) {
                    for (warehouse, held) in &mut claim.levels {
                        *held -= if *warehouse == e.warehouse_id { quantity } else { 0 };
                    }
                }
                self.level(e.product_id, e.warehouse_id).allocated -= quantity;
            }
            Event::StockRefused(e) if e.reason == Reason::OutOfStock => {
                self.refused(*e, output, judge);
            }
            _ => {}
        }
        self.check_sums(output, judge);
    }

    fn reserved(&mut self, e: &StockReserved, output: &Output<'_>, judge: &mut Judge) {
        let key = (e.product_id, e.order_id);
        judge.check("I4", !self.claims.contains_key(&key), || {
            Breach::new(&e.order_id, "no claim yet", "a second reservation", &output.position)
        });
        let levels: Vec<_> = Split::levels(&e.levels)
            .iter()
            .map(|level| (level.warehouse_id, i64::from(level.quantity)))
            .collect();
        for (warehouse, quantity) in &levels {
            self.level(e.product_id, *warehouse).reserved += quantity;
        }
        if !e.firm {
            *self.soft.entry(e.product_id).or_default() += sum(&levels);
        }
        let hold = if e.firm { Hold::Firm } else { Hold::Soft };
        self.claims.insert(key, Claim { levels, hold, expires_at: e.expires_at });
    }

    fn hold(&mut self, key: (ProductId, OrderId), hold: Hold) {
        let Some(claim) = self.claims.get_mut(&key) else { return };
        let before = std::mem::replace(&mut claim.hold, hold);
        let levels = claim.levels.clone();
        if before == Hold::Soft {
            *self.soft.entry(key.0).or_default() -= sum(&levels);
        }
        if hold == Hold::Allocated {
            for (warehouse, quantity) in levels {
                let level = self.level(key.0, warehouse);
                level.reserved -= quantity;
                level.allocated += quantity;
            }
        }
    }

    fn ended(
        &mut self,
        key: (ProductId, OrderId),
        allocated: Option<bool>,
        output: &Output<'_>,
        judge: &mut Judge,
    ) {
        let claim = self.claims.remove(&key);
        let fits = claim.as_ref().map(|claim| claim.hold == Hold::Allocated);
        judge.check("I4", fits.is_some() && fits == allocated, || missing(&key.1, output));
        let Some(claim) = claim else { return };
        if claim.hold == Hold::Soft {
            *self.soft.entry(key.0).or_default() -= sum(&claim.levels);
        }
        for (warehouse, quantity) in claim.levels {
            let level = self.level(key.0, warehouse);
            match claim.hold {
                Hold::Soft | Hold::Firm => level.reserved -= quantity,
                Hold::Allocated => level.allocated -= quantity,
            }
        }
    }

    /// What firm claims alone leave of a product.
    fn refused(&self, e: StockRefused, output: &Output<'_>, judge: &mut Judge) {
        let warehouses = self.by_product.get(&e.product_id).into_iter().flatten();
        let available: i64 =
            warehouses.map(|w| self.stock[&(e.product_id, *w)].sums().available).sum();
        let left = available + self.soft.get(&e.product_id).copied().unwrap_or(0);
        judge.check("I7", left < i64::from(e.asked), || {
            let expected = format!("fewer than {} left by firm claims", e.asked);
            Breach::new(&e.product_id, expected, left, &output.position)
        });
    }

    /// I1 and I2 of the level that an event may have touched.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these events move units at one place")]
    fn check_sums(&self, output: &Output<'_>, judge: &mut Judge) {
        let touched: Vec<_> = match output.event {
            Event::StockAdjusted(e) => vec![(e.product_id, e.warehouse_id)],
            Event::AllocationShorted(e) => vec![(e.product_id, e.warehouse_id)],
            Event::StockReserved(e) => {
                e.levels.levels().iter().map(|l| (e.product_id, l.warehouse_id)).collect()
            }
            _ => return,
        };
        for key in touched {
            let Some(level) = self.stock.get(&key) else { continue };
            let s = level.sums();
            // An adjustment's own event stands before those of the claims that it takes.
            let taken = matches!(output.event, Event::StockReserved(_));
            let least = if taken { s.available.min(s.reserved).min(s.allocated) } else { 0 };
            judge.check("I2", s.on_hand >= 0 && least >= 0, || {
                Breach::new(&key.0, "no sum below zero", format!("{s:?}"), &output.position)
            });
        }
    }

    /// What must hold when all is read: I1, I2 and I3 of every level.
    pub(crate) fn judge_end(&self, judge: &mut Judge) {
        let mut claimed: HashMap<(ProductId, WarehouseId), (i64, i64)> = HashMap::new();
        for ((product, _), claim) in &self.claims {
            for (warehouse, quantity) in &claim.levels {
                let (reserved, allocated) = claimed.entry((*product, *warehouse)).or_default();
                *(if claim.hold == Hold::Allocated { allocated } else { reserved }) += quantity;
            }
        }
        for (key, level) in &self.stock {
            let s = level.sums();
            let found = format!("{s:?}");
            let whole = s.available + s.reserved + s.allocated + s.safety_stock;
            let end = "the end";
            judge.check("I1", s.on_hand == whole, || Breach::new(&key.0, whole, s.on_hand, end));
            let least = s.available.min(s.reserved).min(s.allocated).min(s.on_hand);
            judge.check("I2", least >= 0, || Breach::new(&key.0, "no sum below zero", &found, end));
            let claims = claimed.get(key).copied().unwrap_or_default();
            judge.check("I3", claims == (s.reserved, s.allocated), || {
                Breach::new(&key.0, format!("{claims:?}"), &found, end)
            });
        }
    }
}

fn sum(levels: &[(WarehouseId, i64)]) -> i64 {
    levels.iter().map(|(_, quantity)| quantity).sum()
}

fn missing(order: &OrderId, output: &Output<'_>) -> Breach {
    Breach::new(order, "one open claim", output.event.kind().name(), &output.position)
}
