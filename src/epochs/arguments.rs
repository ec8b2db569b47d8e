//! The words on the command line.

use crate::cli::Outside;
use clap::{Args, Subcommand};

/// `watermart epochs`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Epochs {
    /// Sends a record to the dead letters in the place of applying it.
    Skip(Skip),
    /// Ends planning under the generation in force: the way to another build.
    Drain(Outside),
    /// Says that this machine's wall clock is right although the leader's jumped.
    Time(Outside),
}

/// `watermart epochs skip`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Skip {
    /// Which topic of actions, with or without the namespace: `customer-actions`.
    pub(crate) topic: String,
    /// The record's partition.
    pub(crate) partition: u16,
    /// The record's offset.
    pub(crate) offset: u64,
    /// On brokers, of a record that a plan has taken: you say that no `up` and no `process` of this
    /// shop runs, not even a paused one.
    #[arg(long, env = "WATERMART_ALL_STOPPED")]
    pub(crate) all_stopped: bool,
    /// Where the log is.
    #[command(flatten)]
    pub(crate) outside: Outside,
}
