//! `watermart load`: runs a load profile against a shop, prints its report.

use crate::cli::Global;
use crate::exit::Failure;
use crate::stdout::{Lines, until_closed};
use loadgen::Options;

/// Runs the profile.
///
/// # Errors
/// It could not run; with `--gate`, it was not valid or fell short.
pub(crate) fn run(options: &Options, global: &Global) -> Result<(), Failure> {
    let report = loadgen::run(options).map_err(|error| match error.exit_code() {
        5 => Failure::Unreachable(error.to_string()),
        1 => Failure::Check(error.to_string()),
        _ => Failure::Usage(error.to_string()),
    })?;
    let mut lines = Lines::lock();
    let printed = if global.json {
        lines.json(&report)
    } else {
        let text = serde_json::to_string_pretty(&report);
        lines.line(&text.expect("a report has text keys and numbers"))
    };
    until_closed(printed.and_then(|()| lines.flush()))?;
    match report.gate_failure(options) {
        Some(reason) if options.gate => Err(Failure::Check(reason)),
        Some(_) | None => Ok(()),
    }
}
