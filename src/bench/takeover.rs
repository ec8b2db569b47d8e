//! Who leads a shop of parts is killed, and its hot standby leads. What is measured is what callers see
//! of it, at an `up` that follows both: from the kill to the first decision that they get.

use super::process::{Load, Process};
use super::reservations::{decision, fill};
use super::{Bar, Figure};
use sinks::clock::Clock;
use sinks::event_log::Location;
use std::path::Path;
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
    let start = |part: &str, dir: &Path, role: Option<&str>| {
        let mut flags = vec!["--port", "0", "--payments-url", "manual:", "--log-url", &url];
        flags.extend(single_broker.then_some("--single-broker"));
        flags.extend(role);
        Process::start_part(part, dir, &flags)
    };
    let shop = start("up", &home.path().join("shop"), None)?;
    fill(&shop.caller, PRODUCTS.parse().expect("a constant"))?;
    let mut dirs = ["a", "b"].map(|name| home.path().join(name));
    let mut leads = start("process", &dirs[0], Some("--take-over"))?;
    let mut follows = start("process", &dirs[1], Some("--follow"))?;
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let shape = ["steady", "--rate", RATE, "--seconds", LOAD_SECONDS, "--products", PRODUCTS];
        let load = Load::start(shop.caller.url(), &shape)?;
        std::thread::sleep(Duration::from_secs(seconds.into()));
        let begun = clock.elapsed();
        leads.kill()?;
        runtime.block_on(decision(&shop.caller))?;
        taken.push(clock.elapsed().saturating_sub(begun).as_secs_f64());
        load.end()?;
        leads = follows;
        dirs.swap(0, 1);
        follows = start("process", &dirs[1], Some("--follow"))?;
    }
    for process in [follows, leads, shop] {
        process.stop()?;
    }
    Ok(Figure::of("leader killed, standby leads", "s", taken, Bar::NeverOver(SECONDS_MAX)))
}
