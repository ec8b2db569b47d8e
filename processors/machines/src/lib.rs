//! The rules of the shop, pure: a command and a state give events, an event changes a state.
//!
//! Nothing here does I/O, reads a clock, draws a random number, or depends on the order of a hash
//! map. A machine *decides* (command + state -> events) and *evolves* (state + event -> state).
//!
//! | machine | rules of |
//! |---|---|
//! | [`cart`] | what a customer means to buy |
//! | [`order`], [`mod@line`] | one order, a saga, and what it has of its lines |
//! | [`payment`] | one order's money |
//! | [`settled`] | what is kept for ever of an order that is over |
//! | [`catalog`] | one product's listing |
//! | [`inventory`] | one product's stock levels, and how a line is split over them |
//! | [`reservation`] | claims on one product, and who waits for them |
//!
//! What a version of the [`rules`] decides otherwise than the one before it is named there.

pub mod cart;
pub mod catalog;
pub mod inventory;
pub mod line;
pub mod message;
pub mod order;
pub mod payment;
mod place;
pub mod reservation;
pub mod rules;
pub mod settled;
