//! `watermart audit`: the second opinion on a shop's log and views. Exit 1 if anything does not
//! hold. Of a stopped shop both are read from its directory; beside a running one, the log from
//! there and the views over HTTP. On a cluster the log is read there in either case.

use crate::cli::{AuditArgs, Global};
use crate::exit::Failure;
use crate::running_shop::RunningShop;
use crate::stdout::{Lines, until_closed};
use crate::{log, parts};
use audit::{AuditError, Ledger, Report};
use sinks::event_log::ReadError;
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::EmbeddedViews;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;

/// Audits, prints the report, and fails if something does not hold.
pub(crate) fn run(arguments: &AuditArgs, global: &Global) -> Result<(), Failure> {
    let shop = arguments.url.as_deref().map(RunningShop::at).transpose()?;
    let ledger = arguments.ledger.as_ref().map(|path| {
        let named = |error| Failure::flag("ledger", format!("{}: {error}", path.display()));
        File::open(path).and_then(|file| Ledger::read(BufReader::new(file))).map_err(named)
    });
    let ledger = ledger.transpose()?;
    let schemas = parts::read_schemas(&arguments.outside, &global.data)?;
    let report = match shop {
        Some(shop) => {
            let log = log::read(&arguments.outside, &global.data, true)?;
            audit::audit_beside(&*log, &schemas, &shop, ledger)
        }
        None => stopped(arguments, global, &schemas, ledger)?,
    };
    let report = report.map_err(|error| failure(&error))?;
    let mut lines = Lines::lock();
    let printed = if global.json { lines.json(&report) } else { lines.text(&table(&report)) };
    until_closed(printed.and_then(|()| lines.flush()))?;
    if report.ok {
        return Ok(());
    }
    let broken = report.invariants.iter().filter(|verdict| verdict.breaches > 0);
    let broken: Vec<_> = broken.map(|verdict| verdict.id).collect();
    Err(Failure::Check(format!("the audit found breaches of {}", broken.join(", "))))
}

fn stopped(
    arguments: &AuditArgs,
    global: &Global,
    schemas: &Schemas,
    ledger: Option<Ledger>,
) -> Result<Result<Report, AuditError>, Failure> {
    let log = log::read(&arguments.outside, &global.data, false)?;
    let dir = parts::views_dir(&global.data);
    // Opening a store that is not there would make one.
    let views = if dir.is_dir() { Some(parts::open_views(&global.data)?) } else { None };
    let views: Option<&dyn ViewStore> = views.as_ref().map(|views: &EmbeddedViews| views as _);
    Ok(audit::audit(&*log, schemas, views, ledger))
}

/// Why a log or views could not be read, as the end of the command.
pub(crate) fn failure(error: &AuditError) -> Failure {
    match error {
        AuditError::Log(ReadError::Damaged { .. } | ReadError::BeyondEnd { .. })
        | AuditError::Views(_) => Failure::Damaged(error.to_string()),
        AuditError::Log(ReadError::BelowStart { .. } | ReadError::Unavailable(_))
        | AuditError::Shop(_) => Failure::Unreachable(error.to_string()),
        AuditError::UnknownSchema { .. } => Failure::flag("registry-url", error),
    }
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        writeln!(text, "{words}").expect("a string takes all");
    };
    let verdict = if report.ok { "clean" } else { "NOT CLEAN" };
    let (epoch, records) = (report.epoch, report.records);
    line(format_args!("{verdict}: {records} records, {epoch} epochs, digest {}", report.digest));
    if report.not_judged > 0 {
        line(format_args!("not judged: {} records whose epoch is undecided", report.not_judged));
    }
    line(format_args!("\n{:<5}{:<52}{:>12}{:>10}", "", "holds", "checked", "breaches"));
    for part in &report.invariants {
        let (id, name) = (part.id, part.name);
        line(format_args!("{id:<5}{name:<52}{:>12}{:>10}", part.checked, part.breaches));
        for example in &part.examples {
            let at = example.position.as_deref().unwrap_or("-");
            line(format_args!("       {} ({at})", example.key));
            line(format_args!("         expected {}", example.expected));
            line(format_args!("         found    {}", example.found));
        }
    }
    line(format_args!("\n{:<22}{:>12}{:>13}", "view", "rows", "differences"));
    for view in &report.views {
        line(format_args!("{:<22}{:>12}{:>13}", view.name, view.rows, view.differences));
    }
    let (orders, units) = (&report.totals.orders, &report.totals.units);
    line(format_args!(
        "\norders: {} requested, {} awaiting payment, {} confirmed, {} rejected, {} cancelled",
        orders.requested,
        orders.awaiting_payment,
        orders.confirmed,
        orders.rejected,
        orders.cancelled
    ));
    line(format_args!(
        "units:  {} on hand = {} available + {} reserved + {} allocated + {} safety stock",
        units.on_hand, units.available, units.reserved, units.allocated, units.safety_stock
    ));
    for money in &report.totals.money {
        line(format_args!(
            "{}:    {} authorized, {} captured, {} voided, {} refunded",
            money.currency, money.authorized, money.captured, money.voided, money.refunded
        ));
    }
    if let Some(ledger) = &report.ledger {
        line(format_args!(
            "ledger: {} asked, {} answered, {} unknown, {} differences",
            ledger.asked, ledger.answered, ledger.unknown, ledger.differences
        ));
    }
    text
}
