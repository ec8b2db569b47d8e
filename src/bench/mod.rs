//! `watermart bench`: measures one part, cases interleaved in one run, and prints a report.
//!
//! | bench | measures |
//! |---|---|
//! | `decode`, `engine`, `hot-product` | code in memory, in this process |
//! | `log` | a shop in this process |
//! | `checkpoint`, `recovery`, `rescale`, `expiry` | a shop in a process of its own, over HTTP |

mod caller;
mod checkpoint;
mod decisions;
mod decode;
mod demand;
mod engine;
mod expired;
mod expiry;
pub(crate) mod flags;
mod hot_product;
mod load;
mod log;
mod machine;
mod plain;
mod process;
mod recovery;
mod report;
mod rescale;
mod reservations;
mod restart;
mod shop;
mod takeover;

use crate::exit::Failure;
use crate::stdout::{Lines, until_closed};
use flags::{Bench, BenchName};
use machine::Machine;
use report::{Bar, Figure, Found, Report};
use sinks::clock::Clock;

/// Runs the bench and prints its report.
///
/// # Errors
/// With `--gate`, a missed bar.
pub(crate) fn run(arguments: &Bench, json: bool) -> Result<(), Failure> {
    let clock = Clock::system();
    let Bench { name, size, .. } = arguments;
    let rounds = arguments.rounds.unwrap_or_else(|| name.rounds());
    let (bench, setup, figures) = match name {
        BenchName::Decode => decode::run(rounds, &clock),
        BenchName::Engine => engine::run(rounds, &clock),
        BenchName::Log => log::run(rounds),
        BenchName::HotProduct => hot_product::run(rounds, &clock),
        BenchName::Checkpoint => checkpoint::run(rounds, size, &clock),
        BenchName::Recovery => recovery::run(rounds, size, &arguments.brokers, &clock),
        BenchName::Rescale => rescale::run(rounds, size, &clock),
        BenchName::Expiry => expiry::run(rounds, size, &clock),
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
    let printed = if json { lines.json(&report) } else { report.print(&mut lines) };
    until_closed(printed.and_then(|()| lines.flush()))?;
    let missed = report.missed();
    if arguments.gate && !missed.is_empty() {
        return Err(Failure::Check(format!("missed: {}", missed.join(", "))));
    }
    Ok(())
}
