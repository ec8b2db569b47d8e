//! The events, a file per topic. Field names and order are those of the `.avsc` files.
//!
//! | topic | key | events |
//! |---|---|---|
//! | `customer-actions` | customer | [`customer_actions`]: what shoppers ask, what payments became |
//! | `product-actions` | product | [`product_actions`]: listings, receipts, adjustments |
//! | `warehouse-actions` | warehouse | [`warehouse_actions`] |
//! | `orders` | customer | [`orders`]: what was decided on orders and carts |
//! | `inventory` | product | [`inventory`]: what was decided on stock and listings |
//! | `payment-requests` | payment | [`payment_requests`] |
//! | `epochs` | - | [`epochs`]: claims, plans, operators' words |
//! | `dead-letters` | - | [`dead_letters`] |

mod bounds;
pub mod customer_actions;
pub mod dead_letters;
pub mod epochs;
pub mod inventory;
pub mod lines;
pub mod orders;
pub mod payment_requests;
pub mod product_actions;
pub mod tagged;
pub mod warehouse_actions;

use crate::topic::Topic;

/// Declares [`Event`] and [`EventKind`] from one list: variant, topic, body.
macro_rules! events {
    ($($name:ident: $topic:ident, $module:ident;)*) => {
        /// Any event's body.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(#[doc = concat!("See [`", stringify!($module), "::", stringify!($name), "`].")]
            $name($module::$name),)*
        }
        /// Which event; its number is the schema's id in the compiled registry, less one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EventKind {
            $(#[doc = concat!("See [`", stringify!($module), "::", stringify!($name), "`].")]
            $name,)*
        }
        impl EventKind {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The topic it stands on.
            #[must_use]
            pub const fn topic(self) -> Topic {
                match self { $(Self::$name => Topic::$topic),* }
            }

            /// The Avro record's name: `CheckoutRequested`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
        impl Event {
            /// Which event it is.
            #[must_use]
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$name(_) => EventKind::$name),* }
            }

            pub(crate) fn deserialize_body<'de, D: serde::Deserializer<'de>>(
                kind: EventKind, d: D,
            ) -> Result<Self, D::Error> {
                use serde::Deserialize as _;
                Ok(match kind {
                    $(EventKind::$name => Self::$name($module::$name::deserialize(d)?)),*
                })
            }

        }
        impl serde::Serialize for Event {
            /// The body alone, without a tag.
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(body) => body.serialize(s)),* }
            }
        }
        $(impl From<$module::$name> for Event {
            fn from(body: $module::$name) -> Self {
                Self::$name(body)
            }
        })*
    };
}

events! {
    CheckoutRequested: CustomerActions, customer_actions;
    CartItemAddRequested: CustomerActions, customer_actions;
    CartItemSetRequested: CustomerActions, customer_actions;
    CancellationRequested: CustomerActions, customer_actions;
    PaymentReported: CustomerActions, customer_actions;
    ProductPutRequested: ProductActions, product_actions;
    ProductDelistRequested: ProductActions, product_actions;
    StockReceiptRequested: ProductActions, product_actions;
    StockAdjustmentRequested: ProductActions, product_actions;
    SafetyStockSetRequested: ProductActions, product_actions;
    WarehousePutRequested: WarehouseActions, warehouse_actions;
    CartChanged: Orders, orders;
    CartCleared: Orders, orders;
    CustomerActionRejected: Orders, orders;
    OrderRequested: Orders, orders;
    OrderRejected: Orders, orders;
    OrderAwaitingPayment: Orders, orders;
    OrderConfirmed: Orders, orders;
    OrderCancelled: Orders, orders;
    PaymentChanged: Orders, orders;
    ProductListed: Inventory, inventory;
    ProductDelisted: Inventory, inventory;
    ProductActionRejected: Inventory, inventory;
    StockReceived: Inventory, inventory;
    StockAdjusted: Inventory, inventory;
    SafetyStockChanged: Inventory, inventory;
    StockReserved: Inventory, inventory;
    ReservationSecured: Inventory, inventory;
    StockRefused: Inventory, inventory;
    StockAllocated: Inventory, inventory;
    StockReleased: Inventory, inventory;
    ReservationExpired: Inventory, inventory;
    ReservationRevoked: Inventory, inventory;
    AllocationShorted: Inventory, inventory;
    PaymentRequested: PaymentRequests, payment_requests;
    GenerationClaimed: Epochs, epochs;
    EpochPlanned: Epochs, epochs;
    RecordSkipped: Epochs, epochs;
    PlanningDrained: Epochs, epochs;
    TimeAccepted: Epochs, epochs;
    DeadLetter: DeadLetters, dead_letters;
}
