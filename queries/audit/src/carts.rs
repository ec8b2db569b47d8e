//! Carts, refused actions and warehouses.

use crate::stock::Bench;
use crate::verdicts::Invariant;
use schemas::events::orders::{CartChanged, CartCleared, Reason};
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::id::{ActionId, CustomerId, OrderId, ProductId, WarehouseId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// A cart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cart {
    /// Quantity and price.
    pub(crate) items: BTreeMap<ProductId, (u32, i64)>,
    pub(crate) currency: Option<Currency>,
    pub(crate) version: u64,
    pub(crate) updated_at: Timestamp,
}

/// A refusal, and the epoch that wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) order: Option<OrderId>,
    epoch: u64,
}

/// What is neither stock nor order.
#[derive(Default)]
pub(crate) struct Others {
    pub(crate) carts: HashMap<CustomerId, Cart>,
    pub(crate) refusals: HashMap<ActionId, Refusal>,
    pub(crate) warehouses: BTreeMap<WarehouseId, WarehousePutRequested>,
}

impl Others {
    /// Units of a product in a customer's cart.
    pub(crate) fn quantity(&self, customer: CustomerId, product: ProductId) -> u32 {
        let cart = self.carts.get(&customer);
        cart.and_then(|cart| cart.items.get(&product)).map_or(0, |(quantity, _)| *quantity)
    }

    pub(crate) fn change(&mut self, e: &CartChanged, bench: &mut Bench<'_>) {
        let cart = self.cart(e.customer_id, e.version, bench);
        if e.quantity == 0 {
            cart.items.remove(&e.product_id);
        } else {
            cart.items.insert(e.product_id, (e.quantity, e.price));
        }
        cart.currency = (!cart.items.is_empty()).then_some(e.currency);
    }

    pub(crate) fn clear(&mut self, e: &CartCleared, bench: &mut Bench<'_>) {
        let cart = self.cart(e.customer_id, e.version, bench);
        cart.items.clear();
        cart.currency = None;
    }

    fn cart(&mut self, id: CustomerId, version: u64, bench: &mut Bench<'_>) -> &mut Cart {
        let cart = self.carts.entry(id).or_default();
        let next = cart.version + 1;
        let key = || format!("cart of {id}");
        bench.verdicts.same(Invariant::I13, Some(bench.place), key, &next, &version);
        (cart.version, cart.updated_at) = (version, bench.now);
        cart
    }

    /// A customer's action was refused: the last refusal is shown.
    pub(crate) fn refuse(&mut self, action: ActionId, reason: Reason, order: Option<OrderId>) {
        self.refusals.insert(action, Refusal { reason, order, epoch: 0 });
    }

    /// A product's action was refused: of one epoch's refusals the one that sorts first is shown.
    pub(crate) fn refuse_on_product(&mut self, action: ActionId, reason: Reason, epoch: u64) {
        let refusal = Refusal { reason, order: None, epoch };
        let shown = self.refusals.entry(action).or_insert(refusal);
        if shown.epoch != epoch || reason < shown.reason {
            *shown = refusal;
        }
    }
}
