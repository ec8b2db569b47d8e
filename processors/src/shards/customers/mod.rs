//! All customers of one worker: their carts, idempotency keys and orders.
//!
//! - A customer's actions are decided in the order of the log: while the price of a cart item is
//!   asked for, the customer's later actions wait behind it.
//! - A message to an order first fires the order's timer, if that is due.
//! - What messages say is taken in one by one; what follows from it is decided when all of the
//!   round are in ([`Customers::end_round`]), so that one round's messages to products never
//!   contradict each other: they are not applied in the order in which they are sent.
//!
//! | file | holds |
//! |---|---|
//! | `checkout` | how a checkout becomes an order |
//! | `carts` | adding, setting, prices, and who waits for one |
//! | `orders` | replies, cancellations, payments, timers, and what follows |
//! | `keys` | idempotency keys |
//! | `timers` | orders by deadline |
//! | `press` | events on their way out, and what the epoch changed |
//! | `digest` | what is hashed of them |
//! | `rows` | the rows of the views |

mod carts;
mod checkout;
mod digest;
mod keys;
mod orders;
mod press;
mod rows;
#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it looks for, and draws small numbers"
)]
mod tests;
mod timers;

use super::Out;
use hashbrown::HashMap;
use keys::Keys;
use machines::cart::Cart;
use machines::message::{Cause, Context, CustomerMessage, ToCustomer, ToProduct};
use machines::order::Order;
use press::{Origin, Press};
use schemas::events::Event;
use schemas::id::{CustomerId, EventId, OrderId};
use schemas::time::Timestamp;
use sinks::view_store::rows::Row;
use std::collections::VecDeque;
use std::fmt::Write as _;
use timers::Timers;

type FixedState = foldhash::fast::FixedState;

/// All customers, carts and orders of one worker.
#[derive(Clone)]
pub struct Customers {
    orders: HashMap<OrderId, Placed, FixedState>,
    carts: HashMap<CustomerId, Cart, FixedState>,
    /// Actions that wait for a price, which the first of each list has asked for. No longer than
    /// what a few epochs may hold: products answer within a round.
    waiting: HashMap<CustomerId, VecDeque<ToCustomer>, FixedState>,
    keys: Keys,
    timers: Timers,
    /// Orders about which this round brought news, each once.
    unsettled: Vec<Unsettled>,
    press: Press,
}

/// An order, and what only its rows need.
#[derive(Clone, Debug)]
struct Placed {
    order: Order,
    /// `now` when it was requested.
    created_at: Timestamp,
    /// `now` of its last event.
    updated_at: Timestamp,
    /// Its events on the topic `orders` so far.
    version: u32,
    /// Its place among the unsettled, if it is there.
    unsettled: Option<usize>,
}

/// An order about which something is known that may have consequences. They began with the last
/// that became known: with the payment, not with the timer that fired before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unsettled {
    cause: Cause,
    order: OrderId,
    cause_id: EventId,
    /// The payment as last published.
    published: Option<press::PaymentNews>,
}

