//! `/metrics` in Prometheus' text format: what `/v1/status` says, as numbers over time.
//!
//! Labels are bounded by the code: partitions, views, invariants.

use crate::running::Running;
use crate::status::Report;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use edge::principal::Principal;
use edge::problem::Problem;
use std::fmt::{Display, Write};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Numbers for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "running",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(crate) async fn get(State(running): State<Running>, _: Principal) -> Result<Response, Problem> {
    let report = running.report().await?;
    let ready = running.readiness().await.is_ok();
    Ok(([(header::CONTENT_TYPE, TEXT)], text(&report, ready)).into_response())
}

fn text(report: &Report, ready: bool) -> String {
    let mut out = String::new();
    let partitions = || report.log.iter();
    let views = || report.views.iter();
    let invariants = || report.invariants.iter();
    metric(&mut out, "ready", "gauge", "1 while /readyz is 200.", [("", u64::from(ready))]);
    metric(
        &mut out,
        "epochs_finished_total",
        "counter",
        "Epochs finished since the log began.",
        report.epoch.map(|epoch| ("", epoch)),
    );
    metric(
        &mut out,
        "records_applied_total",
        "counter",
        "Records of the log that are in the views.",
        partitions().filter_map(|(name, p)| Some((label("partition", name), p.applied?))),
    );
    metric(
        &mut out,
        "lag_records",
        "gauge",
        "Records of the log that are not yet in the views.",
        partitions().filter_map(|(name, p)| {
            Some((label("partition", name), p.end?.saturating_sub(p.applied?)))
        }),
    );
    metric(
        &mut out,
        "view_lag_milliseconds",
        "gauge",
        "Age of the views' epoch while records are missing in them.",
        views().map(|view| (label("view", view.name), view.lag_ms)),
    );
    metric(
        &mut out,
        "view_rows",
        "gauge",
        "Rows of a view.",
        views().map(|view| (label("view", view.name), view.rows)),
    );
    metric(
        &mut out,
        "invariant_checks_total",
        "counter",
        "How often an invariant was checked.",
        invariants().map(|(id, i)| (label("invariant", id), i.checked)),
    );
    metric(
        &mut out,
        "invariant_breaches_total",
        "counter",
        "How often an invariant did not hold.",
        invariants().map(|(id, i)| (label("invariant", id), i.breaches)),
    );
    set_aside(&mut out, report);
    out
}

/// Records that were not used, or not yet.
fn set_aside(out: &mut String, report: &Report) {
    metric(
        out,
        "dead_letters_total",
        "counter",
        "Records put aside.",
        report.dead_letters.map(|letters| ("", letters)),
    );
    metric(
        out,
        "late_records_total",
        "counter",
        "Records of orders that were settled more than a week before.",
        report.late.map(|late| ("", late)),
    );
    metric(
        out,
        "held_partitions",
        "gauge",
        "Partitions that wait for the schema of their next record.",
        report.held.as_ref().map(|held| ("", held.len() as u64)),
    );
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{value}\"}}")
}

fn metric<L: Display>(
    out: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    samples: impl IntoIterator<Item = (L, u64)>,
) {
    let told = "a String takes what is written";
    writeln!(out, "# HELP watermart_{name} {help}\n# TYPE watermart_{name} {kind}").expect(told);
    for (labels, value) in samples {
        writeln!(out, "watermart_{name}{labels} {value}").expect(told);
    }
}
