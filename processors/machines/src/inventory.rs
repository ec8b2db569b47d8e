//! One product's stock levels, one a warehouse, and how a line is split over them.
//!
//! ```text
//! on_hand = available + reserved + allocated + safety_stock          (I1), none below zero (I2)
//! safety_stock = what is there of the units that shall be kept back
//! ```
//!
//! Routing, all units or none, from at most [`SPLIT_MAX`] warehouses:
//!
//! | can serve the whole line | is served from |
//! |---|---|
//! | one warehouse of the preferred region | that of them with the lowest priority number, then id |
//! | several of the preferred region together | only them, the fullest first: the fewest parcels |
//! | one warehouse elsewhere | that of them with the lowest priority number, then id |
//! | several anywhere together | all of them, the fullest first, ties by region, priority, id |

use schemas::events::lines::{Level, Split};
use schemas::events::orders::Reason;
use schemas::id::{RegionId, WarehouseId};
use schemas::limits::SPLIT_MAX;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Units of the product in one warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// Where.
    pub warehouse: WarehouseId,
    /// Units there.
    pub on_hand: u32,
    /// Units of open reservations, soft and firm.
    pub reserved: u32,
    /// Units of those reservations whose orders are still undecided.
    pub soft: u32,
    /// Units of confirmed lines.
    pub allocated: u32,
    /// Units that shall be kept back.
    pub safety_stock_wanted: u32,
    /// The seller's changes, from 1.
    pub version: u32,
}

impl StockLevel {
    const fn empty(warehouse: WarehouseId) -> Self {
        Self {
            warehouse,
            on_hand: 0,
            reserved: 0,
            soft: 0,
            allocated: 0,
            safety_stock_wanted: 0,
            version: 0,
        }
    }

    #[inline]
    const fn unclaimed(&self) -> u32 {
        match self.on_hand.checked_sub(self.reserved + self.allocated) {
            Some(units) => units,
            None => panic!("I2: more is claimed than on hand"),
        }
    }

    /// Units that can be promised.
    #[must_use]
    #[inline]
    pub const fn available(&self) -> u32 {
        self.unclaimed().saturating_sub(self.safety_stock_wanted)
    }

    /// Units kept back, as far as they are there.
    #[must_use]
    pub const fn safety_stock(&self) -> u32 {
        self.unclaimed() - self.available()
    }

    /// Units that could be promised if all undecided orders gave theirs back.
    #[inline]
    const fn left_by_firm_claims(&self) -> u32 {
        (self.unclaimed() + self.soft).saturating_sub(self.safety_stock_wanted)
    }
}

/// What a seller asks of a stock level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Goods arrived.
    Receive {
        /// Units.
        quantity: u32,
    },
    /// A recount or damage: a fact.
    Adjust {
        /// Units more or, negative, less.
        change: i64,
        /// The version that the seller saw.
        expected_version: Option<u64>,
    },
    /// Units shall be kept back.
    KeepBack {
        /// Units.
        wanted: u32,
    },
}

/// A stock level as a seller's change leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Where.
    pub warehouse: WarehouseId,
    /// Units there.
    pub on_hand: u32,
    /// What on_hand changes by.
    pub change: i64,
    /// Units that shall be kept back.
    pub safety_stock_wanted: u32,
    /// The seller's changes so far.
    pub version: u32,
}

/// What a seller's change makes of the level, or why it comes to nothing. On hand it never falls
/// below zero; units beyond what a level can count (`u32::MAX`) are refused.
pub fn decide(
    stock: &Stock,
    warehouses: &Warehouses,
    warehouse: WarehouseId,
    command: Command,
) -> Result<Counted, Reason> {
    warehouses.get(warehouse).ok_or(Reason::UnknownWarehouse)?;
    let level = stock.level(warehouse).map(|(_, level)| *level);
    let level = level.unwrap_or_else(|| StockLevel::empty(warehouse));
    let mut wanted = level.safety_stock_wanted;
    let asked = match command {
        Command::Receive { quantity } => i64::from(quantity),
        Command::Adjust { change, expected_version } => {
            if expected_version.is_some_and(|seen| seen != u64::from(level.version)) {
                return Err(Reason::VersionMismatch);
            }
            change
        }
        Command::KeepBack { wanted: units } => {
            wanted = units;
            0
        }
    };
    let on_hand = i64::from(level.on_hand).saturating_add(asked).max(0);
    let version = level.version.checked_add(1).ok_or(Reason::LimitExceeded)?;
    Ok(Counted {
        warehouse,
        on_hand: u32::try_from(on_hand).map_err(|_over| Reason::LimitExceeded)?,
        change: on_hand - i64::from(level.on_hand),
        safety_stock_wanted: wanted,
        version,
    })
}

