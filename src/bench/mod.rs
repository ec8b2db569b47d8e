//! `watermart bench`: measures one part, cases interleaved in one run, and prints a report.

mod decode;
mod demand;
mod engine;
mod hot_product;
mod log;
mod machine;
mod plain;
mod shop;

use crate::cli::{Bench, BenchName};
use crate::exit::Failure;
use crate::stdout::{Ended, Lines, until_closed};
use machine::Machine;
use serde::Serialize;
use sinks::clock::Clock;
use std::collections::BTreeMap;

/// What a bench found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    bench: &'static str,
    commit: String,
    machine: Machine,
    rounds: u16,
    setup: BTreeMap<&'static str, String>,
    figures: Vec<Figure>,
}

/// One figure over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    median: f64,
    min: f64,
    max: f64,
    /// What it must reach: at least, unless it is said to be at most.
    bar: Option<f64>,
    met: Option<bool>,
}

/// Which side of a bar is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// Only stated.
    None,
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Figure {
    /// The figure of these samples, one a round.
    #[must_use]
    pub(crate) fn of(
        name: impl Into<String>,
        unit: &'static str,
        mut samples: Vec<f64>,
        bar: Bar,
    ) -> Self {
        samples.sort_by(f64::total_cmp);
        let median = samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN);
        let min = samples.first().copied().unwrap_or(f64::NAN);
        let max = samples.last().copied().unwrap_or(f64::NAN);
        let (bar, met) = match bar {
            Bar::None => (None, None),
            Bar::AtLeast(bar) => (Some(bar), Some(median >= bar)),
            Bar::AtMost(bar) => (Some(bar), Some(median <= bar)),
        };
        Self { name: name.into(), unit, median, min, max, bar, met }
    }
}

/// Runs the bench and prints its report.
///
/// # Errors
/// With `--gate`, a missed bar.
pub(crate) fn run(arguments: &Bench, json: bool) -> Result<(), Failure> {
    let clock = Clock::system();
    let rounds = arguments.rounds;
    let (bench, setup, figures) = match arguments.name {
        BenchName::Decode => decode::run(rounds, &clock),
        BenchName::Engine => engine::run(rounds, &clock),
        BenchName::Log => log::run(rounds),
        BenchName::HotProduct => hot_product::run(rounds, &clock),
    }
    .map_err(Failure::Check)?;
    let report = Report {
        bench,
        commit: machine::commit(),
        machine: Machine::read(),
        rounds,
        setup,
        figures,
    };
    let mut lines = Lines::lock();
    let printed = if json { lines.json(&report) } else { print(&report, &mut lines) };
    until_closed(printed.and_then(|()| lines.flush()))?;
    let missed: Vec<_> =
        report.figures.iter().filter(|f| f.met == Some(false)).map(|f| f.name.as_str()).collect();
    if arguments.gate && !missed.is_empty() {
        return Err(Failure::Check(format!("missed: {}", missed.join(", "))));
    }
    Ok(())
}

fn print(report: &Report, lines: &mut Lines) -> Result<(), Ended> {
    let Machine { cpu, cores, memory_bytes } = &report.machine;
    let Report { bench, commit, rounds, .. } = report;
    lines.line(&format_args!("bench {bench}, commit {commit}, {rounds} rounds"))?;
    lines.line(&format_args!("{cpu}, {cores} cores, {} GiB", memory_bytes >> 30))?;
    for (name, value) in &report.setup {
        lines.line(&format_args!("  {name}: {value}"))?;
    }
    for figure in &report.figures {
        let bar = match (figure.bar, figure.met) {
            (Some(bar), Some(true)) => format!("  bar {bar}: met"),
            (Some(bar), _) => format!("  bar {bar}: MISSED"),
            (None, _) => String::new(),
        };
        let Figure { name, unit, median, min, max, .. } = figure;
        let spread = format_args!("[{min:.2} .. {max:.2}]");
        lines.line(&format_args!("{name:<58} {median:>14.2} {unit:<10} {spread}{bar}"))?;
    }
    Ok(())
}
