//! The contract: what stands on the log, and the words everybody shares.
//!
//! One Avro schema per event lies under `avro/<topic>/`; the structs in [`events`] are the same
//! events in Rust, small and mostly `Copy`. Callers' ids are text on the log and 16 bytes inside
//! ([`id`]), money is minor units and a currency ([`money`]), and every event carries an
//! [`envelope::Envelope`]. [`codec`] turns bytes into events and back; which schema an id on the
//! wire means is an argument of it.

pub mod bench;
pub mod codec;
pub mod compiled;
pub mod envelope;
pub mod events;
pub mod hash;
pub mod id;
pub mod json;
pub mod limits;
pub mod money;
pub mod position;
mod schema;
pub mod time;
pub mod topic;