/// What becomes of claimed units, level by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// Into a reservation; whether a soft one.
    Reserve {
        /// Of an undecided order.
        soft: bool,
    },
    /// A soft reservation is firm.
    Secure,
    /// Out of a reservation, which was soft or not.
    Unreserve {
        /// Of an undecided order.
        soft: bool,
    },
    /// From a firm or soft reservation into an allocation.
    Allocate {
        /// Of an undecided order.
        soft: bool,
    },
    /// Out of an allocation.
    Deallocate,
}

/// The product's stock levels, in the order of their warehouses' ids.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stock {
    levels: Box<[StockLevel]>,
}

impl Stock {
    /// All levels.
    #[must_use]
    #[inline]
    pub fn levels(&self) -> &[StockLevel] {
        &self.levels
    }

    /// The level at this warehouse and its place among [`Stock::levels`].
    #[must_use]
    pub fn level(&self, warehouse: WarehouseId) -> Option<(usize, &StockLevel)> {
        let at = self.place(warehouse).ok()?;
        Some((at, &self.levels[at]))
    }

    #[inline]
    fn place(&self, warehouse: WarehouseId) -> Result<usize, usize> {
        if self.levels.len() <= 8 {
            let at = self.levels.iter().take_while(|level| level.warehouse < warehouse).count();
            let found = self.levels.get(at).is_some_and(|level| level.warehouse == warehouse);
            return if found { Ok(at) } else { Err(at) };
        }
        self.levels.binary_search_by(|level| level.warehouse.cmp(&warehouse))
    }

    /// Units that one line could have now.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.most(StockLevel::available)
    }

    /// Units that one line could have if all undecided orders gave theirs back: what firm claims
    /// alone leave.
    #[must_use]
    #[inline]
    pub fn left_by_firm_claims(&self) -> u64 {
        self.most(StockLevel::left_by_firm_claims)
    }

    #[inline]
    fn most(&self, units: impl Fn(&StockLevel) -> u32) -> u64 {
        if self.levels.len() <= SPLIT_MAX {
            return self.levels.iter().map(|level| u64::from(units(level))).sum();
        }
        let mut all: Vec<u32> = self.levels.iter().map(units).collect();
        all.sort_unstable_by_key(|units| Reverse(*units));
        all.iter().take(SPLIT_MAX).map(|units| u64::from(*units)).sum()
    }

    /// Takes in a seller's change, after the claims that do not fit any more have ended; returns
    /// the changed levels as [`Stock::evolve`] does.
    pub fn count(&mut self, counted: &Counted) -> u32 {
        let (at, mut changed) = match self.place(counted.warehouse) {
            Ok(at) => (at, 0),
            Err(at) => {
                // Stock levels are made once and live long: no room is kept for more.
                let (before, behind) = self.levels.split_at(at);
                let new = StockLevel::empty(counted.warehouse);
                self.levels = before.iter().chain([&new]).chain(behind).copied().collect();
                // Those behind it have moved, whatever stood there.
                (at, u32::MAX)
            }
        };
        let level = &mut self.levels[at];
        level.on_hand = counted.on_hand;
        level.safety_stock_wanted = counted.safety_stock_wanted;
        level.version = counted.version;
        level.unclaimed();
        changed |= bit(at);
        changed
    }

    /// Moves units of a claim; returns the places of the levels as a set of bits, see [`bit`].
    #[inline]
    pub fn evolve(&mut self, movement: Movement, units: &[Level]) -> u32 {
        let mut changed = 0;
        for Level { warehouse_id, quantity } in units {
            let Ok(at) = self.place(*warehouse_id) else {
                panic!("I3: a claim at {warehouse_id}, where there is no stock level");
            };
            changed |= bit(at);
            let level = &mut self.levels[at];
            let less = |sum: u32| match sum.checked_sub(*quantity) {
                Some(sum) => sum,
                None => panic!("I3: a claim of {quantity} units is not within their sum {sum}"),
            };
            match movement {
                Movement::Reserve { soft } => {
                    if *quantity > level.available() {
                        panic!("I2: {quantity} units reserved of {}", level.available());
                    }
                    level.reserved += quantity;
                    level.soft += if soft { *quantity } else { 0 };
                }
                Movement::Secure => level.soft = less(level.soft),
                Movement::Unreserve { soft } => {
                    level.reserved = less(level.reserved);
                    level.soft = if soft { less(level.soft) } else { level.soft };
                }
                Movement::Allocate { soft } => {
                    level.reserved = less(level.reserved);
                    level.soft = if soft { less(level.soft) } else { level.soft };
                    level.allocated += quantity;
                }
                Movement::Deallocate => level.allocated = less(level.allocated),
            }
        }
        changed
    }
}

