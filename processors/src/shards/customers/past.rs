//! Orders behind the horizon: settled, and nothing came of them for the time that the rules say.
//!
//! ```text
//! open --settled--> in the queue --(a week of log time)--> past: 100 bytes, for ever
//!   ^                   |
//!   +---- paid late ----+
//! ```
//!
//! Whether an order is past is a matter of its age, never of when the queue was looked at: one that
//! is touched goes there first. What comes of it then has a fate:
//!
//! | what comes | fate |
//! |---|---|
//! | its checkout once more | deduplicated: it is the same order |
//! | a cancellation | refused: the order had ended |
//! | a report that was told before | deduplicated |
//! | a report of money that is new | undone: a void or a refund is asked for |
//! | any other report | deduplicated |

use super::book::{Placed, SETTLED};
use super::press::{self, Origin};
use super::{Customers, FixedState, digest};
use crate::shards::Out;
use crate::shards::arena::Arena;
use crate::shards::changes::Changes;
use crate::shards::index::Index;
use machines::message::{Context, ToProduct};
use machines::order::Command;
use machines::payment::{self, Stray};
use machines::settled::Settled;
use schemas::events::payment_requests::PaymentRequested;
use schemas::id::{CustomerId, OrderId};
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Orders that leave in one epoch at most: more than an epoch of many records settles, and few
/// enough to hold nothing up.
const LEAVE_MAX: usize = 20_000;

/// An order that is past.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PastOrder {
    pub(super) id: OrderId,
    settled: Settled,
    /// Its events on any topic so far.
    events: u32,
}

// What a shop keeps for ever of each order that it has refused or lost.
const _: () = assert!(size_of::<Option<PastOrder>>() <= 96);

/// All orders that are past, and those that will be.
#[derive(Clone)]
pub(super) struct Past {
    index: Index,
    orders: Arena<PastOrder>,
    pub(super) unsaved: Changes,
    /// Orders that were settled by an event at this time, by time; what came of one since then
    /// stands behind once more.
    queue: VecDeque<(Timestamp, OrderId)>,
}

/// Where an order is.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// In the book.
    Placed(u32),
    /// Behind the horizon.
    Past(u32),
    /// Nowhere: nobody has asked for it.
    Never,
}

impl Past {
    pub(super) fn new(hashing: FixedState) -> Self {
        Self {
            index: Index::new(hashing),
            orders: Arena::new(),
            unsaved: Changes::default(),
            queue: VecDeque::new(),
        }
    }

    fn find(&self, id: OrderId) -> Option<u32> {
        self.index.find(self.index.tag(id), |at| self.orders.get(at).id == id)
    }

    pub(super) fn touch(&self, id: OrderId) -> u32 {
        self.index.touch(self.index.tag(id))
    }

    pub(super) fn get(&self, at: u32) -> &PastOrder {
        self.orders.get(at)
    }

    /// Adds an order as it was saved.
    pub(super) fn load(&mut self, order: PastOrder) -> u32 {
        let tag = self.index.tag(order.id);
        let at = self.orders.insert(order);
        self.index.insert(tag, at);
        at
    }

    /// Takes an order in that will be past, if it is settled by an event of this epoch: nothing else
    /// settles one.
    pub(super) fn expect(&mut self, context: &Context, placed: &Placed) {
        if placed.updated_at == context.now {
            self.expect_loaded(placed);
        }
    }

    /// The same of an order as it was saved.
    pub(super) fn expect_loaded(&mut self, placed: &Placed) {
        if placed.order.is_settled() {
            self.queue.push_back((placed.updated_at, placed.id));
        }
    }

    /// Orders were loaded in any order.
    pub(super) fn sort(&mut self) {
        self.queue.make_contiguous().sort_unstable();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PastOrder> {
        self.orders.iter().map(|(_, order)| order)
    }
}

impl Customers {
    /// Where an order is at this time.
    pub(super) fn know(&mut self, context: &Context, id: OrderId) -> Known {
        match self.orders.find(id) {
            Some(at) if self.is_past(context, at) => Known::Past(self.leave(at)),
            Some(at) => Known::Placed(at),
            None => self.past.find(id).map_or(Known::Never, Known::Past),
        }
    }

