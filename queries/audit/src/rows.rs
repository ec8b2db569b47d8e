//! The rows that the views must hold, made from what was folded.
//!
//! A line shows its warehouses while it is reserved or allocated, and why it was refused if its
//! order was.

use crate::fold::Fold;
use crate::order::{Line, Order};
use schemas::id::OrderId;
use sinks::view_store::rows::{
    CartItem, CartRow, CustomerOrderRow, LineRow, LineState, OrderRow, OrderState, PaymentRow,
    ProductRow, RejectionRow, ReservationRow, Row, StockRow, View, WarehouseRow,
};

impl Fold {
    /// The row that a view must hold in the place of this one; none if it must hold none. The
    /// timeline is compared by hash, elsewhere.
    pub(crate) fn counterpart(&self, row: &Row) -> Option<Row> {
        match row {
            Row::Products(row) => self.product_row(row.product_id),
            Row::Stock(row) => self.stock_row(row.product_id, row.warehouse_id),
            Row::Reservations(row) => self.reservation_row(row.product_id, row.order_id),
            Row::Warehouses(row) => {
                self.others.warehouses.get(&row.warehouse_id).map(|put| warehouse_row(put).into())
            }
            Row::Carts(row) => self.cart_row(row.customer_id),
            Row::Orders(row) => self.order(row.order_id).map(|o| order_row(row.order_id, o).into()),
            Row::CustomerOrders(row) => {
                self.order(row.order_id).map(|order| customer_order_row(row.order_id, order).into())
            }
            Row::Payments(row) => {
                self.order(row.order_id).and_then(|order| payment_row(row.order_id, order))
            }
            Row::Rejections(row) => self.rejection_row(row.action_id),
            Row::Timeline(_) => None,
        }
    }

    /// Shows every row of a view but the timeline's to `see`.
    pub(crate) fn rows(&self, view: View, see: &mut dyn FnMut(Row)) {
        let orders = &self.orders.all;
        match view {
            View::Products => {
                self.stock.products.keys().filter_map(|id| self.product_row(*id)).for_each(see);
            }
            View::Stock => {
                let levels = self.stock.products.iter().flat_map(|(id, product)| {
                    product.levels.iter().map(move |level| (*id, level.warehouse))
                });
                levels.filter_map(|(id, at)| self.stock_row(id, at)).for_each(see);
            }
            View::Reservations => {
                let claims = self.stock.claims.keys();
                claims.filter_map(|(id, order)| self.reservation_row(*id, *order)).for_each(see);
            }
            View::Warehouses => {
                self.others.warehouses.values().map(|put| warehouse_row(put).into()).for_each(see);
            }
            View::Carts => {
                self.others.carts.keys().filter_map(|id| self.cart_row(*id)).for_each(see);
            }
            View::Orders => orders.iter().map(|(id, o)| order_row(*id, o).into()).for_each(see),
            View::CustomerOrders => {
                orders.iter().map(|(id, o)| customer_order_row(*id, o).into()).for_each(see);
            }
            View::Payments => {
                orders.iter().filter_map(|(id, order)| payment_row(*id, order)).for_each(see);
            }
            View::Rejections => {
                let actions = self.others.refusals.keys();
                actions.filter_map(|action| self.rejection_row(*action)).for_each(see);
            }
            View::Timeline => {}
        }
    }

    fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.all.get(&id)
    }

    fn product_row(&self, product_id: schemas::id::ProductId) -> Option<Row> {
        let listed = self.stock.products.get(&product_id)?.listed.as_ref()?;
        let row = ProductRow {
            product_id,
            listing: (*listed.listing).clone(),
            listed: listed.listed,
            version: listed.version,
            updated_at: listed.updated_at,
        };
        Some(row.into())
    }

    fn stock_row(
        &self,
        product_id: schemas::id::ProductId,
        warehouse_id: schemas::id::WarehouseId,
    ) -> Option<Row> {
        let product = self.stock.products.get(&product_id)?;
        let level = product.levels.iter().find(|level| level.warehouse == warehouse_id)?;
        let row = StockRow {
            product_id,
            warehouse_id,
            on_hand: level.on_hand,
            available: level.available(),
            reserved: level.reserved,
            allocated: level.allocated,
            safety_stock: level.safety_stock(),
            safety_stock_wanted: level.wanted,
            version: level.version,
        };
        Some(row.into())
    }

    fn reservation_row(
        &self,
        product_id: schemas::id::ProductId,
        order_id: OrderId,
    ) -> Option<Row> {
        let claim = self.stock.claims.get(&(product_id, order_id)).filter(|c| !c.allocated)?;
        let levels = claim.levels.levels().to_vec();
        let (expires_at, ended) = (claim.expires_at, false);
        Some(ReservationRow { product_id, order_id, levels, expires_at, ended }.into())
    }

    fn cart_row(&self, customer_id: schemas::id::CustomerId) -> Option<Row> {
        let cart = self.others.carts.get(&customer_id)?;
        let item = |(id, (quantity, price)): (&schemas::id::ProductId, &(u32, i64))| CartItem {
            product_id: *id,
            quantity: *quantity,
            price: *price,
        };
        let row = CartRow {
            customer_id,
            items: cart.items.iter().map(item).collect(),
            currency: cart.currency,
            version: cart.version,
            updated_at: cart.updated_at,
        };
        Some(row.into())
    }

    fn rejection_row(&self, action_id: schemas::id::ActionId) -> Option<Row> {
        let refusal = self.others.refusals.get(&action_id)?;
        let (reason, order_id) = (refusal.reason, refusal.order);
        Some(RejectionRow { action_id, reason, order_id }.into())
    }
}

fn warehouse_row(put: &schemas::events::warehouse_actions::WarehousePutRequested) -> WarehouseRow {
    WarehouseRow {
        warehouse_id: put.warehouse_id,
        name: put.name.clone(),
        region: put.region,
        priority: put.priority,
    }
}

pub(crate) fn order_row(order_id: OrderId, order: &Order) -> OrderRow {
    OrderRow {
        order_id,
        customer_id: order.customer,
        state: order.state,
        reason: order.reason,
        version: order.version,
        lines: order.lines.iter().map(|line| line_row(order.state, line)).collect(),
        currency: order.currency,
        region: order.region,
        payment_method: order.payment_method,
        expires_at: (!order.never_asked).then_some(order.expires_at),
        created_at: order.created_at,
        updated_at: order.updated_at,
    }
}

fn line_row(order: OrderState, line: &Line) -> LineRow {
    let state = match order {
        OrderState::Requested => LineState::Requested,
        OrderState::AwaitingPayment => LineState::Reserved,
        OrderState::Confirmed => LineState::Allocated,
        OrderState::Rejected if line.refused.is_some() => LineState::Refused,
        OrderState::Rejected | OrderState::Cancelled => LineState::Released,
    };
    let has_units = matches!(state, LineState::Reserved | LineState::Allocated);
    let levels = line.levels.as_ref().filter(|_| has_units);
    LineRow {
        product_id: line.product,
        quantity: line.quantity,
        price: line.price,
        state,
        levels: levels.map_or_else(Vec::new, |split| split.levels().to_vec()),
        refused: line.refused.filter(|_| state == LineState::Refused),
    }
}

const fn customer_order_row(order_id: OrderId, order: &Order) -> CustomerOrderRow {
    let Order { customer: customer_id, created_at, asked_at, .. } = *order;
    CustomerOrderRow { customer_id, created_at, asked_at, order_id }
}

pub(crate) fn payment_row(order_id: OrderId, order: &Order) -> Option<Row> {
    let payment = &order.payment;
    let row = PaymentRow {
        order_id,
        state: payment.state?,
        amount: order.total(),
        authorized: payment.authorized,
        captured: payment.captured,
        refunded: payment.refunded,
        voided: payment.voided,
        currency: order.currency,
    };
    Some(row.into())
}
