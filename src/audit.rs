//! `watermart audit`: judges a stopped shop's log and views, prints a report.

use crate::cli::{AuditArgs, Global};
use crate::exit::Failure;
use crate::parts;
use audit::{AuditError, Report};

/// Audits and prints.
///
/// # Errors
/// Something is wrong, or the audit could not be made.
pub(crate) fn run(arguments: &AuditArgs, global: &Global) -> Result<(), Failure> {
    for (flag, given) in [("url", arguments.url.is_some()), ("ledger", arguments.ledger.is_some())]
    {
        if given {
            let detail = "is not known to this build yet; audit a stopped shop by --data";
            return Err(Failure::flag(flag, detail));
        }
    }
    let log = parts::read_log(&global.data)?;
    let views = parts::open_views(&global.data)?;
    let report = audit::audit(&log, Some(&views)).map_err(|error| failure(&error))?;
    print(&report, global.json);
    if report.ok { Ok(()) } else { Err(Failure::Check("the audit found breaches".to_owned())) }
}

fn failure(error: &AuditError) -> Failure {
    match error {
        AuditError::Log(_) | AuditError::Views(_) | AuditError::Output { .. } => {
            Failure::Damaged(error.to_string())
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command prints")]
fn print(report: &Report, json: bool) {
    if json {
        let text = serde_json::to_string(report).expect("a report has text keys and numbers");
        println!("{text}");
        return;
    }
    println!("epoch {}, {} records", report.epoch, report.records);
    for invariant in &report.invariants {
        let verdict = match (invariant.checked, invariant.breaches) {
            (0, _) => "not checked".to_owned(),
            (checked, 0) => format!("holds, {checked} checks"),
            (checked, breaches) => format!("BROKEN {breaches} times in {checked} checks"),
        };
        println!("{:>4}  {:<72} {verdict}", invariant.id, invariant.name);
        for example in &invariant.examples {
            println!("      {example:?}");
        }
    }
    for view in &report.views {
        println!("view {:<16} {:>9} rows, {} differences", view.name, view.rows, view.differences);
    }
    println!("{}", serde_json::to_string(&report.totals).expect("totals are numbers"));
}
