//! Records of `product-actions` at their product: listings, receipts, adjustments, safety stock.

use super::product::Work;
use crate::shards::keys::{Key, Keys};
use machines::catalog;
use machines::inventory::{Command, Counted, decide};
use machines::message::CustomerMessage;
use machines::reservation::{self, Change, Claim};
use schemas::events::Event;
use schemas::events::inventory::{
    ProductActionRejected, ProductDelisted, ProductListed, SafetyStockChanged, StockAdjusted,
    StockReceived,
};
use schemas::events::lines::Level;
use schemas::events::orders::Reason;
use schemas::events::product_actions::{
    ProductDelistRequested, ProductPutRequested, SafetyStockSetRequested, StockAdjustmentRequested,
    StockReceiptRequested,
};
use schemas::id::{ActionId, KeyHash, ProductId, WarehouseId};

/// The product that a record of `product-actions` is about.
pub(super) fn product_of(event: &Event) -> ProductId {
    if let Event::ProductPutRequested(put) = event {
        put.product_id
    } else if let Event::ProductDelistRequested(delist) = event {
        delist.product_id
    } else if let Event::StockReceiptRequested(receipt) = event {
        receipt.product_id
    } else if let Event::StockAdjustmentRequested(adjustment) = event {
        adjustment.product_id
    } else if let Event::SafetyStockSetRequested(set) = event {
        set.product_id
    } else {
        panic!("I11: {:?} is no action on a product", event.kind())
    }
}

