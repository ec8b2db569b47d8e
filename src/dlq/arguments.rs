//! What is asked about dead letters, on the command line.

use crate::cli::Outside;
use clap::{Args, Subcommand};

/// `watermart dlq`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Dlq {
    /// Lists the newest dead letters, the newest last.
    List(List),
    /// Shows one in full, and the record that it is about.
    Show(Letter),
    /// Appends the record of one again, if it can be used now.
    Replay(Replay),
}

/// `watermart dlq list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    /// How many at most.
    #[arg(long, env = "WATERMART_LIMIT", default_value_t = 100,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) limit: u16,
    /// Where the log is.
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// `watermart dlq show`, and which one is replayed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Letter {
    /// The partition of the topic of dead letters, as `dlq list` shows it.
    pub(crate) partition: u16,
    /// The letter's offset there.
    pub(crate) offset: u64,
    /// Where the log is.
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// `watermart dlq replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Replay {
    /// Which letter.
    #[command(flatten)]
    pub(crate) letter: Letter,
    /// Says what would be appended, and appends nothing.
    #[arg(long, env = "WATERMART_DRY_RUN")]
    pub(crate) dry_run: bool,
}
