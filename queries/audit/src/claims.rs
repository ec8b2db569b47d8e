//! Claims of orders on products: reserved, refused, allocated, given back, each judged at its
//! position.

use crate::orders::Orders;
use crate::stock::{Bench, Product, Stock};
use crate::verdicts::{Example, Invariant};
use schemas::events::inventory::{AllocationShorted, StockAllocated, StockRefused, StockReserved};
use schemas::events::lines::{Level, Split};
use schemas::events::orders::Reason;
use schemas::id::{OrderId, ProductId};
use schemas::time::Timestamp;

/// What an order has of a product.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) levels: Split,
    pub(crate) expires_at: Timestamp,
    pub(crate) soft: bool,
    pub(crate) allocated: bool,
    /// Units of the allocation that adjustments took.
    pub(crate) short: u32,
}

/// How a claim ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Released { quantity: u32, allocated: bool },
    Expired { quantity: u32 },
    Revoked { quantity: u32 },
}

impl Stock {
    pub(crate) fn reserve(&mut self, e: StockReserved, orders: &Orders, bench: &mut Bench<'_>) {
        let key = || format!("{} of {}", e.product_id, e.order_id);
        let place = Some(bench.place);
        let asked = orders.line(e.order_id, e.product_id);
        let product = self.products.entry(e.product_id).or_default();
        let of_paid = e.expires_at == Timestamp::MAX;
        let price = product.listed.as_ref().filter(|l| l.listed).map(|l| l.listing.price);
        bench.verdicts.check(
            Invariant::I11,
            asked.as_ref().is_some_and(|line| {
                line.quantity == e.levels.quantity() && (of_paid || price == Some(line.price))
            }),
            || {
                let expected = format!("a line that asks for this, {asked:?}");
                let found = format!("{} units at {price:?}", e.levels.quantity());
                Example::new(key(), expected, found, place)
            },
        );
        let deadline = asked.map(|line| line.expires_at);
        bench.verdicts.check(Invariant::I5, of_paid || deadline == Some(e.expires_at), || {
            Example::new(key(), format!("{deadline:?}"), format!("{:?}", e.expires_at), place)
        });
        for Level { warehouse_id, quantity } in e.levels.levels() {
            let level = product.level(*warehouse_id);
            let (quantity, available) = (i64::from(*quantity), level.available());
            bench.verdicts.check(Invariant::I2, quantity <= available, || {
                let expected = format!("at most {available} units at {warehouse_id}");
                Example::new(key(), expected, quantity, place)
            });
            level.reserved += quantity;
            level.soft += if e.firm { 0 } else { quantity };
        }
        let known = self.claims.contains_key(&(e.product_id, e.order_id));
        bench.verdicts.check(Invariant::I4, !known, || {
            Example::new(key(), "no open claim", "a second reservation", place)
        });
        let claim = Claim {
            levels: e.levels,
            expires_at: e.expires_at,
            soft: !e.firm,
            allocated: false,
            short: 0,
        };
        self.claims.insert((e.product_id, e.order_id), claim);
        if let Some(open) = &mut self.open {
            open.insert((e.product_id, e.order_id));
        }
    }

    pub(crate) fn secure(&mut self, product: ProductId, order: OrderId, bench: &mut Bench<'_>) {
        let claim = self.claims.get_mut(&(product, order)).filter(|c| c.soft && !c.allocated);
        bench.verdicts.check(Invariant::I4, claim.is_some(), || {
            let key = format!("{product} of {order}");
            Example::new(key, "a soft reservation", "made firm without one", Some(bench.place))
        });
        let Some(claim) = claim else { return };
        claim.soft = false;
        let stock = self.products.entry(product).or_default();
        for Level { warehouse_id, quantity } in claim.levels.levels() {
            stock.level(*warehouse_id).soft -= i64::from(*quantity);
        }
    }

    pub(crate) fn refuse(&mut self, e: &StockRefused, orders: &Orders, bench: &mut Bench<'_>) {
        let product = self.products.get(&e.product_id);
        let left = product.map_or(0, Product::left_by_firm_claims);
        let listed = product.and_then(|product| product.listed.as_ref());
        let line = orders.line(e.order_id, e.product_id);
        let up = listed.filter(|listed| listed.listed).map(|listed| &listed.listing);
        let justified = match e.reason {
            Reason::OutOfStock => left < i64::from(e.asked) && left == i64::from(e.available),
            Reason::UnknownProduct => listed.is_none(),
            Reason::Delisted => listed.is_some() && up.is_none(),
            Reason::PriceChanged => up
                .zip(line.as_ref())
                .is_some_and(|(up, line)| up.price != line.price || up.currency != line.currency),
            Reason::LimitExceeded => {
                up.and_then(|up| up.order_quantity_max).is_some_and(|max| e.asked > max)
            }
            Reason::EmptyCart
            | Reason::IdempotencyKeyReused
            | Reason::PaymentDeclined
            | Reason::ReservationExpired
            | Reason::CancelledByCustomer
            | Reason::CancelledBySeller
            | Reason::IllegalState
            | Reason::NotFound
            | Reason::VersionMismatch
            | Reason::PreconditionFailed
            | Reason::UnknownWarehouse
            | Reason::CurrencyMismatch => false,
        };
        let justified = justified && line.is_some_and(|line| line.quantity == e.asked);
        bench.verdicts.check(Invariant::I7, justified, || {
            let (reason, asked, available) = (e.reason.as_str(), e.asked, e.available);
            let expected = format!("no refusal: firm claims leave {left}");
            let found = format!("{reason}: {asked} asked, {available} left");
            let key = format!("{} of {}", e.product_id, e.order_id);
            Example::new(key, expected, found, Some(bench.place))
        });
    }

