//! An entry of a checkpoint, read back: whose it is, and what it says.

use super::{customers, products};
use crate::checkpoints::snapshot::Kind;
use postcard::from_bytes;

/// An entry as it was saved.
#[derive(Debug)]
pub enum Saved {
    /// Of customers.
    Customers(customers::Saved),
    /// Of products.
    Products(products::Saved),
}

impl Saved {
    /// Reads what was saved as an entry of this kind.
    ///
    /// # Errors
    /// It is not one that this build has written.
    pub fn read(kind: Kind, value: &[u8]) -> Result<Self, postcard::Error> {
        use {customers::Saved as Customers, products::Saved as Products};
        Ok(match kind {
            Kind::Order => Self::Customers(Customers::Order(from_bytes(value)?)),
            Kind::PastOrder => Self::Customers(Customers::Past(from_bytes(value)?)),
            Kind::Cart => {
                let (customer, cart) = from_bytes(value)?;
                Self::Customers(Customers::Cart(customer, cart))
            }
            Kind::CustomerKey => Self::Customers(Customers::Key(from_bytes(value)?)),
            Kind::Warehouse => Self::Products(Products::Warehouse(from_bytes(value)?)),
            Kind::Product => Self::Products(Products::Product(from_bytes(value)?)),
            Kind::Claim => Self::Products(Products::Claim(from_bytes(value)?)),
            Kind::ProductKey => Self::Products(Products::Key(from_bytes(value)?)),
        })
    }
}
