//! The way in: HTTP requests become events on the log.
//!
//! ```text
//! front (id), admission -> handler: extract (Call), ask (Action), answer (Ingest::act)
//!                                                       |
//!                               batch: many Actions     +-> log, one append
//!                               webhook: PaymentReported
//! ```
//!
//! What is answered with a 2xx is durable. What is answered with a 4xx left no event, save what
//! the log itself decided. The way in decides nothing: it checks form, never state.

pub mod action;
mod admission;
mod batch;
mod call;
mod cancellations;
mod cart;
mod checkouts;
mod currencies;
mod decision;
mod fields;
pub mod ingest;
mod json;
mod products;
pub mod routes;
mod stock;
#[cfg(test)]
mod tests;
mod warehouses;
mod webhook;
