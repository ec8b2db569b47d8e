//! `watermart load`, as a bench has it asked of a shop: to its end in this process, or beside what is
//! measured in one of its own.

use crate::cli::{Cli, Command};
use crate::exit::Failure;
use clap::Parser as _;

/// A command line with these words.
///
/// # Errors
/// It is none.
pub(super) fn parsed(words: &[&str]) -> Result<Command, Failure> {
    let line = std::iter::once("watermart").chain(words.iter().copied());
    let cli = Cli::try_parse_from(line).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(cli.command)
}

/// Runs a load profile, with its flags, against the shop at this URL.
///
/// # Errors
/// It could not run.
pub(super) fn run(url: &str, flags: &[&str]) -> Result<loadgen::Report, Failure> {
    let Command::Load(options) = parsed(&[&["load"], flags, &["--url", url]].concat())? else {
        unreachable!("as it is named")
    };
    loadgen::run(&options).map_err(|error| Failure::Check(error.to_string()))
}
