//! Events on their way out: each gets its key, its group, its cause and its id here, and is noted
//! for the rows. Ids count a customer's events within the epoch, those on `payment-requests`
//! among them, so that they are the same for any number of workers.

use super::super::{Decided, Out};
use super::{FixedState, digest};
use hashbrown::HashMap;
use machines::message::{Cause, Context};
use machines::payment::Standing;
use schemas::events::orders::PaymentState;
use schemas::events::{Event, EventKind};
use schemas::hash::hash128;
use schemas::id::{ActionId, CustomerId, EventId, Id, OrderId};
use sinks::view_store::rows::RejectionRow;

/// The customers operator's number, in its events' ids.
const OPERATOR: u64 = 0;

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

/// What an event was about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    Order(OrderId),
    Cart(ActionId),
}

impl Subject {
    fn correlation_id(self) -> EventId {
        match self {
            Self::Order(order) => EventId(order.to_bytes()),
            Self::Cart(action) => EventId(action.to_bytes()),
        }
    }
}

/// An event of this epoch on an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    pub(super) order: OrderId,
    pub(super) kind: EventKind,
    pub(super) event_id: EventId,
    pub(super) cause: Cause,
    pub(super) cause_id: EventId,
}

/// Publishes, and remembers what this epoch changed.
#[derive(Clone)]
pub(super) struct Press {
    /// Events of each customer in this epoch.
    issued: HashMap<CustomerId, u64, FixedState>,
    /// The orders' events in the order of the decisions. These three are emptied each epoch.
    pub(super) noted: Vec<Noted>,
    pub(super) carts: Vec<CustomerId>,
    pub(super) rejections: Vec<RejectionRow>,
}

impl Press {
    pub(super) fn new(state: FixedState) -> Self {
        Self {
            issued: HashMap::with_hasher(state),
            noted: Vec::new(),
            carts: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Sends an event of `customer` out.
    pub(super) fn publish<M>(
        &mut self,
        context: &Context,
        origin: Origin,
        customer: CustomerId,
        subject: Subject,
        event: Event,
        out: &mut Out<M>,
    ) {
        let Origin { cause, cause_id } = origin;
        let event_id = self.issue(context, customer);
        let kind = event.kind();
        let mut key = customer.0;
        let group = match subject {
            Subject::Order(order) => order.group(),
            Subject::Cart(action) => action.group(),
        };
        if let Event::PaymentRequested(request) = &event {
            key = Id::of_payment(request.payment_id);
        } else if let Event::CustomerActionRejected(rejected) = &event {
            let (action_id, reason) = (rejected.action_id, rejected.reason);
            let order_id = rejected.order_id;
            self.rejections.push(RejectionRow { action_id, reason, order_id });
        } else {
            match subject {
                Subject::Order(order) => {
                    self.noted.push(Noted { order, kind, event_id, cause, cause_id });
                }
                Subject::Cart(_) => self.carts.push(customer),
            }
        }
        out.digest(digest::of_event(event_id, &event));
        let correlation_id = subject.correlation_id();
        out.events.push(Decided { key, group, cause, cause_id, correlation_id, event_id, event });
    }

    fn issue(&mut self, context: &Context, customer: CustomerId) -> EventId {
        let issued = self.issued.entry(customer).or_default();
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&customer.0.to_bytes());
        bytes[16..24].copy_from_slice(&context.epoch.to_be_bytes());
        bytes[24..].copy_from_slice(&issued.to_be_bytes());
        *issued += 1;
        EventId(hash128(OPERATOR, &bytes))
    }

    /// Forgets what the epoch changed.
    pub(super) fn forget(&mut self) {
        self.issued.clear();
        self.noted.clear();
        self.carts.clear();
        self.rejections.clear();
    }
}
