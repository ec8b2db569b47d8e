//! All customers of one worker: their carts, idempotency keys and orders.
//!
//! - A customer's actions are decided in the order of the log: while the price of a cart item is
//!   asked for, the customer's later actions wait behind it.
//! - A message to an order first fires the order's timer, if that is due.
//! - What messages say is taken in one by one; what follows is decided when all of the round are in
//!   ([`Customers::end_round`]), so that one round's messages to products never contradict.
//!
//! | file | holds |
//! |---|---|
//! | `actions` | which rule an action of a customer comes under |
//! | `book` | orders and what only their rows need, found by id |
//! | `checkout` | how a checkout becomes an order |
//! | `carts` | adding, setting, prices, and who waits for one |
//! | `past` | orders that were settled long ago, and what comes of them late |
//! | `orders` | replies, cancellations, payments, timers, and what follows |
//! | `timers` | orders by deadline |
//! | `press` | events on their way out, and what the epoch changed |
//! | `digest` | what is hashed of them |
//! | `rows` | the rows of the views |
//! | `saved` | what of it goes into a checkpoint, and comes back |
//! | `dump` | all state as text |

mod actions;
mod book;
mod carts;
mod checkout;
mod digest;
mod dump;
mod orders;
mod past;
mod press;
mod rows;
mod saved;
#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it looks for, and draws small numbers"
)]
mod tests;
mod timers;

use super::Out;
use super::keys::Keys;
use book::Book;
use carts::Waiting;
use hashbrown::HashMap;
use machines::cart::Cart;
use machines::message::{Context, CustomerMessage, ToCustomer, ToProduct};
use machines::order::Command;
use orders::Unsettled;
use past::Past;
use press::{Origin, Press};
pub use saved::Saved;
use schemas::id::CustomerId;
use schemas::time::Timestamp;
use std::collections::VecDeque;
use timers::Timers;

type FixedState = foldhash::fast::FixedState;

/// All customers, carts and orders of one worker.
#[derive(Clone)]
pub struct Customers {
    orders: Book,
    past: Past,
    carts: HashMap<CustomerId, Cart, FixedState>,
    /// Lines of actions of which the first waits for a price. No longer than what an epoch may
    /// hold: products answer within a round.
    waiting: HashMap<CustomerId, VecDeque<Waiting>, FixedState>,
    keys: Keys,
    timers: Timers,
    /// Orders about which this round brought news, each once.
    unsettled: Vec<Unsettled>,
    press: Press,
    /// Whose carts changed since they were last saved.
    unsaved_carts: Vec<CustomerId>,
}

impl Customers {
    /// An empty shard. `hash_seed` changes nothing that shows: tests vary it.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        let state = FixedState::with_seed(hash_seed);
        Self {
            orders: Book::new(state.clone()),
            past: Past::new(state.clone()),
            carts: HashMap::with_hasher(state.clone()),
            waiting: HashMap::with_hasher(state.clone()),
            keys: Keys::new(state),
            timers: Timers::default(),
            unsettled: Vec::new(),
            press: Press::default(),
            unsaved_carts: Vec::new(),
        }
    }

    /// Applies one message; messages come in canonical order. What follows is decided by
    /// [`Customers::end_round`].
    pub fn apply(&mut self, context: &Context, message: ToCustomer, out: &mut Out<ToProduct>) {
        out.digest(digest::of_message(&message));
        let origin = Origin { cause: message.cause, cause_id: message.cause_id };
        let (order, command) = match message.body {
            CustomerMessage::Record(event) => return self.record(context, origin, event, out),
            CustomerMessage::Price { customer, price, .. } => {
                return self.price(context, origin.cause, customer, price, out);
            }
            CustomerMessage::Reserved { order, line, levels, place } => {
                (order, Command::Reserved { line, levels, place })
            }
            CustomerMessage::Refused { order, line, reason, available } => {
                (order, Command::Refused { line, reason, available })
            }
            CustomerMessage::Revoked { order, line } => (order, Command::Revoked { line }),
        };
        self.command(context, origin, order, command, out);
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
        self.leave_past(context);
        let orders = &self.orders;
        for id in self.timers.due(context.now, cap, |id| orders.is_due(id, context.now)) {
            let at = self.orders.find(id).expect("an order with a timer is known");
            self.fire(context, at, out);
        }
    }

    /// The deadline of the earliest timer, if any: a plan is due when its `now` reaches it.
    /// Timers of orders that are settled count until the sweep has passed them.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }
}
