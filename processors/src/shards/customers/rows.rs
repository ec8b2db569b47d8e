//! The rows of the views, built once an epoch from what the epoch's events touched.
//!
//! A line's row follows from where the order stands, so that the fold of the output topics comes
//! to the same: asked for, reserved, allocated, refused or released.

use super::Customers;
use super::book::Placed;
use super::press::Noted;
use machines::line::{Claim, Line};
use machines::message::Context;
use machines::order::State;
use schemas::events::EventKind;
use schemas::events::orders::Reason;
use schemas::id::{CustomerId, OrderId};
use sinks::view_store::rows::{
    CartItem, CartRow, CustomerOrderRow, LineRow, LineState, OrderRow, OrderState, PaymentRow,
    Refused, Row, TimelineEntry, TimelineRow,
};
use std::sync::LazyLock;

impl Customers {
    /// Takes the rows that changed since the last call, each key once. Not called when views are
    /// off; then [`Customers::forget_rows`] is.
    pub fn take_rows(&mut self, context: &Context, rows: &mut Vec<Row>) {
        take(self, context, rows);
        self.forget_rows();
    }

    /// Drops the record of what changed.
    pub fn forget_rows(&mut self) {
        if self.orders.unsaved.is_kept() {
            self.unsaved_carts.extend_from_slice(&self.press.carts);
        }
        self.press.forget();
    }
}

fn take(customers: &mut Customers, context: &Context, rows: &mut Vec<Row>) {
    let press = &mut customers.press;
    // Stable: within an order the order of the decisions stays.
    press.noted.sort_by_key(|noted| noted.order);
    for noted in press.noted.chunk_by(|a, b| a.order == b.order) {
        let (id, placed) = (noted[0].order, customers.orders.get(noted[0].at));
        let has = |kind| noted.iter().any(|noted| noted.kind == kind);
        rows.push(order_row(id, placed).into());
        rows.push(timeline_row(id, placed.order.customer(), context, noted).into());
        if let Some(requested) = noted.iter().find(|noted| noted.kind == EventKind::OrderRequested)
        {
            let (customer_id, created_at) = (placed.order.customer(), placed.created_at);
            let [_, asked_at] = requested.cause.words();
            let row = CustomerOrderRow { customer_id, created_at, asked_at, order_id: id };
            rows.push(row.into());
        }
        if has(EventKind::PaymentChanged) {
            rows.extend(payment_row(id, placed).map(Row::from));
        }
    }
    press.carts.sort_unstable();
    press.carts.dedup();
    for customer_id in &press.carts {
        let cart = customers.carts.get(customer_id).expect("only known carts change");
        let items = cart.items().iter().map(|item| CartItem {
            product_id: item.product_id,
            quantity: item.quantity,
            price: item.price,
        });
        let row = CartRow {
            customer_id: *customer_id,
            items: items.collect(),
            currency: cart.currency(),
            version: cart.version(),
            updated_at: cart.updated_at(),
        };
        rows.push(row.into());
    }
    press.rejections.sort_by_key(|row| row.action_id);
    press.rejections.dedup_by(|later, kept| {
        let same = later.action_id == kept.action_id;
        if same {
            *kept = *later;
        }
        same
    });
    rows.extend(press.rejections.iter().copied().map(Row::from));
}

fn order_row(id: OrderId, placed: &Placed) -> OrderRow {
    let order = &placed.order;
    let (state, reason) = shown(order.state());
    OrderRow {
        order_id: id,
        customer_id: order.customer(),
        state,
        reason,
        version: u64::from(placed.version),
        lines: order.lines().iter().map(|line| line_row(state, line)).collect(),
        currency: order.payment().currency(),
        region: order.region(),
        payment_method: order.payment_method(),
        expires_at: order.expires_at(),
        created_at: placed.created_at,
        updated_at: placed.updated_at,
    }
}

const fn shown(state: State) -> (OrderState, Option<Reason>) {
    match state {
        State::Requested => (OrderState::Requested, None),
        State::AwaitingPayment => (OrderState::AwaitingPayment, None),
        State::Confirmed => (OrderState::Confirmed, None),
        State::Rejected(reason) => (OrderState::Rejected, Some(reason)),
        State::Cancelled(reason) => (OrderState::Cancelled, Some(reason)),
        State::Lapsed | State::ReservingAgain => {
            (OrderState::Cancelled, Some(Reason::ReservationExpired))
        }
    }
}

fn line_row(order: OrderState, line: &Line) -> LineRow {
    let mut row = LineRow {
        product_id: line.product,
        quantity: line.quantity,
        price: line.price,
        state: LineState::Released,
        levels: Vec::new(),
        refused: None,
    };
    match (order, &line.claim) {
        (OrderState::Requested, _) => row.state = LineState::Requested,
        (OrderState::AwaitingPayment, Claim::Reserved(levels)) => {
            row.state = LineState::Reserved;
            row.levels = levels.levels().to_vec();
        }
        (OrderState::Confirmed, Claim::Allocated(levels)) => {
            row.state = LineState::Allocated;
            row.levels = levels.levels().to_vec();
        }
        (OrderState::Rejected, Claim::Refused { reason, available }) => {
            let (reason, asked, available) = (*reason, line.quantity, *available);
            row.state = LineState::Refused;
            row.refused = Some(Refused { reason, asked, available });
        }
        (
            OrderState::AwaitingPayment
            | OrderState::Confirmed
            | OrderState::Rejected
            | OrderState::Cancelled,
            _,
        ) => {}
    }
    row
}

fn timeline_row(
    order_id: OrderId,
    customer: CustomerId,
    context: &Context,
    noted: &[Noted],
) -> TimelineRow {
    let entries = noted.iter().map(|noted| TimelineEntry {
        at: context.now,
        event: NAMES[noted.kind as usize].as_str().into(),
        event_id: noted.event_id(context, customer),
        cause_id: noted.cause_id,
        position: noted.cause.position(),
    });
    TimelineRow { order_id, epoch: context.epoch, entries: entries.collect() }
}

fn payment_row(order_id: OrderId, placed: &Placed) -> Option<PaymentRow> {
    let payment = placed.order.payment();
    payment.standing().map(|standing| PaymentRow {
        order_id,
        state: standing.state,
        amount: payment.amount(),
        authorized: standing.authorized,
        captured: standing.captured,
        refunded: standing.refunded,
        voided: standing.voided,
        currency: payment.currency(),
    })
}

/// The kinds' names as people read them, by number.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| EventKind::ALL.iter().map(|kind| snake_case(kind.name())).collect());

/// `OrderConfirmed` as `order_confirmed`.
fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 3);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
