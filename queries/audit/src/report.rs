//! The report, as the outside interface has it, and the totals in it.

use crate::fold::Fold;
use crate::ledger::LedgerReport;
use crate::verdicts::Verdict;
use schemas::money::Currency;
use serde::Serialize;
use sinks::view_store::rows::OrderState;
use std::collections::BTreeMap;

/// What the audit found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether all that was checked holds.
    pub ok: bool,
    /// The last epoch on the log.
    pub epoch: u64,
    /// Records read.
    pub records: u64,
    /// Records that are planned but whose epoch was not decided before the log ends.
    pub not_judged: u64,
    /// A hash over all rows that were folded.
    pub digest: String,
    /// By number.
    pub invariants: Vec<Verdict>,
    /// The epoch up to which the views were compared; none if they were not.
    pub views_epoch: Option<u64>,
    /// By view.
    pub views: Vec<ViewReport>,
    /// Of the fold at the end of the log.
    pub totals: Totals,
    /// If there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerReport>,
}

/// One view against the fold.
#[derive(Clone, Debug, Serialize)]
pub struct ViewReport {
    /// Its name.
    pub name: &'static str,
    /// Rows in the store.
    pub rows: u64,
    /// Rows that differ, are too many or missing.
    pub differences: u64,
}

/// Sums over the shop.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Orders by where they stand.
    pub orders: OrderTotals,
    /// Units over all products and warehouses.
    pub units: UnitTotals,
    /// By currency.
    pub money: Vec<MoneyTotals>,
}

/// Orders by where they stand.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct OrderTotals {
    /// Asked for, and undecided.
    pub requested: u64,
    /// Refused.
    pub rejected: u64,
    /// Reserved.
    pub awaiting_payment: u64,
    /// Allocated.
    pub confirmed: u64,
    /// Ended without sale.
    pub cancelled: u64,
}

/// Units over all products and warehouses. Nothing is shipped or returned yet.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the words are the glossary's")]
pub struct UnitTotals {
    pub received: i64,
    pub adjusted: i64,
    pub shipped: i64,
    pub returned: i64,
    pub on_hand: i64,
    pub available: i64,
    pub reserved: i64,
    pub allocated: i64,
    pub safety_stock: i64,
}

/// Money of one currency, in minor units.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MoneyTotals {
    /// Which.
    pub currency: Currency,
    /// Held for us at some time.
    pub authorized: i64,
    /// Taken.
    pub captured: i64,
    /// Holds given up.
    pub voided: i64,
    /// Given back.
    pub refunded: i64,
}

impl Totals {
    pub(crate) fn of(fold: &Fold) -> Self {
        let mut totals = Self::default();
        let mut money: BTreeMap<Currency, MoneyTotals> = BTreeMap::new();
        for order in fold.orders.all.values() {
            let orders = &mut totals.orders;
            *match order.state {
                OrderState::Requested => &mut orders.requested,
                OrderState::AwaitingPayment => &mut orders.awaiting_payment,
                OrderState::Confirmed => &mut orders.confirmed,
                OrderState::Rejected => &mut orders.rejected,
                OrderState::Cancelled => &mut orders.cancelled,
            } += 1;
            let (currency, authorized, captured, voided, refunded) = (order.currency, 0, 0, 0, 0);
            let fresh = MoneyTotals { currency, authorized, captured, voided, refunded };
            let sums = money.entry(currency).or_insert(fresh);
            sums.authorized += order.payment.authorized;
            sums.captured += order.payment.captured;
            sums.voided += order.payment.voided;
            sums.refunded += order.payment.refunded;
        }
        totals.money = money.into_values().collect();
        for level in fold.stock.products.values().flat_map(|product| &product.levels) {
            let units = &mut totals.units;
            units.received += level.received;
            units.adjusted += level.adjusted;
            units.on_hand += level.on_hand;
            units.available += level.available();
            units.reserved += level.reserved;
            units.allocated += level.allocated;
            units.safety_stock += level.safety_stock();
        }
        totals
    }
}