/// The bit of the stock level at this place; from the 32nd on they share the last.
#[must_use]
pub const fn bit(place: usize) -> u32 {
    1 << if place < 31 { place } else { 31 }
}

/// What routing knows of a warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warehouse {
    /// Which.
    pub id: WarehouseId,
    /// Where it stands.
    pub region: RegionId,
    /// Lower is served from first.
    pub priority: u32,
}

/// The warehouses that are set up, in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Warehouses(Vec<Warehouse>);

impl Warehouses {
    /// Sets one up, or changes it.
    pub fn put(&mut self, warehouse: Warehouse) {
        match self.0.binary_search_by_key(&warehouse.id, |known| known.id) {
            Ok(at) => self.0[at] = warehouse,
            Err(at) => self.0.insert(at, warehouse),
        }
    }

    /// The warehouse of this id.
    #[must_use]
    #[inline]
    pub fn get(&self, id: WarehouseId) -> Option<&Warehouse> {
        self.0.binary_search_by_key(&id, |known| known.id).ok().map(|at| &self.0[at])
    }
}

/// Where `quantity` units for `region` come from; none if they are not there.
#[inline]
#[must_use]
pub fn route(
    stock: &Stock,
    warehouses: &Warehouses,
    region: RegionId,
    quantity: u32,
) -> Option<Split> {
    let known = |level: &StockLevel| match warehouses.get(level.warehouse) {
        Some(warehouse) => (warehouse.region != region, warehouse.priority, warehouse.id),
        None => panic!("I1: stock at {}, which is not set up", level.warehouse),
    };
    let mut near = 0;
    let mut best_single = None;
    for level in stock.levels() {
        let (available, rank) = (level.available(), known(level));
        near += if rank.0 { 0 } else { u64::from(available) };
        if available >= quantity && best_single.is_none_or(|best| rank < best) {
            best_single = Some(rank);
        }
    }
    let split_near = near >= u64::from(quantity);
    if let Some((far, _, warehouse_id)) = best_single
        && !(far && split_near)
    {
        return Some(Split::One(Level { warehouse_id, quantity }));
    }
    let mut from: Vec<_> =
        stock.levels().iter().map(|level| (Reverse(level.available()), known(level))).collect();
    from.sort_unstable();
    let fullest_near = from.iter().copied().filter(|(_, rank)| !rank.0);
    cover(fullest_near, quantity).or_else(|| {
        // A region with more warehouses than a line may be split over may fall short.
        match best_single {
            Some((_, _, warehouse_id)) => Some(Split::One(Level { warehouse_id, quantity })),
            None => cover(from.iter().copied(), quantity),
        }
    })
}

type Rank = (bool, u32, WarehouseId);

fn cover(from: impl Iterator<Item = (Reverse<u32>, Rank)>, quantity: u32) -> Option<Split> {
    let mut missing = quantity;
    let mut levels = Vec::new();
    for (Reverse(available), (_, _, warehouse_id)) in from.take(SPLIT_MAX) {
        let quantity = missing.min(available);
        if quantity == 0 {
            break;
        }
        levels.push(Level { warehouse_id, quantity });
        missing -= quantity;
    }
    (missing == 0).then(|| Split::of(&levels))
}
