//! The command line: every flag with its unit, default and environment name.
//!
//! A flag beats its `WATERMART_*` name, that beats the file given by `--config`, that beats the
//! default; [`crate::config`] sees to the file and refuses names that nobody knows.

use crate::bench::flags::Bench;
use crate::dlq::Dlq;
use crate::epochs::Epochs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sinks::event_log::Location;
use sinks::schema_registry as registry;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The back end of a shop: one stream-processing pipeline.
#[derive(Debug, Parser)]
#[command(name = "watermart", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Where everything embedded lives.
    #[arg(long, global = true, env = "WATERMART_DATA", default_value = "./watermart-data")]
    pub(crate) data: PathBuf,
    /// A TOML file whose keys are flag names.
    #[arg(long, global = true, env = "WATERMART_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// One JSON document on stdout in the place of text.
    #[arg(long, global = true, env = "WATERMART_JSON")]
    pub(crate) json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the whole shop in one process.
    Up(Box<Up>),
    /// Takes actions in and puts them on the log; as many may run as one likes.
    Ingest(Box<Ingest>),
    /// Decides what is on the log: of several, one leads and the others stand by.
    Process(Box<Process>),
    /// Answers reads, from views of its own that follow the log; as many may run as one likes.
    Query(Box<Query>),
    /// Sends a load to a running shop and reports what came of it.
    Load(Box<loadgen::Options>),
    /// Checks the log and the views against the invariants, with code of its own.
    Audit(Box<AuditArgs>),
    /// Tells one order's story from the log, each line with its cause.
    Explain(Box<Explain>),
    /// Asks each part whether it answers, its version, and what is unsafe.
    Doctor(Doctor),
    /// Shows the log's topics, or what stands on one.
    #[command(subcommand)]
    Topics(Topics),
    /// Says a word to the planner: the log takes it, and whoever leads obeys.
    #[command(subcommand)]
    Epochs(Epochs),
    /// Lists the dead letters, shows one, or appends its record again.
    #[command(subcommand)]
    Dlq(Dlq),
    /// Measures one part.
    Bench(Bench),
    /// Prints the completion script of a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Whether callers must show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// Everyone is operator; refused unless the host is loopback.
    Off,
    /// Bearer tokens.
    On,
}

/// Where what is shared with other processes is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Outside {
    /// The event log: `embedded:` is files in the data directory, of one process;
    /// `kafka://h1:9092,h2:9092/NAMESPACE` is shared.
    #[arg(long, env = "WATERMART_LOG_URL", default_value_t = Location::Embedded)]
    pub(crate) log_url: Location,
    /// The schema registry: `embedded:` is the schemas compiled in; else http://HOST:8081, with the
    /// path of its API if it has one.
    #[arg(long, env = "WATERMART_REGISTRY_URL", default_value = "embedded:")]
    pub(crate) registry_url: registry::Location,
    /// Takes a log of one broker: what is acknowledged is lost with it. For tests.
    #[arg(long, env = "WATERMART_SINGLE_BROKER")]
    pub(crate) single_broker: bool,
    /// How long an outside system may take to answer at the start.
    #[arg(long, env = "WATERMART_CONNECT_TIMEOUT", default_value = "30s",
          value_parser = duration)]
    pub(crate) connect_timeout: Duration,
}

/// Where a server is found, and who may ask it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Door {
    /// The address to listen on.
    #[arg(long, env = "WATERMART_HOST", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port; 0 is any that is free.
    #[arg(long, env = "WATERMART_PORT", default_value_t = 8080)]
    pub(crate) port: u16,
    /// Whether callers must show who they are.
    #[arg(long, env = "WATERMART_AUTH", value_enum, default_value_t = Auth::Off)]
    pub(crate) auth: Auth,
}

/// The threads that decide, and what their state is kept in.
#[derive(Clone, Debug, Args)]
pub(crate) struct Work {
    /// Timely workers, 1 to 64.
    #[arg(long, env = "WATERMART_WORKERS", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: u16,
    /// Where checkpoints of the state are: `embedded:` is in the data directory; `file:///folder`;
    /// `none:` makes none, and each start replays the whole log.
    #[arg(long, env = "WATERMART_CHECKPOINTS_URL", default_value = "embedded:")]
    pub(crate) checkpoints_url: String,
    /// How often one is made, where anything is new; a start replays what came after it.
    #[arg(long, env = "WATERMART_CHECKPOINT_INTERVAL", default_value = "5s",
          value_parser = some_time)]
    pub(crate) checkpoint_interval: Duration,
}

/// How a process leads that may.
#[derive(Clone, Debug, Args)]
pub(crate) struct Lead {
    /// How long an unpaid order keeps its units: 250ms, 2s, 15m, 24h.
    #[arg(long, env = "WATERMART_RESERVATION_TIMEOUT", default_value = "15m",
          value_parser = some_time)]
    pub(crate) reservation_timeout: Duration,
    /// The payment gateway: `sandbox:` or `manual:`.
    #[arg(long, env = "WATERMART_PAYMENTS_URL", default_value = "sandbox:")]
    pub(crate) payments_url: Payments,
    /// Leads as soon as the log is replayed, whoever leads now; else it waits until nobody has for
    /// 3 s.
    #[arg(long, env = "WATERMART_TAKE_OVER")]
    pub(crate) take_over: bool,
}

