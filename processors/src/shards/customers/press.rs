//! Events on their way out: each gets its key, its group and its cause here, and is noted for the
//! rows.

use super::super::{Decided, Out, event_id};
use super::digest;
use machines::message::{Cause, Context};
use machines::payment::Standing;
use schemas::events::orders::PaymentState;
use schemas::events::payment_requests::PaymentRequested;
use schemas::events::{Event, EventKind};
use schemas::id::{ActionId, CustomerId, EventId, Id, OrderId};
use sinks::view_store::rows::RejectionRow;

/// What a decision began with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) cause: Cause,
    pub(super) cause_id: EventId,
}

/// A payment's state and sums in the order of `PaymentChanged`, to be compared.
pub(super) type PaymentNews = (PaymentState, [i64; 4]);

pub(super) fn payment_news(standing: Standing) -> PaymentNews {
    let Standing { state, authorized, captured, refunded, voided } = standing;
    (state, [authorized, captured, refunded, voided])
}

/// An event of this epoch on an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    /// The order, and its place in the book.
    pub(super) order: OrderId,
    pub(super) at: u32,
    pub(super) kind: EventKind,
    pub(super) serial: u32,
    pub(super) cause: Cause,
    pub(super) cause_id: EventId,
}

impl Noted {
    /// The event's id, as [`Decided::event_id`] says.
    pub(super) fn event_id(&self, context: &Context, customer: CustomerId) -> EventId {
        let (kind, correlation) = (self.kind as u64, self.order.words());
        event_id(context.epoch, kind, customer.0, correlation, self.serial)
    }
}

/// Publishes, and remembers what this epoch changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Press {
    /// The orders' events in the order of the decisions. These three are emptied each epoch.
    pub(super) noted: Vec<Noted>,
    pub(super) carts: Vec<CustomerId>,
    pub(super) rejections: Vec<RejectionRow>,
}

impl Press {
    /// Sends an event of an order on the topic `orders` out, the order's `serial`th.
    pub(super) fn publish_of_order<M>(
        &mut self,
        origin: Origin,
        customer: CustomerId,
        (order, at): (OrderId, u32),
        serial: u32,
        event: Event,
        out: &mut Out<M>,
    ) {
        let Origin { cause, cause_id } = origin;
        let kind = event.kind();
        let (key, correlation, group) = (customer.0, order.words(), order.group());
        out.digest(digest::of_event(serial, &event));
        out.events.push(Decided { key, cause_id, correlation, serial, group, event });
        self.noted.push(Noted { order, at, kind, serial, cause, cause_id });
    }

    /// Sends an event of a customer's cart out; it came of `action`.
    pub(super) fn publish_of_cart<M>(
        &mut self,
        origin: Origin,
        customer: CustomerId,
        action: ActionId,
        event: Event,
        out: &mut Out<M>,
    ) {
        self.carts.push(customer);
        send(origin, customer, action, event, out);
    }

    /// Tells that a customer's action came to nothing.
    pub(super) fn reject<M>(
        &mut self,
        origin: Origin,
        customer: CustomerId,
        row: RejectionRow,
        event: impl Into<Event>,
        out: &mut Out<M>,
    ) {
        self.rejections.push(row);
        send(origin, customer, row.action_id, event.into(), out);
    }

    /// Forgets what the epoch changed.
    pub(super) fn forget(&mut self) {
        self.noted.clear();
        self.carts.clear();
        self.rejections.clear();
    }
}

/// Asks the payment worker for something: the order's `serial`th event.
pub(super) fn request_payment<M>(
    Origin { cause_id, .. }: Origin,
    serial: u32,
    event: PaymentRequested,
    out: &mut Out<M>,
) {
    let key = Id::of_payment(event.payment_id);
    let (correlation, group) = (event.order_id.words(), event.order_id.group());
    let event = event.into();
    out.digest(digest::of_event(serial, &event));
    out.events.push(Decided { key, cause_id, correlation, serial, group, event });
}

/// Of one action come no two events of a kind in an epoch, but where it is on the log twice: then
/// its offset tells them apart.
#[expect(clippy::cast_possible_truncation, reason = "near records differ in the last bits")]
fn send<M>(origin: Origin, customer: CustomerId, action: ActionId, event: Event, out: &mut Out<M>) {
    let [_, offset] = origin.cause.words();
    let serial = offset as u32;
    out.digest(digest::of_event(serial, &event));
    out.events.push(Decided {
        key: customer.0,
        cause_id: origin.cause_id,
        correlation: action.words(),
        serial,
        group: action.group(),
        event,
    });
}