impl Customers {
    /// An empty shard. `hash_seed` changes nothing that shows: tests vary it.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        let state = FixedState::with_seed(hash_seed);
        Self {
            orders: HashMap::with_hasher(state.clone()),
            carts: HashMap::with_hasher(state.clone()),
            waiting: HashMap::with_hasher(state.clone()),
            keys: Keys::new(state.clone()),
            timers: Timers::default(),
            unsettled: Vec::new(),
            press: Press::new(state),
        }
    }

    /// Applies one message; messages come in canonical order. What follows is decided by
    /// [`Customers::end_round`].
    pub fn apply(&mut self, context: &Context, message: ToCustomer, out: &mut Out<ToProduct>) {
        out.digest(digest::of_message(&message));
        let origin = Origin { cause: message.cause, cause_id: message.cause_id };
        match message.body {
            CustomerMessage::Record(event) => self.record(context, origin, event, out),
            CustomerMessage::Price { customer, action, product, price, .. } => {
                self.price(context, customer, action, product, price, out);
            }
            CustomerMessage::Reserved { order, line, levels } => {
                let command = machines::order::Command::Reserved { line, levels };
                self.command(context, origin, order, command, out);
            }
            CustomerMessage::Refused { order, line, reason, available } => {
                let command = machines::order::Command::Refused { line, reason, available };
                self.command(context, origin, order, command, out);
            }
            CustomerMessage::Revoked { order, line } => {
                let command = machines::order::Command::Revoked { line };
                self.command(context, origin, order, command, out);
            }
        }
    }

    fn record(
        &mut self,
        context: &Context,
        origin: Origin,
        event: Box<Event>,
        out: &mut Out<ToProduct>,
    ) {
        if let Event::PaymentReported(report) = &*event {
            let (outcome, amount, currency) = (report.outcome, report.amount, report.currency);
            let command = machines::order::Command::Payment { outcome, amount, currency };
            self.command(context, origin, report.order_id, command, out);
            return;
        }
        let customer = self.customer_of(&event);
        if let Some(waiting) = self.waiting.get_mut(&customer) {
            let (Origin { cause, cause_id }, body) = (origin, CustomerMessage::Record(event));
            waiting.push_back(ToCustomer { cause, cause_id, body });
            return;
        }
        self.action(context, origin, customer, *event, out);
    }

    /// Decides a customer's action, before which no other waits.
    fn action(
        &mut self,
        context: &Context,
        origin: Origin,
        customer: CustomerId,
        event: Event,
        out: &mut Out<ToProduct>,
    ) {
        if let Event::CheckoutRequested(checkout) = event {
            self.checkout(context, origin, checkout, out);
        } else if let Event::CancellationRequested(request) = event {
            self.cancel(context, origin, customer, &request, out);
        } else if let Event::CartItemAddRequested(add) = event {
            self.cart_add(context, origin, &add, out);
        } else if let Event::CartItemSetRequested(set) = event {
            self.cart_set(context, origin, &set, out);
        } else {
            unreachable!("whose {:?} it is was found out", event.kind());
        }
    }

    /// Whose action it is. A cancellation of an order that nobody knows has no customer: the
    /// order's own id stands in its place.
    fn customer_of(&self, event: &Event) -> CustomerId {
        if let Event::CheckoutRequested(event) = event {
            event.customer_id
        } else if let Event::CartItemAddRequested(event) = event {
            event.customer_id
        } else if let Event::CartItemSetRequested(event) = event {
            event.customer_id
        } else if let Event::CancellationRequested(event) = event {
            match self.orders.get(&event.order_id) {
                Some(placed) => placed.order.customer(),
                None => CustomerId::parse(&event.order_id.to_string())
                    .expect("an order's id is a legal text"),
            }
        } else {
            panic!("{:?} is no action of a customer: the source lets none in", event.kind())
        }
    }

    /// Decides what follows from all that the round brought. Called when the messages of a round
    /// have been applied, before its messages to products are sent; in round 0 of every epoch,
    /// later where messages came.
    pub fn end_round(&mut self, context: &Context, out: &mut Out<ToProduct>) {
        let mut unsettled = std::mem::take(&mut self.unsettled);
        unsettled.sort_unstable();
        for news in unsettled.drain(..) {
            self.settle(context, news, out);
        }
        self.unsettled = unsettled;
    }

    /// Fires the timers that are due and not yet fired by a touch, at most `cap` a key group,
    /// in order of (deadline, id). Called once at the start of round 0 of every epoch.
    pub fn sweep(&mut self, context: &Context, cap: usize, out: &mut Out<ToProduct>) {
        self.keys.forget(context.now);
        for order in self.timers.due(context.now, cap, |order| {
            let placed = self.orders.get(&order);
            placed.is_some_and(|placed| placed.order.decide(tick(context)).is_some())
        }) {
            self.fire(context, order, out);
        }
    }

    /// The deadline of the earliest timer, if any: a plan is due when its `now` reaches it.
    /// Timers of orders that are settled count until the sweep has passed them.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Takes the rows that changed since the last call, each key once. Not called when views are
    /// off; then [`Customers::forget_rows`] is.
    pub fn take_rows(&mut self, context: &Context, rows: &mut Vec<Row>) {
        rows::take(self, context, rows);
        self.forget_rows();
    }

    /// Drops the record of what changed.
    pub fn forget_rows(&mut self) {
        self.press.forget();
    }

    /// All state at an epoch's end, as text, in a canonical order: for tests that compare runs.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let mut text = String::new();
        let mut add = |kind: &str, mut entries: Vec<String>| {
            entries.sort_unstable();
            entries.iter().for_each(|entry| {
                writeln!(text, "{kind} {entry}").expect("a string takes all");
            });
        };
        add("order", self.orders.iter().map(|entry| format!("{entry:?}")).collect());
        add("cart", self.carts.iter().map(|entry| format!("{entry:?}")).collect());
        add("waiting", self.waiting.iter().map(|entry| format!("{entry:?}")).collect());
        add("key", self.keys.dump());
        add("timer", self.timers.dump());
        text.into_bytes()
    }
}

const fn tick(context: &Context) -> machines::order::Command {
    machines::order::Command::Tick(context.now)
}