    /// Whose an order is, if anybody has asked for it.
    pub(super) fn whose(&self, id: OrderId) -> Option<CustomerId> {
        match self.orders.find(id) {
            Some(at) => Some(self.orders.get(at).order.customer()),
            None => self.past.find(id).map(|at| self.past.get(at).settled.customer()),
        }
    }

    /// Takes those out of the book that are past.
    pub(super) fn leave_past(&mut self, context: &Context) {
        for _ in 0..LEAVE_MAX {
            let Some((since, id)) = self.past.queue.front().copied() else { return };
            if !is_over(context, since) {
                return;
            }
            self.past.queue.pop_front();
            if let Some(at) = self.orders.find(id).filter(|at| self.is_past(context, *at)) {
                self.leave(at);
            }
        }
    }

    fn is_past(&self, context: &Context, at: u32) -> bool {
        let Placed { order, updated_at, unsettled, .. } = self.orders.get(at);
        // What this round has brought about it is still to be told.
        let stands = *unsettled == SETTLED && order.is_settled();
        stands && is_over(context, *updated_at)
    }

    fn leave(&mut self, at: u32) -> u32 {
        let Placed { id, order, events, .. } = self.orders.remove(at);
        let settled = Settled::of(&order).expect("only what is settled leaves");
        let at = self.past.load(PastOrder { id, settled, events });
        self.past.unsaved.mark(at);
        at
    }

    /// What comes of an order that is past.
    pub(super) fn late(
        &mut self,
        origin: Origin,
        at: u32,
        command: &Command,
        out: &mut Out<ToProduct>,
    ) {
        out.late += 1;
        let PastOrder { id, settled, .. } = self.past.orders.get_mut(at);
        let id = *id;
        let change = match *command {
            Command::Payment { outcome, amount, currency } => {
                settled.decide(outcome, amount, currency)
            }
            Command::Reserved { .. } | Command::Refused { .. } | Command::Revoked { .. } => {
                unreachable!("I4: a claim is open of an order that was settled long ago")
            }
        };
        let Some(change) = change else { return out.digest(digest::of_duplicate(origin.cause_id)) };
        self.past.unsaved.mark(at);
        let mut next = Some(change);
        while let Some(change) = next {
            let settled = &mut self.past.orders.get_mut(at).settled;
            settled.evolve(change);
            next = settled.consequence();
            let undo = match change {
                payment::Event::Told(_) => continue,
                payment::Event::Strayed(stray) => stray,
                payment::Event::Asked(verb) => {
                    let (amount, currency) =
                        (settled.payment().amount(), settled.payment().currency());
                    Stray { verb, amount, currency }
                }
            };
            self.undo(origin, at, undo, out);
        }
        out.digest(digest::of_past(id, self.past.get(at).settled.payment().word()));
    }

    fn undo(&mut self, origin: Origin, at: u32, undo: Stray, out: &mut Out<ToProduct>) {
        let PastOrder { id, settled, events } = self.past.orders.get_mut(at);
        *events += 1;
        let event = PaymentRequested {
            payment_id: id.payment(),
            order_id: *id,
            customer_id: settled.customer(),
            verb: undo.verb,
            amount: undo.amount,
            currency: undo.currency,
            payment_method: settled.payment_method(),
            expires_at: Timestamp::MAX,
        };
        press::request_payment(origin, *events, event, out);
    }
}

/// Whether what stood so since this time is past. It is by the time of the epoch before: a claim that
/// was under way when all stood still for a week finds its order, and is given back.
fn is_over(context: &Context, since: Timestamp) -> bool {
    let kept = context.rules.settled_kept_ms();
    kept.is_some_and(|kept| since.plus_ms(kept) <= context.before)
}