    pub(crate) fn allocate(&mut self, e: &StockAllocated, bench: &mut Bench<'_>) {
        let key = || format!("{} of {}", e.product_id, e.order_id);
        let place = Some(bench.place);
        let claim = self.claims.get_mut(&(e.product_id, e.order_id)).filter(|c| !c.allocated);
        bench.verdicts.check(Invariant::I4, claim.is_some(), || {
            Example::new(key(), "a reservation", "an allocation without one", place)
        });
        let Some(claim) = claim else { return };
        bench.verdicts.same(Invariant::I3, place, key, &claim.levels.quantity(), &e.quantity);
        bench.verdicts.check(Invariant::I5, claim.expires_at > bench.now, || {
            let expected = format!("before {}", claim.expires_at.rfc3339());
            Example::new(key(), expected, bench.now.rfc3339(), place)
        });
        let stock = self.products.entry(e.product_id).or_default();
        for Level { warehouse_id, quantity } in claim.levels.levels() {
            let level = stock.level(*warehouse_id);
            level.reserved -= i64::from(*quantity);
            level.soft -= if claim.soft { i64::from(*quantity) } else { 0 };
            level.allocated += i64::from(*quantity);
        }
        (claim.soft, claim.allocated) = (false, true);
        if let Some(open) = &mut self.open {
            open.remove(&(e.product_id, e.order_id));
        }
        let levels = claim.levels.clone();
        self.look(e.product_id, levels.levels(), bench);
    }

    pub(crate) fn end(
        &mut self,
        product: ProductId,
        order: OrderId,
        end: End,
        bench: &mut Bench<'_>,
    ) {
        let key = || format!("{product} of {order}");
        let place = Some(bench.place);
        let (quantity, of_allocation) = match end {
            End::Released { quantity, allocated } => (quantity, allocated),
            End::Expired { quantity } | End::Revoked { quantity } => (quantity, false),
        };
        let claim = self.claims.remove(&(product, order));
        if let Some(open) = &mut self.open {
            open.remove(&(product, order));
        }
        let fits = claim.as_ref().is_some_and(|claim| claim.allocated == of_allocation);
        bench.verdicts.check(Invariant::I4, fits, || {
            let expected = if of_allocation { "an allocation" } else { "a reservation" };
            let found = claim.as_ref().map_or("none: it had ended", |_| "the other kind");
            Example::new(key(), expected, found, place)
        });
        let Some(claim) = claim else { return };
        bench.verdicts.same(Invariant::I3, place, key, &claim.levels.quantity(), &quantity);
        if let End::Expired { .. } = end {
            bench.verdicts.check(Invariant::I5, claim.expires_at <= bench.now, || {
                let expected = format!("not before {}", claim.expires_at.rfc3339());
                Example::new(key(), expected, bench.now.rfc3339(), place)
            });
            let late = bench.deadlines.is_late(order.group(), claim.expires_at);
            bench.verdicts.check(Invariant::I5, !late, || {
                let first = bench.deadlines.first_reaching(claim.expires_at);
                let found = format!("epoch {}", bench.deadlines.epoch());
                Example::new(key(), format!("epoch {first:?}"), found, place)
            });
        }
        let stock = self.products.entry(product).or_default();
        for Level { warehouse_id, quantity } in claim.levels.levels() {
            let (level, quantity) = (stock.level(*warehouse_id), i64::from(*quantity));
            if claim.allocated {
                level.allocated -= quantity;
            } else {
                level.reserved -= quantity;
                level.soft -= if claim.soft { quantity } else { 0 };
            }
        }
        self.look(product, claim.levels.levels(), bench);
    }

    pub(crate) fn short(&mut self, e: &AllocationShorted, bench: &mut Bench<'_>) {
        let claim = self.claims.get_mut(&(e.product_id, e.order_id)).filter(|c| c.allocated);
        let here = claim.as_ref().map_or(0, |claim| {
            let at = |level: &&Level| level.warehouse_id == e.warehouse_id;
            claim.levels.levels().iter().find(at).map_or(0, |level| level.quantity)
        });
        bench.verdicts.check(Invariant::I3, here >= e.quantity, || {
            let key = format!("{} of {} at {}", e.product_id, e.order_id, e.warehouse_id);
            Example::new(key, format!("at most {here}"), e.quantity, Some(bench.place))
        });
        let Some(claim) = claim else { return };
        let mut rest = claim.levels.levels().to_vec();
        for level in rest.iter_mut().filter(|level| level.warehouse_id == e.warehouse_id) {
            level.quantity = level.quantity.saturating_sub(e.quantity);
        }
        rest.retain(|level| level.quantity > 0);
        claim.levels = Split::of(&rest);
        claim.short += e.quantity;
        let stock = self.products.entry(e.product_id).or_default();
        stock.level(e.warehouse_id).allocated -= i64::from(e.quantity);
    }
}
