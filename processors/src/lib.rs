//! The dataflow and the epoch runtime.

pub mod shards;
