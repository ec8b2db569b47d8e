//! The outside world behind ports: a folder per outside system.
//!
//! In each folder `mod.rs` is the port and its contract, `embedded.rs` the part that runs inside
//! the process, `conformance.rs` the suite that every adapter passes.

pub mod checkpoint_store;
pub mod clock;
pub mod event_log;
pub mod payment_gateway;
pub mod schema_registry;
pub mod view_store;
