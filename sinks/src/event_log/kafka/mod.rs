//! The event log on Kafka.

mod api_versions;
mod appends;
mod cluster;
mod context;
mod ends;
mod fetched;
mod gaps;
mod inspect;
mod log;
mod open;
mod pulse;
mod reader;
mod settings;
mod topics;
pub mod version;

pub use cluster::Cluster;
pub(super) use cluster::NAMESPACE;
pub use inspect::{inspect, spans};
pub use log::KafkaLog;
pub use open::{OpenError, Options};
pub use topics::{Described, Flaw, Found};

#[cfg(test)]
mod tests;
