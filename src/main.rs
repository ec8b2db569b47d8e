//! The command `watermart`: reads its arguments, does one thing, ends with a code that says how.

mod audit;
mod bench;
mod cli;
mod config;
mod doctor;
mod engine;
mod exit;
mod explain;
mod ingest;
mod load;
mod log;
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
use cli::{Cli, Command, Global};
use exit::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

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

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn complain(failure: &Failure) {
    eprintln!("watermart: {failure}");
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
        Command::Bench(arguments) => bench::run(&arguments, global.json),
        Command::Completion { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "watermart", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// What is logged unless `RUST_LOG` says otherwise; the embedded store's own words at warnings.
const LOGGED: &str = sinks::view_store::embedded::LOGGED;

/// Logs go to stderr; `RUST_LOG` chooses which.
fn start_logging(environment: &[(OsString, OsString)]) {
    let chosen = environment.iter().find(|(name, _)| name == "RUST_LOG");
    let filter = chosen.and_then(|(_, value)| value.to_str()).unwrap_or(LOGGED);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
