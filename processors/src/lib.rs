//! The dataflow and the epoch runtime.

pub mod cut;
pub mod dataflow;
pub mod engine;
pub mod hub;
pub mod inputs;
pub mod opener;
pub mod operator;
pub mod payment_worker;
pub mod plan;
#[cfg(test)]
mod plan_model;
pub mod planner;
pub mod planner_clock;
pub mod publisher;
pub mod shards;
pub mod views;

#[cfg(test)]
mod tests;
