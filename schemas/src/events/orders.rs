//! Topic `orders`: what was decided on orders and carts; key customer.

use super::lines::{OrderLine, lines};
use crate::id::{ActionId, CustomerId, OrderId, PaymentMethod, ProductId, RegionId};
use crate::money::Currency;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a line or order was not sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Firm claims left less than asked.
    OutOfStock,
    /// The price is not the one the shopper saw.
    PriceChanged,
    /// Nobody ever listed it.
    UnknownProduct,
    /// It is taken down.
    Delisted,
    /// More than one order may have.
    LimitExceeded,
    /// A checkout of a cart with nothing in it.
    EmptyCart,
    /// The key stands for another body.
    IdempotencyKeyReused,
    /// The provider said no.
    PaymentDeclined,
    /// Not paid in time.
    ReservationExpired,
    /// By the shopper.
    CancelledByCustomer,
    /// By the seller.
    CancelledBySeller,
    /// An action the order's or cart's state does not allow.
    IllegalState,
    /// No such thing.
    NotFound,
    /// The version is not the one expected.
    VersionMismatch,
    /// The listing's version is not the one in `If-Match`.
    PreconditionFailed,
    /// No warehouse of that id is set up.
    UnknownWarehouse,
    /// The currency is not the one of the listing or cart.
    CurrencyMismatch,
}

impl Reason {
    /// The word of the API: `out_of_stock`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::PriceChanged => "price_changed",
            Self::UnknownProduct => "unknown_product",
            Self::Delisted => "delisted",
            Self::LimitExceeded => "limit_exceeded",
            Self::EmptyCart => "empty_cart",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::PaymentDeclined => "payment_declined",
            Self::ReservationExpired => "reservation_expired",
            Self::CancelledByCustomer => "cancelled_by_customer",
            Self::CancelledBySeller => "cancelled_by_seller",
            Self::IllegalState => "illegal_state",
            Self::NotFound => "not_found",
            Self::VersionMismatch => "version_mismatch",
            Self::PreconditionFailed => "precondition_failed",
            Self::UnknownWarehouse => "unknown_warehouse",
            Self::CurrencyMismatch => "currency_mismatch",
        }
    }
}

/// A cart item has a new quantity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartChanged {
    /// Whose cart.
    pub customer_id: CustomerId,
    /// Which item.
    pub product_id: ProductId,
    /// Its quantity now; 0: it is gone.
    pub quantity: u32,
    /// What one cost when it was put in.
    pub price: i64,
    /// Of the price.
    pub currency: Currency,
    /// Changes of this cart so far.
    pub version: u64,
}

/// The cart became an order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CartCleared {
    /// Whose cart.
    pub customer_id: CustomerId,
    /// Changes of this cart so far.
    pub version: u64,
}

/// A customer's action that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerActionRejected {
    /// Whose.
    pub customer_id: CustomerId,
    /// Which action.
    pub action_id: ActionId,
    /// Why.
    pub reason: Reason,
    /// On which order, if on one.
    pub order_id: Option<OrderId>,
}

/// An order is opened; its lines are asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRequested {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// One a product.
    #[serde(deserialize_with = "lines")]
    pub lines: Vec<OrderLine>,
    /// Of all prices.
    pub currency: Currency,
    /// Where it goes.
    pub region: RegionId,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// When its reservations lapse.
    pub expires_at: Timestamp,
}

/// Why one line failed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedLine {
    /// Which product.
    pub product_id: ProductId,
    /// Why.
    pub reason: Reason,
    /// Units asked for.
    pub asked: u32,
    /// Units there were.
    pub available: u32,
}

/// An order is refused; it holds nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRejected {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// The first failed line's reason, or the order's own.
    pub reason: Reason,
    /// The failed lines.
    #[serde(deserialize_with = "lines")]
    pub lines: Vec<RejectedLine>,
}

/// Every line is reserved; payment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderAwaitingPayment {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
}

/// Paid in time, or reserved again after a late payment: every line is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
}

/// An order ended without sale; it holds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// Why.
    pub reason: Reason,
}

/// A payment's state and sums. At 0 throughout, the payment is asked for and not yet answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentChanged {
    /// Of which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What it is now.
    pub state: PaymentState,
    /// Minor units held for us at some time.
    pub authorized: i64,
    /// Minor units taken.
    pub captured: i64,
    /// Minor units given back.
    pub refunded: i64,
    /// Minor units whose hold was given up.
    pub voided: i64,
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Asked for.
    Requested,
    /// Refused by the provider.
    Declined,
    /// Held for us.
    Authorized,
    /// Held, and to be taken.
    Capturing,
    /// Ours.
    Captured,
    /// The hold is to be given up.
    Voiding,
    /// The hold is given up.
    Voided,
    /// To be given back.
    Refunding,
    /// Given back.
    Refunded,
}
