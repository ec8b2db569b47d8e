//! One order's claim on one product, and who waits for units.
//!
//! ```text
//!            +--> refused                                  +--> shorted (stays, with less)
//! asked --> waiting --> soft --secure--> firm --confirm--> allocated --release--> (gone)
//!   |                    |                 |
//!   +--------------------+-----------------+--release, expire, revoke--> (gone)
//! ```
//!
//! A reservation ends exactly once (I4), never lapses before its deadline (I5), and a line is
//! refused only if firm claims alone leave less than it asks (I7). So a line that only *soft*
//! claims, those of undecided orders, keep from its units waits at the product, in the order in
//! which lines were asked; nobody is served past one who waits.
//!
//! No two orders wait for each other for ever. An order asks all of its lines in one round, and
//! every product takes the lines of a round in canonical order: so all products see any two
//! orders in the same order, by (round, cause, order id). A line waits only for soft claims and
//! places of orders that came before it; the first of all undecided orders therefore waits for
//! nobody, is decided, and a round later its claims are firm or gone.

use crate::inventory::{Movement, Stock, Warehouses, route};
use schemas::events::Event;
use schemas::events::inventory::{
    AllocationShorted, ReservationExpired, ReservationRevoked, ReservationSecured, StockAllocated,
    StockRefused, StockReleased, StockReserved,
};
use schemas::events::lines::{Level, Split};
use schemas::events::orders::Reason;
use schemas::id::{EventId, OrderId, ProductId, WarehouseId};
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalogued, buyable};
use crate::message::{Cause, Reserve};

/// A line that waits for units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is asked.
    pub reserve: Reserve,
    /// What it began with.
    pub cause: Cause,
    /// The event it began with.
    pub cause_id: EventId,
}

/// What an order holds of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// A place in the queue.
    Waiting(Box<Waiting>),
    /// Units until a deadline.
    Reserved(Reservation),
    /// Units that are sold.
    Allocated {
        /// Where they are; without what is short.
        #[serde(with = "perhaps_none")]
        levels: Split,
    },
}

/// Units until a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Where they are.
    pub levels: Split,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// The event that the line began with.
    pub cause_id: EventId,
    /// The order's line.
    pub line: u16,
    /// Whether the order is still undecided.
    pub soft: bool,
}

/// What is asked of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make it firm.
    Secure,
    /// Give it back.
    Release,
    /// Make it an allocation.
    Confirm,
    /// Let it lapse if its deadline has passed.
    Expire,
    /// An adjustment took its units.
    Revoke,
}

/// What happens to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Opened.
    Reserved(Reservation),
    /// Firm from now on.
    Secured,
    /// Sold.
    Allocated,
    /// Given back.
    Released,
    /// Lapsed.
    Expired,
    /// Taken by an adjustment.
    Revoked,
    /// An adjustment took units of an allocation.
    Shorted(Level),
    /// A place in the queue was given up: nothing was held, nothing is said.
    Left,
}

/// The answer to a line that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It gets its units.
    Reserved(Reservation),
    /// It cannot be had.
    Refused {
        /// Why.
        reason: Reason,
        /// Units that firm claims leave.
        available: u32,
    },
    /// Its units may come free within rounds.
    Wait,
}

/// Answers a line. `first`: nobody who asked earlier waits for this product.
#[must_use]
#[inline]
pub fn answer(
    listing: Option<&Catalogued>,
    stock: &Stock,
    warehouses: &Warehouses,
    line: &Waiting,
    first: bool,
) -> Answer {
    let Reserve { quantity, region, price, currency, .. } = line.reserve;
    let left = stock.left_by_firm_claims();
    let refused = |reason| {
        let available = u32::try_from(left).unwrap_or(u32::MAX);
        Answer::Refused { reason, available }
    };
    if let Err(reason) = buyable(listing, quantity, price, currency) {
        return refused(reason);
    }
    if left < u64::from(quantity) {
        return refused(Reason::OutOfStock);
    }
    if !first {
        return Answer::Wait;
    }
    match route(stock, warehouses, region, quantity) {
        Some(levels) => Answer::Reserved(Reservation {
            levels,
            expires_at: line.reserve.expires_at,
            cause_id: line.cause_id,
            line: line.reserve.line,
            soft: !line.reserve.alone,
        }),
        None => Answer::Wait,
    }
}

/// What a command does to a claim; nothing where there is nothing to do.
#[must_use]
#[inline]
pub fn decide(claim: Option<&Claim>, command: Command, now: Timestamp) -> Option<Change> {
    match (command, claim) {
        (Command::Confirm, Some(Claim::Reserved(held))) if held.expires_at > now => {
            Some(Change::Allocated)
        }
        // An adjustment of this round came first: the order hears of it a round later, and ends.
        (Command::Confirm, None) => None,
        (Command::Confirm, Some(_)) => panic!("I6: a line is confirmed that is not reserved"),
        (Command::Secure, Some(Claim::Reserved(held))) => held.soft.then_some(Change::Secured),
        (Command::Expire, Some(Claim::Reserved(held))) => {
            (held.expires_at <= now).then_some(Change::Expired)
        }
        (Command::Expire, Some(Claim::Waiting(waiting))) => {
            (waiting.reserve.expires_at <= now).then_some(Change::Left)
        }
        (Command::Release, Some(Claim::Waiting(_))) => Some(Change::Left),
        (Command::Release, Some(Claim::Reserved(_) | Claim::Allocated { .. })) => {
            Some(Change::Released)
        }
        (Command::Revoke, Some(Claim::Reserved(_))) => Some(Change::Revoked),
        (Command::Secure | Command::Revoke, Some(Claim::Waiting(_) | Claim::Allocated { .. }))
        | (Command::Expire, Some(Claim::Allocated { .. }))
        | (Command::Secure | Command::Release | Command::Expire | Command::Revoke, None) => None,
    }
}

