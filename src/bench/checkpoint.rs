//! `bench checkpoint`: what checkpoints every 5 s cost, against none, in pairs that take turns.
//!
//! Each case is a shop of its own, filled, and asked for two things:
//! - *throughput*: many orders as fast as it takes them, until all are decided and can be read;
//! - *stops*: decisions asked for each 10 ms beside a steady load far below that; the longest that
//!   one took, less their median, is the longest stop.
//!
//! What a checkpoint wrote is read from the manifests when the shop is stopped: the last run of
//! each is its own, whatever was merged since.

use super::decisions::{Asking, Decision, quantile_ms};
use super::flags::Size;
use super::process::{Load, Process};
use super::reservations::{checkpointed, decided, fill, reserve};
use super::{Bar, Figure, Found};
use processors::checkpoints::manifest::{Manifest, Run};
use sinks::clock::Clock;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const PRODUCTS: u32 = 100_000;
/// As much as takes longer than a checkpoint's interval.
const ORDERS: u32 = 300_000;
const SECONDS: u16 = 12;
/// The steady load, far below the throughput, and what is asked for beside it.
const RATE: &str = "2000";
const EVERY: Duration = Duration::from_millis(10);
const WITH: [&str; 2] = ["--checkpoint-interval", "5s"];
const WITHOUT: [&str; 2] = ["--checkpoints-url", "none:"];
const WORKERS: usize = 1;

/// Throughput with checkpoints, as a share of that without.
const RATIO_MIN: f64 = 0.9;
const STOP_MAX_MS: f64 = 100.0;

/// How a case is measured.
#[derive(Clone, Copy, Debug)]
struct Shape {
    products: u32,
    orders: u32,
    seconds: u16,
}

/// What one case gave.
struct Case {
    orders_per_s: f64,
    stop_ms: f64,
    written: Written,
}

/// What checkpoints wrote.
#[derive(Debug, Default, PartialEq)]
struct Written {
    checkpoints: u64,
    bytes: u64,
    keys: u64,
    /// The most files that one wrote, its manifest among them.
    files_max: u64,
    /// Files that others were merged into.
    merged: u64,
}

/// Runs the bench.
///
/// # Errors
/// A shop cannot be run.
pub(super) fn run(rounds: u16, size: &Size, clock: &Clock) -> Result<Found, String> {
    let shape = Shape {
        products: size.products.unwrap_or(PRODUCTS),
        orders: size.reservations.unwrap_or(ORDERS),
        seconds: size.seconds.unwrap_or(SECONDS),
    };
    let runtime = crate::serving::runtime().map_err(|failure| failure.to_string())?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Who goes first takes turns too.
        let mut cases = [(&WITH, &mut with), (&WITHOUT, &mut without)];
        if round % 2 == 1 {
            cases.reverse();
        }
        for (flags, measured) in cases {
            measured.push(measure(shape, flags, &runtime, clock)?);
        }
    }
    let Shape { products, orders, seconds } = shape;
    let setup = BTreeMap::from([
        ("products", products.to_string()),
        ("throughput", format!("{orders} orders of one unit, until all are decided")),
        (
            "stop",
            format!(
                "the longest decision less the median, one each {EVERY:?} for {seconds} s beside \
                 {RATE} orders/s"
            ),
        ),
        ("workers", WORKERS.to_string()),
    ]);
    Ok(("checkpoint", setup, figures(&with, &without)))
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^53")]
fn figures(with: &[Case], without: &[Case]) -> Vec<Figure> {
    let rates = |cases: &[Case]| cases.iter().map(|case| case.orders_per_s).collect::<Vec<_>>();
    let stops = |cases: &[Case]| cases.iter().map(|case| case.stop_ms).collect::<Vec<_>>();
    let ratios =
        with.iter().zip(without).map(|(with, without)| with.orders_per_s / without.orders_per_s);
    let each = |of: fn(&Written) -> f64| with.iter().map(|case| of(&case.written)).collect();
    let files_max = WORKERS as f64 + 1.0;
    vec![
        Figure::of("without checkpoints", "orders/s", rates(without), Bar::None),
        Figure::of("every 5 s", "orders/s", rates(with), Bar::None),
        Figure::of("with / without", "ratio", ratios.collect(), Bar::AtLeast(RATIO_MIN)),
        Figure::of("longest stop without checkpoints", "ms", stops(without), Bar::None),
        Figure::of("longest stop", "ms", stops(with), Bar::NeverOver(STOP_MAX_MS)),
        Figure::of("checkpoints", "", each(|w| w.checkpoints as f64), Bar::None),
        Figure::of("changed key", "bytes", each(|w| w.bytes as f64 / w.keys as f64), Bar::None),
        Figure::of(
            "files a checkpoint, manifest counted",
            "files",
            each(|w| w.files_max as f64),
            Bar::NeverOver(files_max),
        ),
        Figure::of(
            "merged files a checkpoint",
            "files",
            each(|w| w.merged as f64 / w.checkpoints as f64),
            Bar::None,
        ),
    ]
}

