//! `watermart doctor`: asks each part whether it answers, which version it is, and what is unsafe.
//!
//! Changes nothing, and is right beside a running shop. Exit 1 if a check failed, 5 if a part did
//! not answer.

mod data;
mod http;
mod log;
mod payments;
mod registry;
mod report;
mod views;

use crate::cli::{Doctor, Global};
use crate::exit::Failure;
use crate::stdout::{Lines, until_closed};
use report::Report;
use sinks::clock::Clock;
use sinks::event_log::Location;

/// Examines, prints the report, and fails if a part does.
pub(crate) fn run(doctor: &Doctor, global: &Global) -> Result<(), Failure> {
    let (data, clock) = (&global.data, Clock::system());
    let log = match &doctor.outside.log_url {
        Location::Embedded => log::on_files(data, &clock),
        Location::Cluster(cluster) => log::on_cluster(cluster, &doctor.outside, &clock),
    };
    let parts = vec![
        data::examine(data, &clock),
        log,
        registry::examine(&doctor.outside)?,
        views::examine(data),
        payments::examine(doctor, data),
    ];
    let report = Report::of(parts);
    let mut lines = Lines::lock();
    let printed = if global.json { lines.line(&report.json()) } else { report.print(&mut lines) };
    until_closed(printed.and_then(|()| lines.flush()))?;
    report.outcome()
}
