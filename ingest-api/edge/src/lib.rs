//! What the way in and the way out share, so that a caller sees one shop.
//!
//! ```text
//! front (id, unknown paths and methods) -> handler: PathId, Principal, .. -> Problem or answer
//! ```
//!
//! Every answer that is no is a [`Problem`](problem::Problem), whichever side it comes from; every
//! handler knows its [`Principal`](principal::Principal); an id in a path is read in one way; a
//! [`Resource`](resource::Resource) has one name.

pub mod front;
pub mod path_id;
pub mod principal;
pub mod problem;
pub mod refusals;
pub mod request_id;
pub mod resource;
#[cfg(test)]
mod tests;
mod unread;