fn measure(shape: Shape, flags: &[&str], runtime: &Runtime, clock: &Clock) -> Result<Case, String> {
    let Shape { products, orders, seconds } = shape;
    let home = TempDir::with_prefix("watermart-bench-");
    let home = home.map_err(|error| format!("could not make a directory: {error}"))?;
    let data = home.path().join("shop");
    let unpaid = ["--port", "0", "--payments-url", "manual:", "--reservation-timeout", "24h"];
    let shop = Process::start(&data, &[&unpaid[..], flags].concat())?;
    fill(&shop.caller, products)?;
    let orders_per_s = runtime.block_on(async {
        decided(&shop.caller, clock).await?;
        let begun = clock.elapsed();
        reserve(&shop.caller, 0..orders, products).await?;
        decided(&shop.caller, clock).await?;
        Ok::<_, String>(f64::from(orders) / clock.elapsed().saturating_sub(begun).as_secs_f64())
    })?;
    let decisions = steady(&shop, products, seconds, runtime, clock)?;
    if flags == WITH {
        // What is measured of it must be there, however short the load was.
        runtime.block_on(checkpointed(&shop.caller, clock))?;
    }
    shop.stop()?;
    let [median, longest] = [0.5, 1.0].map(|share| quantile_ms(&decisions, share));
    let stop_ms = longest.zip(median).map(|(longest, median)| longest - median);
    let stop_ms = stop_ms.ok_or("nothing was decided beside the load")?;
    Ok(Case { orders_per_s, stop_ms, written: Written::under(&data.join("checkpoints"))? })
}

/// Decisions beside a steady load.
fn steady(
    shop: &Process,
    products: u32,
    seconds: u16,
    runtime: &Runtime,
    clock: &Clock,
) -> Result<Vec<Decision>, String> {
    // Longer than it is wanted: it must not end before what is asked for beside it.
    let (length, sold) = (seconds.saturating_mul(2).to_string(), products.to_string());
    let shape = ["steady", "--rate", RATE, "--batch", "20", "--seconds", &length];
    let load = Load::start(shop.caller.url(), &[&shape[..], &["--products", &sold]].concat())?;
    let decisions = runtime.block_on(async {
        let asking = Asking::start(shop.caller.clone(), clock.clone(), ("steady", products), EVERY);
        tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        asking.stop().await
    })?;
    load.end()?;
    Ok(decisions)
}

impl Written {
    /// What stands in this folder; nothing if there is none.
    fn under(folder: &Path) -> Result<Self, String> {
        let mut written = Self::default();
        let mut own = 0;
        for manifest in files(&folder.join("manifests"))? {
            let manifest = read(&manifest)?;
            let run = manifest.runs.last().ok_or("a manifest without files of its own")?;
            own += run.files.len() as u64;
            written.add(run);
        }
        // None is removed within ten minutes.
        written.merged = (files(&folder.join("state"))?.len() as u64).saturating_sub(own);
        Ok(written)
    }

    fn add(&mut self, run: &Run) {
        self.checkpoints += 1;
        self.files_max = self.files_max.max(run.files.len() as u64 + 1);
        for file in &run.files {
            self.bytes += file.bytes;
            self.keys += file.entries;
        }
    }
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let listed = std::fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    });
    listed.map_err(|error| format!("{}: {error}", folder.display()))
}

fn read(manifest: &Path) -> Result<Manifest, String> {
    let text = std::fs::read_to_string(manifest);
    let text = text.map_err(|error| format!("{}: {error}", manifest.display()))?;
    let line = text.lines().next().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("{}: {error}", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use processors::checkpoints::manifest::StateFile;

    #[test]
    fn what_was_written_is_counted_over_all_checkpoints() {
        let file = |bytes, entries| StateFile { name: String::new(), bytes, entries };
        let mut written = Written::default();
        written.add(&Run { files: vec![file(900, 10)] });
        written.add(&Run { files: vec![file(80, 1), file(20, 1)] });
        let (checkpoints, bytes, keys, files_max) = (2, 1_000, 12, 3);
        assert_eq!(written, Written { checkpoints, bytes, keys, files_max, merged: 0 });
    }

    #[test]
    fn a_shop_that_made_none_wrote_nothing() {
        let nowhere = TempDir::new().unwrap();
        let written = Written::under(&nowhere.path().join("checkpoints")).unwrap();
        assert_eq!(written, Written::default());
    }
}