impl Work<'_> {
    pub(super) fn record(&mut self, keys: &mut Keys, event: Event) {
        if let Event::ProductPutRequested(put) = event {
            self.put(put);
        } else if let Event::ProductDelistRequested(delist) = event {
            self.delist(&delist);
        } else if let Event::StockReceiptRequested(receipt) = event {
            self.receive(keys, receipt);
        } else if let Event::StockAdjustmentRequested(adjustment) = event {
            self.adjust(keys, adjustment);
        } else if let Event::SafetyStockSetRequested(set) = event {
            self.keep_back(&set);
        }
    }

    fn put(&mut self, put: ProductPutRequested) {
        let ProductPutRequested { action_id, product_id, if_match, listing } = put;
        self.mix_action(action_id);
        let state = &mut self.product.listing;
        match catalog::decide(state.as_ref(), catalog::Command::Put, if_match) {
            Ok(version) => {
                catalog::evolve_put(state, version, &listing, self.context.now);
                self.touch_row();
                self.mix(&[version, listing.price.cast_unsigned()]);
                self.emit_action(action_id, ProductListed { product_id, version, listing });
            }
            Err(reason) => self.reject(action_id, reason),
        }
    }

    fn delist(&mut self, delist: &ProductDelistRequested) {
        let ProductDelistRequested { action_id, product_id, if_match } = *delist;
        self.mix_action(action_id);
        let state = &mut self.product.listing;
        match catalog::decide(state.as_ref(), catalog::Command::Delist, if_match) {
            Ok(version) => {
                catalog::evolve_delist(state, version, self.context.now);
                self.touch_row();
                self.mix(&[version]);
                self.emit_action(action_id, ProductDelisted { product_id, version });
            }
            Err(reason) => self.reject(action_id, reason),
        }
    }

    fn receive(&mut self, keys: &mut Keys, receipt: StockReceiptRequested) {
        let StockReceiptRequested { action_id, product_id, warehouse_id, quantity, .. } = receipt;
        self.mix_action(action_id);
        if !self.is_new(keys, receipt.idempotency_key.hash(), action_id) {
            return;
        }
        let Some(counted) = self.decide(action_id, warehouse_id, Command::Receive { quantity })
        else {
            return;
        };
        self.count(&counted);
        self.emit_action(
            action_id,
            StockReceived {
                product_id,
                warehouse_id,
                quantity,
                reference: receipt.reference,
                version: u64::from(counted.version),
            },
        );
    }

    fn adjust(&mut self, keys: &mut Keys, adjustment: StockAdjustmentRequested) {
        let StockAdjustmentRequested { action_id, product_id, warehouse_id, change, .. } =
            adjustment;
        self.mix_action(action_id);
        if !self.is_new(keys, adjustment.idempotency_key.hash(), action_id) {
            return;
        }
        let expected_version = adjustment.expected_version;
        let command = Command::Adjust { change, expected_version };
        let Some(counted) = self.decide(action_id, warehouse_id, command) else { return };
        self.take_from_claims(&counted);
        self.count(&counted);
        self.emit_action(
            action_id,
            StockAdjusted {
                product_id,
                warehouse_id,
                asked: change,
                change: counted.change,
                reason: adjustment.reason,
                version: u64::from(counted.version),
            },
        );
    }

    fn keep_back(&mut self, set: &SafetyStockSetRequested) {
        let SafetyStockSetRequested { action_id, product_id, warehouse_id, safety_stock } = *set;
        self.mix_action(action_id);
        let command = Command::KeepBack { wanted: safety_stock };
        let Some(counted) = self.decide(action_id, warehouse_id, command) else { return };
        self.count(&counted);
        let version = u64::from(counted.version);
        let changed = SafetyStockChanged { product_id, warehouse_id, safety_stock, version };
        self.emit_action(action_id, changed);
    }

    /// Ends claims until the rest fits what will be on hand: the newest reservations first, their
    /// orders are told; then the newest allocations, which become short.
    fn take_from_claims(&mut self, counted: &Counted) {
        let warehouse = counted.warehouse;
        let mut next = self.product.chains.reserved.last();
        while let Some(at) = next
            && self.claimed_over(counted) > 0
        {
            next = self.claims.before(at);
            let entry = self.claims.get(at);
            let (order, claim) = (entry.order, entry.claim());
            let Claim::Reserved(held) = claim else { break };
            if claim.units_at(warehouse) > 0 {
                let line = held.line;
                self.settle(at, order, reservation::Command::Revoke);
                self.tell(self.origin(), CustomerMessage::Revoked { order, line });
            }
        }
        let mut next = self.product.chains.allocated.last();
        while let Some(at) = next
            && self.claimed_over(counted) > 0
        {
            next = self.claims.before(at);
            let entry = self.claims.get(at);
            let (order, units) = (entry.order, entry.claim().units_at(warehouse));
            let quantity = units.min(self.claimed_over(counted));
            if quantity > 0 {
                let short = Level { warehouse_id: warehouse, quantity };
                self.change(at, order, Some(self.origin()), Change::Shorted(short));
            }
        }
    }

    /// Units claimed beyond what will be on hand.
    fn claimed_over(&self, counted: &Counted) -> u32 {
        let level = self.product.stock.level(counted.warehouse);
        let claimed = level.map_or(0, |(_, level)| level.reserved + level.allocated);
        claimed.saturating_sub(counted.on_hand)
    }

    fn decide(
        &mut self,
        action: ActionId,
        warehouse: WarehouseId,
        command: Command,
    ) -> Option<Counted> {
        match decide(&self.product.stock, self.warehouses, warehouse, command) {
            Ok(counted) => Some(counted),
            Err(reason) => {
                self.reject(action, reason);
                None
            }
        }
    }

    fn count(&mut self, counted: &Counted) {
        let levels = self.product.stock.count(counted);
        self.touch_levels(levels);
    }

    /// Whether the action is to be decided: not if its key stands for it or another already.
    fn is_new(&mut self, keys: &mut Keys, key: KeyHash, action: ActionId) -> bool {
        match keys.claim(self.context.now, self.product.id.0, key, action) {
            Key::Fresh => true,
            Key::Same => false,
            Key::Reused => {
                self.reject(action, Reason::IdempotencyKeyReused);
                false
            }
        }
    }

    fn reject(&mut self, action_id: ActionId, reason: Reason) {
        let product_id = self.product.id;
        self.mix(&[reason as u64]);
        self.changed.rejections.push((action_id, reason));
        self.emit_action(action_id, ProductActionRejected { product_id, action_id, reason });
    }

    fn mix_action(&mut self, action: ActionId) {
        self.mix(&action.words());
    }

    fn emit_action(&mut self, action: ActionId, event: impl Into<Event>) {
        self.emit(self.origin(), action.words(), event.into());
    }
}