/// Applies a change to the stock and the claim; returns the changed levels as [`Stock::evolve`].
#[inline]
pub fn evolve(stock: &mut Stock, claim: &mut Option<Claim>, change: Change) -> u32 {
    match (change, claim.take()) {
        (Change::Reserved(held), None | Some(Claim::Waiting(_))) => {
            let changed = stock.evolve(Movement::Reserve { soft: held.soft }, held.levels.levels());
            *claim = Some(Claim::Reserved(held));
            changed
        }
        (Change::Secured, Some(Claim::Reserved(held))) => {
            let changed = stock.evolve(Movement::Secure, held.levels.levels());
            *claim = Some(Claim::Reserved(Reservation { soft: false, ..held }));
            changed
        }
        (Change::Allocated, Some(Claim::Reserved(held))) => {
            let changed =
                stock.evolve(Movement::Allocate { soft: held.soft }, held.levels.levels());
            *claim = Some(Claim::Allocated { levels: held.levels });
            changed
        }
        (Change::Released | Change::Expired | Change::Revoked, Some(Claim::Reserved(held))) => {
            stock.evolve(Movement::Unreserve { soft: held.soft }, held.levels.levels())
        }
        (Change::Released, Some(Claim::Allocated { levels })) => {
            stock.evolve(Movement::Deallocate, levels.levels())
        }
        (Change::Shorted(short), Some(Claim::Allocated { levels })) => {
            let changed = stock.evolve(Movement::Deallocate, &[short]);
            *claim = Some(Claim::Allocated { levels: without(&levels, short) });
            changed
        }
        (Change::Left, _) => 0,
        (change, claim) => panic!("I4: {change:?} of {claim:?}"),
    }
}

/// Levels of which none may be left: an allocation may be short of all of its units.
mod perhaps_none {
    use schemas::events::lines::{Level, Split};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(levels: &Split, s: S) -> Result<S::Ok, S::Error> {
        levels.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Split, D::Error> {
        Vec::<Level>::deserialize(d).map(|levels| Split::of(&levels))
    }
}

fn without(levels: &Split, short: Level) -> Split {
    let rest: Vec<Level> = levels
        .levels()
        .iter()
        .map(|level| match level.warehouse_id == short.warehouse_id {
            true => Level { quantity: level.quantity - short.quantity, ..*level },
            false => *level,
        })
        .filter(|level| level.quantity > 0)
        .collect();
    Split::of(&rest)
}

impl Claim {
    /// Where its units are.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        match self {
            Self::Waiting(_) => &[],
            Self::Reserved(held) => held.levels.levels(),
            Self::Allocated { levels } => levels.levels(),
        }
    }

    /// Its units at one warehouse.
    #[must_use]
    pub fn units_at(&self, warehouse: WarehouseId) -> u32 {
        let here = self.levels().iter().find(|level| level.warehouse_id == warehouse);
        here.map_or(0, |level| level.quantity)
    }
}

/// The event that tells of a change to `claim`; a place given up is not told.
#[must_use]
#[inline]
pub fn event(
    product_id: ProductId,
    order_id: OrderId,
    claim: Option<&Claim>,
    change: &Change,
) -> Option<Event> {
    let quantity = claim.map_or(0, |claim| claim.levels().iter().map(|level| level.quantity).sum());
    Some(match change {
        Change::Reserved(held) => Event::StockReserved(StockReserved {
            product_id,
            order_id,
            levels: held.levels.clone(),
            expires_at: held.expires_at,
            firm: !held.soft,
        }),
        Change::Secured => ReservationSecured { product_id, order_id }.into(),
        Change::Allocated => StockAllocated { product_id, order_id, quantity }.into(),
        Change::Released => {
            let allocated = matches!(claim, Some(Claim::Allocated { .. }));
            StockReleased { product_id, order_id, quantity, allocated }.into()
        }
        Change::Expired => ReservationExpired { product_id, order_id, quantity }.into(),
        Change::Revoked => ReservationRevoked { product_id, order_id, quantity }.into(),
        Change::Shorted(Level { warehouse_id, quantity }) => AllocationShorted {
            product_id,
            order_id,
            warehouse_id: *warehouse_id,
            quantity: *quantity,
        }
        .into(),
        Change::Left => return None,
    })
}

/// The event that tells of a refusal.
#[must_use]
pub fn refusal(reserve: &Reserve, reason: Reason, available: u32) -> Event {
    let Reserve { product: product_id, order: order_id, quantity: asked, .. } = *reserve;
    StockRefused { product_id, order_id, reason, asked, available }.into()
}
