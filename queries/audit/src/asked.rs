//! Whether an effect says what its record asked for: the units, the listing, the lines.
//!
//! A receipt that is booked with one unit less than came is an effect with a cause, and the views
//! agree with it; only the record says that it is wrong. Looked at are effects that repeat what
//! was asked. What is worked out from more than the record (a cart's sum, an order made of a cart)
//! is not.

use crate::verdicts::Invariant;
use schemas::events::Event;
use schemas::events::lines::OrderLine;
use std::fmt::Debug;

/// What an effect says that its record did not.
pub(crate) struct Difference {
    pub(crate) invariant: Invariant,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// Compares an effect with its record. Units are conserved: I1; all else has no cause: I11.
pub(crate) fn difference(asked: &Event, told: &Event) -> Option<Difference> {
    match (asked, told) {
        (Event::StockReceiptRequested(a), Event::StockReceived(t)) => differs(
            Invariant::I1,
            &(a.product_id, a.warehouse_id, a.quantity, &a.reference),
            &(t.product_id, t.warehouse_id, t.quantity, &t.reference),
        ),
        (Event::StockAdjustmentRequested(a), Event::StockAdjusted(t)) => differs(
            Invariant::I1,
            &(a.product_id, a.warehouse_id, a.change, &a.reason),
            &(t.product_id, t.warehouse_id, t.asked, &t.reason),
        ),
        (Event::SafetyStockSetRequested(a), Event::SafetyStockChanged(t)) => differs(
            Invariant::I11,
            &(a.product_id, a.warehouse_id, a.safety_stock),
            &(t.product_id, t.warehouse_id, t.safety_stock),
        ),
        (Event::ProductPutRequested(a), Event::ProductListed(t)) => {
            differs(Invariant::I11, &(a.product_id, &a.listing), &(t.product_id, &t.listing))
        }
        (Event::CartItemSetRequested(a), Event::CartChanged(t)) => differs(
            Invariant::I11,
            &(a.customer_id, a.product_id, a.quantity),
            &(t.customer_id, t.product_id, t.quantity),
        ),
        (Event::CheckoutRequested(a), Event::OrderRequested(t)) => {
            let terms = (a.order_id, a.customer_id, a.currency, a.region, a.payment_method);
            let told = (t.order_id, t.customer_id, t.currency, t.region, t.payment_method);
            differs(Invariant::I11, &terms, &told).or_else(|| {
                let lines = demand(a.lines.as_ref()?);
                differs(Invariant::I11, &lines, &t.lines)
            })
        }
        _ => None,
    }
}

fn differs<T: PartialEq + Debug>(invariant: Invariant, a: &T, t: &T) -> Option<Difference> {
    (a != t).then(|| Difference { invariant, expected: format!("{a:?}"), found: format!("{t:?}") })
}

/// One line a product, where it stands first and at that price, quantities summed.
fn demand(asked: &[OrderLine]) -> Vec<OrderLine> {
    let mut lines: Vec<OrderLine> = Vec::with_capacity(asked.len());
    for line in asked {
        match lines.iter_mut().find(|known| known.product_id == line.product_id) {
            Some(known) => known.quantity = known.quantity.saturating_add(line.quantity),
            None => lines.push(*line),
        }
    }
    lines
}
