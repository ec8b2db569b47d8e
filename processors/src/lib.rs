//! The dataflow and the epoch runtime.

pub mod checkpoints;
pub mod cut;
pub mod dataflow;
pub mod digests;
pub mod engine;
pub mod epoch;
pub mod eras;
pub mod failure;
pub mod hub;
pub mod inputs;
pub mod invariants;
pub mod known_outputs;
mod launch;
pub mod mesh;
mod messages;
pub mod no_publisher;
pub mod opener;
pub mod operator;
pub mod outputs;
pub mod payment_worker;
pub mod plan;
pub mod plan_history;
#[cfg(test)]
mod plan_model;
pub mod planner;
pub mod planner_clock;
mod protection;
pub mod publisher;
pub mod replay;
pub mod role;
pub mod sabotage;
mod sending;
pub mod shard;
pub mod shards;
pub mod spool;
pub mod standing;
pub mod start;
pub mod status;
pub mod supervisor;
pub mod threads;
pub mod unknown_schemas;
pub mod views;

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a test names the events it looks for, and draws small numbers"
)]
mod tests;