/// A process's place in a mesh of several.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The processes that decide together, each with `--workers`: `h0:7000,h1:7000`, the same words
    /// for all of them. The first plans and publishes. Without it this process decides alone.
    #[arg(long, env = "WATERMART_HOSTS", value_delimiter = ',', requires = "host_index")]
    pub(crate) hosts: Vec<String>,
    /// Which of the hosts this process is; the first is 0.
    #[arg(long, env = "WATERMART_HOST_INDEX", requires = "hosts")]
    pub(crate) host_index: Option<usize>,
}

/// Who may send webhooks.
#[derive(Clone, Debug, Args)]
pub(crate) struct Webhooks {
    /// Webhook secrets, one a line; without it the data directory keeps one.
    #[arg(long, env = "WATERMART_WEBHOOK_SECRET_FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
}

/// Where views are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Views {
    /// The view store: `embedded:` is in the data directory.
    #[arg(long, env = "WATERMART_VIEWS_URL", default_value = "embedded:")]
    pub(crate) views_url: String,
}

/// The payment gateways that this build knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Payments {
    /// The built-in sandbox.
    #[value(name = "sandbox:")]
    Sandbox,
    /// Nobody is asked.
    #[value(name = "manual:")]
    Manual,
}

/// `watermart up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) door: Door,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) lead: Lead,
    #[command(flatten)]
    pub(crate) webhooks: Webhooks,
    #[command(flatten)]
    pub(crate) outside: Outside,
    #[command(flatten)]
    pub(crate) views: Views,
}

/// `watermart ingest`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ingest {
    #[command(flatten)]
    pub(crate) door: Door,
    #[command(flatten)]
    pub(crate) webhooks: Webhooks,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// `watermart process`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Process {
    #[command(flatten)]
    pub(crate) door: Door,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) lead: Lead,
    /// A hot standby: leads when nobody has for 1 s; without it a process that follows waits 3 s.
    #[arg(long, env = "WATERMART_FOLLOW", conflicts_with = "take_over")]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) webhooks: Webhooks,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// `watermart query`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) door: Door,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) outside: Outside,
    #[command(flatten)]
    pub(crate) views: Views,
}

/// `watermart audit`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// A running shop, whose views are read over HTTP; without it the data directory's are.
    #[arg(long, env = "WATERMART_URL")]
    pub(crate) url: Option<String>,
    /// A load generator's ledger to compare with.
    #[arg(long, env = "WATERMART_LEDGER")]
    pub(crate) ledger: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// `watermart explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Explain {
    /// Which order: `ord_..`.
    pub(crate) order_id: String,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// `watermart doctor`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    /// Where what is shared with other processes is.
    #[command(flatten)]
    pub(crate) outside: Outside,
    /// The view store: `embedded:` is in the data directory.
    #[arg(long, env = "WATERMART_VIEWS_URL", default_value = "embedded:",
          value_parser = ["embedded:"])]
    pub(crate) views_url: String,
    /// The payment gateway: `sandbox:` or `manual:`.
    #[arg(long, env = "WATERMART_PAYMENTS_URL", default_value = "sandbox:",
          value_parser = ["sandbox:", "manual:"])]
    pub(crate) payments_url: String,
    /// Webhook secrets, one a line; without it the data directory keeps one.
    #[arg(long, env = "WATERMART_WEBHOOK_SECRET_FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
}

/// `watermart topics`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Topics {
    /// Lists the topics: partitions, start and end offsets, settings.
    List(Outside),
    /// Shows the records of a topic, one a line, decoded.
    Tail(Tail),
}

/// `watermart topics tail`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tail {
    /// Which topic, with or without the namespace: `orders`, `watermart.orders`.
    pub(crate) topic: String,
    /// The first offset, of each partition; without it the first that is kept, or with `--follow`
    /// the next that comes.
    #[arg(long, env = "WATERMART_FROM")]
    pub(crate) from: Option<u64>,
    /// How many records at most; without it all that stand there now.
    #[arg(long, env = "WATERMART_COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// One partition alone.
    #[arg(long, env = "WATERMART_PARTITION")]
    pub(crate) partition: Option<u16>,
    /// Goes on with what comes, until it is stopped.
    #[arg(long, env = "WATERMART_FOLLOW")]
    pub(crate) follow: bool,
    /// Where the log is.
    #[command(flatten)]
    pub(crate) outside: Outside,
}

/// A [`duration`] of at least a millisecond.
fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("must be at least 1ms".to_owned()) } else { Ok(time) }
}

/// Reads `250ms`, `2s`, `15m`, `24h`.
///
/// # Errors
/// Anything else, in words.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is a whole number and a unit: 250ms 2s 15m 24h".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(ms_per_unit))
        .filter(|ms| *ms <= 366 * 24 * 3_600_000)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            "a duration is a whole number of at most a year: 250ms 2s 15m 24h".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["", "15", "m", "1.5s", "-1s", "1d", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
