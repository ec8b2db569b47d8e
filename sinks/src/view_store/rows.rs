//! The rows of the views, and their keys.
//!
//! What changes at different rates is different rows: a product's listing and its stock, an
//! order, its timeline and its payment. Each row is written whole by the one operator that owns
//! it; queries join.
//!
//! | view | key | written by |
//! |---|---|---|
//! | products | product | products |
//! | stock | product, warehouse | products |
//! | reservations | product, order | products |
//! | warehouses | warehouse | warehouses |
//! | carts | customer | customers |
//! | orders | order | customers |
//! | timeline | order, epoch | customers |
//! | customer orders | customer, newest first, order | customers |
//! | payments | order | customers |
//! | rejections | action | customers, products |
//!
//! Caller's ids stand in keys as their text and a zero byte, which no id holds, so that prefixes
//! of whole ids scan; our ids as their 16 bytes; numbers big-endian.

use super::key;
use schemas::events::lines::Level;
use schemas::events::orders::{PaymentState, Reason};
use schemas::events::product_actions::Listing;
use schemas::id::{
    ActionId, CustomerId, EventId, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId,
};
use schemas::money::Currency;
use schemas::position::Position;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A product's listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductRow {
    /// Which product.
    pub product_id: ProductId,
    /// The listing as last put.
    pub listing: Listing,
    /// Whether it is up.
    pub listed: bool,
    /// Changes of the listing, from 1.
    pub version: u64,
    /// `now` of the last change.
    pub updated_at: Timestamp,
}

/// A stock level: one product in one warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockRow {
    /// Which product.
    pub product_id: ProductId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// Units there.
    pub on_hand: i64,
    /// Units that can be promised.
    pub available: i64,
    /// Units of open reservations.
    pub reserved: i64,
    /// Units of confirmed, unshipped lines.
    pub allocated: i64,
    /// Units kept back, as far as they are there.
    pub safety_stock: i64,
    /// Units that shall be kept back.
    pub safety_stock_wanted: u32,
    /// The seller's changes of this level, from 1.
    pub version: u64,
}

/// A claim of an order on a product. Deleted when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationRow {
    /// Which product.
    pub product_id: ProductId,
    /// Which order.
    pub order_id: OrderId,
    /// Where the units are.
    pub levels: Vec<Level>,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Whether it is over: confirmed, released, expired or revoked.
    pub ended: bool,
}

/// A warehouse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarehouseRow {
    /// Which.
    pub warehouse_id: WarehouseId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: RegionId,
    /// Lower is served from first.
    pub priority: u32,
}

/// An item of a cart, as added.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartItem {
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: u32,
    /// What one cost when it was put in.
    pub price: i64,
}

/// A customer's cart: what was added, not today's prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartRow {
    /// Whose.
    pub customer_id: CustomerId,
    /// In the order of their ids' bytes.
    pub items: Vec<CartItem>,
    /// Of all prices; none in an empty cart.
    pub currency: Option<Currency>,
    /// Changes so far.
    pub version: u64,
    /// `now` of the last change.
    pub updated_at: Timestamp,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Its lines are asked for.
    Requested,
    /// All are reserved.
    AwaitingPayment,
    /// All are allocated.
    Confirmed,
    /// Refused; held nothing.
    Rejected,
    /// Ended without sale; holds nothing.
    Cancelled,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// Asked for.
    Requested,
    /// Claimed, softly or firmly.
    Reserved,
    /// Sold.
    Allocated,
    /// Refused.
    Refused,
    /// Given back, or never claimed because another line failed.
    Released,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineRow {
    /// What.
    pub product_id: ProductId,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: i64,
    /// Where it stands.
    pub state: LineState,
    /// Where its units are, while it is reserved or allocated; else empty.
    pub levels: Vec<Level>,
    /// Why it was refused.
    pub refused: Option<Refused>,
}

/// A refusal of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Units asked for.
    pub asked: u32,
    /// Units that firm claims left.
    pub available: u32,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Which.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// Where it stands.
    pub state: OrderState,
    /// Why it was not sold.
    pub reason: Option<Reason>,
    /// Events of this order on the topic `orders` so far.
    pub version: u64,
    /// One a product.
    pub lines: Vec<LineRow>,
    /// Of all prices.
    pub currency: Currency,
    /// Where it goes.
    pub region: RegionId,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// When its reservations lapse; none for an order that never asked for any.
    pub expires_at: Option<Timestamp>,
    /// `now` when it was requested.
    pub created_at: Timestamp,
    /// `now` of its last event.
    pub updated_at: Timestamp,
}

