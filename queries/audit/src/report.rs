//! What the audit found: per invariant how often it was checked and where it did not hold.

use crate::inventory::Inventory;
use crate::orders::Orders;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Examples that a report names per invariant.
const EXAMPLES_MAX: usize = 10;

/// The invariants: number and what holds.
const INVARIANTS: [(&str, &str); 17] = [
    ("I1", "received + adjusted + returned - shipped = on_hand"),
    ("I2", "no stock sum below zero"),
    ("I3", "reserved and allocated are the sums of their claims"),
    ("I4", "a reservation ends exactly once"),
    ("I5", "expiry never before the deadline"),
    ("I6", "confirmed: every line allocated; rejected or cancelled: nothing held"),
    ("I7", "no undersell: firm claims alone justify each refusal"),
    ("I8", "only legal order states, never back"),
    ("I9", "captured - refunded is what the order owes; at most one capture"),
    ("I10", "the same action has one effect"),
    ("I11", "every effect has a cause on the log"),
    ("I12", "every view row equals the fold of the log"),
    ("I13", "versions, epochs and now never go back"),
    ("I14", "stars"),
    ("I15", "consumed = applied + deduplicated + dead-lettered"),
    ("I16", "the same log gives the same bytes"),
    ("I17", "while there is input, epochs advance"),
];

/// One place where an invariant did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    key: String,
    expected: String,
    found: String,
    position: String,
}

impl Breach {
    pub(crate) fn new(
        key: &dyn Display,
        expected: impl Display,
        found: impl Display,
        position: &str,
    ) -> Self {
        Self {
            key: key.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
            position: position.to_owned(),
        }
    }
}

/// An invariant's part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Invariant {
    /// `I1` to `I17`.
    pub id: &'static str,
    /// What holds.
    pub name: &'static str,
    /// How often it was checked; 0: this audit cannot see it.
    pub checked: u64,
    /// How often it did not hold.
    pub breaches: u64,
    /// Some of them.
    pub examples: Vec<Breach>,
}

/// A view's part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct ViewReport {
    /// Its name.
    pub name: &'static str,
    /// Rows compared.
    pub rows: u64,
    /// Rows that differ, are missing, or are too many.
    pub differences: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct OrderTotals {
    requested: u64,
    rejected: u64,
    awaiting_payment: u64,
    confirmed: u64,
    cancelled: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct UnitTotals {
    received: i64,
    adjusted: i64,
    shipped: i64,
    returned: i64,
    on_hand: i64,
    available: i64,
    reserved: i64,
    allocated: i64,
    safety_stock: i64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct MoneyTotals {
    currency: String,
    authorized: i64,
    captured: i64,
    voided: i64,
    refunded: i64,
}

/// Sums over the whole shop.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    orders: OrderTotals,
    units: UnitTotals,
    money: Vec<MoneyTotals>,
}

impl Totals {
    pub(crate) fn of(inventory: &Inventory, orders: &Orders) -> Self {
        let mut totals = Self::default();
        for level in inventory.levels() {
            let sums = level.sums();
            let units = &mut totals.units;
            units.received += level.received;
            units.adjusted += level.adjusted;
            units.on_hand += sums.on_hand;
            units.available += sums.available;
            units.reserved += sums.reserved;
            units.allocated += sums.allocated;
            units.safety_stock += sums.safety_stock;
        }
        let mut money: BTreeMap<String, MoneyTotals> = BTreeMap::new();
        for order in orders.all() {
            use sinks::view_store::rows::OrderState as State;
            *match order.state {
                State::Requested => &mut totals.orders.requested,
                State::Rejected => &mut totals.orders.rejected,
                State::AwaitingPayment => &mut totals.orders.awaiting_payment,
                State::Confirmed => &mut totals.orders.confirmed,
                State::Cancelled => &mut totals.orders.cancelled,
            } += 1;
            let Some(payment) = &order.payment else { continue };
            let sum = money.entry(order.currency.to_string()).or_default();
            sum.authorized += payment.authorized;
            sum.captured += payment.captured;
            sum.voided += payment.voided;
            sum.refunded += payment.refunded;
        }
        totals.money =
            money.into_iter().map(|(currency, sum)| MoneyTotals { currency, ..sum }).collect();
        totals
    }
}

/// The audit's whole result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub ok: bool,
    /// The last epoch that was folded.
    pub epoch: u64,
    /// Records read.
    pub records: u64,
    /// By number.
    pub invariants: Vec<Invariant>,
    /// The views that were compared.
    pub views: Vec<ViewReport>,
    /// Sums over the whole shop.
    pub totals: Totals,
}

/// Collects checks.
#[derive(Debug, Default)]
pub(crate) struct Judge(BTreeMap<&'static str, (u64, u64, Vec<Breach>)>);

impl Judge {
    /// Counts a check of the invariant, and the breach if it does not hold.
    pub(crate) fn check(&mut self, id: &'static str, holds: bool, breach: impl FnOnce() -> Breach) {
        let (checked, breaches, examples) = self.0.entry(id).or_default();
        *checked += 1;
        if !holds {
            *breaches += 1;
            if examples.len() < EXAMPLES_MAX {
                examples.push(breach());
            }
        }
    }

    pub(crate) fn report(
        mut self,
        epoch: u64,
        records: u64,
        views: Vec<ViewReport>,
        totals: Totals,
    ) -> Report {
        let invariants: Vec<_> = INVARIANTS
            .into_iter()
            .map(|(id, name)| {
                let (checked, breaches, examples) = self.0.remove(id).unwrap_or_default();
                Invariant { id, name, checked, breaches, examples }
            })
            .collect();
        let ok = invariants.iter().all(|invariant| invariant.breaches == 0);
        Report { ok, epoch, records, invariants, views, totals }
    }
}
