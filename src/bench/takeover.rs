//! Two shops on one cluster: the one that leads is killed, and the other, which follows it, leads.
//! What is measured is what its callers see: from the kill to the first decision that they get.

use super::process::{Load, Process};
use super::reservations::{decision, fill};
use super::{Bar, Figure};
use sinks::clock::Clock;
use sinks::event_log::Location;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Enough to sell; who follows holds all of it in memory before, however much it is.
const PRODUCTS: &str = "1000";
const RATE: &str = "50";
const LOAD_SECONDS: &str = "3600";
/// From the kill to the first new decision.
const SECONDS_MAX: f64 = 1.5;

/// Kills who leads, so many times.
///
/// # Errors
/// The shops cannot be run on this cluster.
pub(super) fn run(
    rounds: u16,
    seconds: u16,
    (cluster, single_broker): (&Location, bool),
    clock: &Clock,
) -> Result<Figure, String> {
    let home = TempDir::with_prefix("watermart-bench-");
    let home = home.map_err(|error| format!("could not make a directory: {error}"))?;
    let runtime = crate::serving::runtime().map_err(|failure| failure.to_string())?;
    // A namespace of its own: the shop that is there sees nothing of this.
    let url = format!("{cluster}-bench-{}", clock.now().0);
    let start = |dir: &PathBuf| {
        let mut flags = vec!["--port", "0", "--payments-url", "manual:", "--log-url", &url];
        flags.extend(single_broker.then_some("--single-broker"));
        Process::start(dir, &flags)
    };
    let mut dirs = ["a", "b"].map(|name| home.path().join(name));
    let mut leads = start(&dirs[0])?;
    fill(&leads.caller, PRODUCTS.parse().expect("a constant"))?;
    let mut follows = start(&dirs[1])?;
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let shape = ["steady", "--rate", RATE, "--seconds", LOAD_SECONDS, "--products", PRODUCTS];
        let load = Load::start(follows.caller.url(), &shape)?;
        std::thread::sleep(Duration::from_secs(seconds.into()));
        let begun = clock.elapsed();
        leads.kill()?;
        runtime.block_on(decision(&follows.caller))?;
        taken.push(clock.elapsed().saturating_sub(begun).as_secs_f64());
        load.end()?;
        leads = follows;
        dirs.swap(0, 1);
        follows = start(&dirs[1])?;
    }
    for shop in [follows, leads] {
        shop.stop()?;
    }
    Ok(Figure::of("leader killed, standby leads", "s", taken, Bar::NeverOver(SECONDS_MAX)))
}
