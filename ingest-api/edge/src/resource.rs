//! What actions change and reads show, by one name on both sides.

use schemas::id::{CustomerId, OrderId, ProductId, WarehouseId};
use serde_json::Value;
use sinks::view_store::ViewError;
use std::fmt;

/// What an action changes, and what is shown when it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// An order.
    Order(OrderId),
    /// A customer's cart.
    Cart(CustomerId),
    /// A product's listing.
    Product(ProductId),
    /// A product's stock.
    Stock(ProductId),
    /// A warehouse.
    Warehouse(WarehouseId),
}

impl fmt::Display for Resource {
    /// Its URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(id) => write!(f, "/v1/orders/{id}"),
            Self::Cart(id) => write!(f, "/v1/customers/{id}/cart"),
            Self::Product(id) => write!(f, "/v1/products/{id}"),
            Self::Stock(id) => write!(f, "/v1/products/{id}/stock"),
            Self::Warehouse(id) => write!(f, "/v1/warehouses/{id}"),
        }
    }
}

/// Shows resources as the read side does: an action that waits for its decision answers with one.
pub trait Resources: Send + Sync {
    /// The resource's JSON as the views have it now; `None` if they do not have it.
    fn resource(&self, resource: Resource) -> Result<Option<Value>, ViewError>;
}
