//! The command `watermart`: reads its arguments, does one thing, ends with a code that says how.

mod audit;
mod bench;
mod cli;
mod config;
mod dlq;
mod doctor;
mod engine;
mod epochs;
mod exit;
mod explain;
mod ingest;
mod last_words;
mod load;
mod log;
mod mesh;
mod parts;
mod payments;
mod process;
mod query;
mod running_shop;
mod server;
mod serving;
mod stdout;
mod topics;
mod up;

use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::Shell;
use cli::{Cli, Command, Global};
use exit::Failure;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use stdout::{Lines, until_closed};

fn main() -> ExitCode {
    let arguments = std::env::args_os().collect();
    let environment: Vec<_> = std::env::vars_os().collect();
    match run(arguments, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            failure.code()
        }
    }
}

/// The last word of a command that failed. Who closed standard error does not want it.
fn complain(failure: &Failure) {
    drop(writeln!(std::io::stderr(), "watermart: {failure}"));
}

fn run(arguments: Vec<OsString>, environment: &[(OsString, OsString)]) -> Result<(), Failure> {
    let command = Cli::command();
    let arguments = config::arguments(&command, arguments, environment)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    // clap prints help and usage errors itself, and ends with 0 or 2.
    let matches = command.get_matches_from(arguments);
    let Cli { global, command } =
        Cli::from_arg_matches(&matches).map_err(|error| Failure::Usage(error.to_string()))?;
    start_logging(environment);
    dispatch(command, &global)
}

fn dispatch(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Up(up) => up::run(&up, global),
        Command::Ingest(flags) => ingest::run(&flags, global),
        Command::Process(flags) => process::run(&flags, global),
        Command::Query(flags) => query::run(&flags, global),
        Command::Load(options) => load::run(&options, global),
        Command::Audit(arguments) => audit::run(&arguments, global),
        Command::Explain(arguments) => explain::run(&arguments, global),
        Command::Doctor(arguments) => doctor::run(&arguments, global),
        Command::Topics(arguments) => topics::run(&arguments, global),
        Command::Epochs(arguments) => epochs::run(&arguments, global),
        Command::Dlq(arguments) => dlq::run(&arguments, global),
        Command::Bench(arguments) => bench::run(&arguments, global.json),
        Command::Completion { shell } => completion(shell),
    }
}

/// Prints what makes this shell complete our commands and flags.
fn completion(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "watermart", &mut script);
    let mut lines = Lines::lock();
    until_closed(lines.text(&String::from_utf8_lossy(&script)).and_then(|()| lines.flush()))
}

/// What is logged unless `RUST_LOG` says otherwise; the embedded store's own words at warnings.
const LOGGED: &str = sinks::view_store::embedded::LOGGED;

/// Logs go to stderr; `RUST_LOG` chooses which.
fn start_logging(environment: &[(OsString, OsString)]) {
    let chosen = environment.iter().find(|(name, _)| name == "RUST_LOG");
    let filter = chosen.and_then(|(_, value)| value.to_str()).unwrap_or(LOGGED);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
