//! The flags of `watermart bench`.

use clap::{Args, ValueEnum};
use sinks::event_log::Location;

/// `watermart bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// What to measure.
    #[arg(value_enum)]
    pub(crate) name: BenchName,
    /// Rounds, in which all cases take turns: 9, of recovery 10, of rescale 3, of expiry 1.
    #[arg(long, env = "WATERMART_ROUNDS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: Option<u16>,
    /// Exit 1 if a bar is missed.
    #[arg(long, env = "WATERMART_GATE")]
    pub(crate) gate: bool,
    #[command(flatten)]
    pub(crate) size: Size,
    #[command(flatten)]
    pub(crate) brokers: Brokers,
}

/// The shop that `checkpoint`, `recovery`, `rescale` and `expiry` start; the others take no notice.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Size {
    /// Its products: 1,000,000, of checkpoint 100,000, of expiry 10,000.
    #[arg(long, env = "WATERMART_PRODUCTS",
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) products: Option<u32>,
    /// Its orders that nobody pays: 100,000; 300,000 each time that checkpoint measures; of expiry
    /// 1,000,000.
    #[arg(long, env = "WATERMART_RESERVATIONS",
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) reservations: Option<u32>,
    /// How long it sells at a steady rate: 12 s each time that checkpoint measures, 6 s before each
    /// restart of recovery and rescale.
    #[arg(long, env = "WATERMART_SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) seconds: Option<u16>,
}

/// Where `recovery` has one process take over from another.
#[derive(Clone, Debug, Args)]
pub(crate) struct Brokers {
    /// A cluster, whose namespace is taken as the beginning of one of the bench's own; its topics
    /// stay there.
    #[arg(long, env = "WATERMART_LOG_URL")]
    pub(crate) log_url: Option<Location>,
    /// Takes a log of one broker.
    #[arg(long, env = "WATERMART_SINGLE_BROKER")]
    pub(crate) single_broker: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchName {
    /// Events decoded, against apache-avro's values.
    Decode,
    /// Orders decided, and sold to the end, in memory.
    Engine,
    /// Bytes of log an order, sold by a whole shop.
    Log,
    /// Half of all lines on one product; and scarce stock.
    HotProduct,
    /// What checkpoints cost: throughput, stops, bytes.
    Checkpoint,
    /// A shop that is killed: until it decides again.
    Recovery,
    /// A shop that is stopped and started with another number of workers.
    Rescale,
    /// Very many reservations that are due at once.
    Expiry,
}

impl BenchName {
    /// Rounds, unless others are asked for.
    #[must_use]
    pub(crate) const fn rounds(self) -> u16 {
        match self {
            Self::Decode | Self::Engine | Self::Log | Self::HotProduct | Self::Checkpoint => 9,
            Self::Recovery => 10,
            Self::Rescale => 3,
            Self::Expiry => 1,
        }
    }
}