/// One event in an order's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// `now` of the decision.
    pub at: Timestamp,
    /// The event's name: `order_confirmed`.
    pub event: Cow<'static, str>,
    /// Its id.
    pub event_id: EventId,
    /// The id of the event that caused it.
    pub cause_id: EventId,
    /// The log record it all began with; none for what a timer began.
    pub position: Option<(TopicPartition, u64)>,
}

/// What happened to an order in one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// Which order.
    pub order_id: OrderId,
    /// When.
    pub epoch: u64,
    /// In the order in which it was decided.
    pub entries: Vec<TimelineEntry>,
}

/// An order in its customer's list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerOrderRow {
    /// Whose.
    pub customer_id: CustomerId,
    /// `now` when it was requested.
    pub created_at: Timestamp,
    /// The offset of its checkout in the customer's partition.
    pub asked_at: u64,
    /// Which order.
    pub order_id: OrderId,
}

/// A payment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRow {
    /// Of which order.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: PaymentState,
    /// The order's total in minor units.
    pub amount: i64,
    /// Minor units held for us at some time.
    pub authorized: i64,
    /// Minor units taken.
    pub captured: i64,
    /// Minor units given back.
    pub refunded: i64,
    /// Minor units whose hold was given up.
    pub voided: i64,
    /// Of all of them.
    pub currency: Currency,
}

/// An action that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectionRow {
    /// Which action.
    pub action_id: ActionId,
    /// Why.
    pub reason: Reason,
    /// On which order, if on one.
    pub order_id: Option<OrderId>,
}

/// Declares [`Row`] and [`View`] from one list.
macro_rules! views {
    ($($(#[$doc:meta])* $view:ident, $row:ident, $name:literal;)*) => {
        /// A view.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum View { $($(#[$doc])* $view),* }

        /// A row of any view.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Row { $($(#[$doc])* $view($row)),* }

        impl View {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$view),*];

            /// The name in reports and file names.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$view => $name),* }
            }
        }
        impl Row {
            /// Of which view it is.
            #[must_use]
            pub const fn view(&self) -> View {
                match self { $(Self::$view(_) => View::$view),* }
            }
        }
        $(impl From<$row> for Row {
            fn from(row: $row) -> Self {
                Self::$view(row)
            }
        })*
    };
}
views! {
    /// Listings.
    Products, ProductRow, "products";
    /// Stock levels.
    Stock, StockRow, "stock";
    /// Open reservations.
    Reservations, ReservationRow, "reservations";
    /// Warehouses.
    Warehouses, WarehouseRow, "warehouses";
    /// Carts.
    Carts, CartRow, "carts";
    /// Orders.
    Orders, OrderRow, "orders";
    /// What happened to orders.
    Timeline, TimelineRow, "timeline";
    /// Orders by customer.
    CustomerOrders, CustomerOrderRow, "customer_orders";
    /// Payments.
    Payments, PaymentRow, "payments";
    /// Rejected actions.
    Rejections, RejectionRow, "rejections";
}

impl Row {
    /// The key within its view.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Products(row) => key::id(row.product_id.0),
            Self::Stock(row) => key::ids(row.product_id.0, row.warehouse_id.0),
            Self::Reservations(row) => key::id_and_order(row.product_id.0, row.order_id),
            Self::Warehouses(row) => key::id(row.warehouse_id.0),
            Self::Carts(row) => key::id(row.customer_id.0),
            Self::Orders(row) => row.order_id.to_bytes().to_vec(),
            Self::Timeline(row) => key::order_epoch(row.order_id, row.epoch),
            Self::CustomerOrders(row) => {
                key::customer_order(row.customer_id.0, row.created_at, row.asked_at, row.order_id)
            }
            Self::Payments(row) => row.order_id.to_bytes().to_vec(),
            Self::Rejections(row) => row.action_id.to_bytes().to_vec(),
        }
    }

    /// Whether the row says that it is no more.
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        match self {
            Self::Reservations(row) => row.ended,
            Self::Products(_)
            | Self::Stock(_)
            | Self::Warehouses(_)
            | Self::Carts(_)
            | Self::Orders(_)
            | Self::Timeline(_)
            | Self::CustomerOrders(_)
            | Self::Payments(_)
            | Self::Rejections(_) => false,
        }
    }
}

impl TimelineEntry {
    /// The position as a token.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position.map(|(partition, offset)| Position::Record { partition, offset })
    }
}
