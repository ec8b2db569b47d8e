//! The way in: HTTP requests become events on the log.
//!
//! ```text
//! edge (id, admission) -> handler: extract (Call), ask (Action), answer (Ingest::act)
//!                                                      |
//!                              batch: many Actions     +-> log, one append
//!                              webhook: PaymentReported
//! ```
//!
//! What is answered with a 2xx is durable. What is answered with a 4xx left no event, save what
//! the log itself decided. The way in decides nothing: it checks form, never state.

pub mod action;
mod batch;
mod call;
mod cancellations;
mod cart;
mod checkouts;
mod decision;
mod edge;
mod fields;
pub mod ingest;
mod json;
pub mod principal;
pub mod problem;
mod products;
pub mod routes;
mod stock;
#[cfg(test)]
mod tests;
mod warehouses;
mod webhook;
