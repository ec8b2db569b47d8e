//! The schemas as they stand under `avro/`, one an event.

use crate::events::EventKind;
use apache_avro::Schema;
use serde_json::Value;

/// The text of an event's schema.
#[must_use]
pub const fn schema(kind: EventKind) -> &'static str {
    macro_rules! avsc {
        ($path:literal) => {
            include_str!(concat!("../avro/", $path, ".avsc"))
        };
    }
    match kind {
        EventKind::CheckoutRequested => avsc!("customer-actions/CheckoutRequested"),
        EventKind::CartItemAddRequested => avsc!("customer-actions/CartItemAddRequested"),
        EventKind::CartItemSetRequested => avsc!("customer-actions/CartItemSetRequested"),
        EventKind::CancellationRequested => avsc!("customer-actions/CancellationRequested"),
        EventKind::PaymentReported => avsc!("customer-actions/PaymentReported"),
        EventKind::ProductPutRequested => avsc!("product-actions/ProductPutRequested"),
        EventKind::ProductDelistRequested => avsc!("product-actions/ProductDelistRequested"),
        EventKind::StockReceiptRequested => avsc!("product-actions/StockReceiptRequested"),
        EventKind::StockAdjustmentRequested => avsc!("product-actions/StockAdjustmentRequested"),
        EventKind::SafetyStockSetRequested => avsc!("product-actions/SafetyStockSetRequested"),
        EventKind::WarehousePutRequested => avsc!("warehouse-actions/WarehousePutRequested"),
        EventKind::CartChanged => avsc!("orders/CartChanged"),
        EventKind::CartCleared => avsc!("orders/CartCleared"),
        EventKind::CustomerActionRejected => avsc!("orders/CustomerActionRejected"),
        EventKind::OrderRequested => avsc!("orders/OrderRequested"),
        EventKind::OrderRejected => avsc!("orders/OrderRejected"),
        EventKind::OrderAwaitingPayment => avsc!("orders/OrderAwaitingPayment"),
        EventKind::OrderConfirmed => avsc!("orders/OrderConfirmed"),
        EventKind::OrderCancelled => avsc!("orders/OrderCancelled"),
        EventKind::PaymentChanged => avsc!("orders/PaymentChanged"),
        EventKind::ProductListed => avsc!("inventory/ProductListed"),
        EventKind::ProductDelisted => avsc!("inventory/ProductDelisted"),
        EventKind::ProductActionRejected => avsc!("inventory/ProductActionRejected"),
        EventKind::StockReceived => avsc!("inventory/StockReceived"),
        EventKind::StockAdjusted => avsc!("inventory/StockAdjusted"),
        EventKind::SafetyStockChanged => avsc!("inventory/SafetyStockChanged"),
        EventKind::StockReserved => avsc!("inventory/StockReserved"),
        EventKind::ReservationSecured => avsc!("inventory/ReservationSecured"),
        EventKind::StockRefused => avsc!("inventory/StockRefused"),
        EventKind::StockAllocated => avsc!("inventory/StockAllocated"),
        EventKind::StockReleased => avsc!("inventory/StockReleased"),
        EventKind::ReservationExpired => avsc!("inventory/ReservationExpired"),
        EventKind::ReservationRevoked => avsc!("inventory/ReservationRevoked"),
        EventKind::AllocationShorted => avsc!("inventory/AllocationShorted"),
        EventKind::PaymentRequested => avsc!("payment-requests/PaymentRequested"),
        EventKind::GenerationClaimed => avsc!("epochs/GenerationClaimed"),
        EventKind::EpochPlanned => avsc!("epochs/EpochPlanned"),
        EventKind::RecordSkipped => avsc!("epochs/RecordSkipped"),
        EventKind::PlanningDrained => avsc!("epochs/PlanningDrained"),
        EventKind::TimeAccepted => avsc!("epochs/TimeAccepted"),
        EventKind::DeadLetter => avsc!("dead-letters/DeadLetter"),
    }
}

/// The same, parsed.
pub(crate) fn json(kind: EventKind) -> Value {
    serde_json::from_str(schema(kind)).expect("a test parses each of them")
}

/// The full name of an event's record: `watermart.orders.OrderConfirmed`.
#[must_use]
pub fn full_name(kind: EventKind) -> String {
    format!("watermart.{}.{}", kind.topic().suffix().replace('-', "_"), kind.name())
}

/// Whether two schemas lay out the same bytes under the same names, however they are written down;
/// of what is no schema, whether it is the same text.
#[must_use]
pub fn lies_alike(a: &str, b: &str) -> bool {
    let canonical = |text| Schema::parse_str(text).ok().map(|schema| schema.canonical_form());
    a == b || canonical(a).is_some_and(|a| canonical(b) == Some(a))
}

/// The full name that a schema's outermost type says it has; empty if it says none.
pub(crate) fn full_name_of(json: &Value) -> String {
    let name = json["name"].as_str().unwrap_or_default();
    match json["namespace"].as_str() {
        Some(namespace) if !namespace.is_empty() && !name.contains('.') => {
            format!("{namespace}.{name}")
        }
        Some(_) | None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_has_the_full_name_of_its_event() {
        for kind in EventKind::ALL {
            assert_eq!(full_name_of(&json(*kind)), full_name(*kind));
        }
    }
}
