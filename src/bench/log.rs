//! `bench log`: bytes of event log that an order costs, in a whole shop that sells at a steady rate.
//!
//! A round opens a shop in a directory of its own, fills it, sells for a while through its HTTP
//! interface with the sandbox paying, and stops it. Whatever the log then has more than when the
//! shop was filled is the orders' cost: actions, decisions, payments, plans. It is counted as it
//! is stored (blocks of records, packed together) and record by record, key and value, unpacked; a
//! block holds records of many topics, so that what a topic costs packed cannot be told.

use super::load::{self, parsed};
use super::{Bar, Figure, Found};
use crate::cli::Command;
use crate::exit::Failure;
use crate::parts;
use crate::serving::{self, Service as _};
use crate::up::Shop;
use schemas::codec::Codec;
use schemas::events::EventKind;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::EventLog as _;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Orders a second.
const RATE: u32 = 2_500;
/// How long they come, in a round.
const SECONDS: u32 = 10;
const LINES_MEAN: &str = "2.5";
/// Checkouts in a request: one by one the generator, which is one thread, would be at its limit.
const BATCH: &str = "10";
/// How long the server may take to end when nobody asks it any more.
const STOP_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 8 << 20;
/// What an order may cost: 2 KB.
const BYTES_MAX: f64 = 2_000.0;

/// Runs the bench.
///
/// # Errors
/// A shop cannot be run, or its log read.
pub(crate) fn run(rounds: u16) -> Result<Found, String> {
    let mut costs = Vec::new();
    let mut unscheduled = Vec::new();
    for round in 0..rounds {
        let sold = sell(round).map_err(|failure| failure.to_string())?;
        unscheduled.extend(sold.invalid_because);
        costs.push(sold.cost);
    }
    let figure = |name: String, of: &dyn Fn(&Cost) -> u64, bar| {
        let an_order = |cost: &Cost| ratio(of(cost), cost.orders);
        Figure::of(name, "bytes/order", costs.iter().map(an_order).collect(), bar)
    };
    let mut figures = vec![
        figure("all, as stored".to_owned(), &|cost| cost.packed, Bar::AtMost(BYTES_MAX)),
        figure("all, unpacked".to_owned(), &Cost::unpacked, Bar::None),
    ];
    for topic in Topic::ALL {
        let of = |cost: &Cost| cost.topics.get(&topic).copied().unwrap_or(0);
        figures.push(figure(format!("{topic}, unpacked"), &of, Bar::None));
    }
    let orders: Vec<_> = costs.iter().map(|cost| cost.orders.to_string()).collect();
    let schedule = match unscheduled.first() {
        None => "kept in every round".to_owned(),
        Some(why) => format!("not kept in {} of {rounds} rounds: {why}", unscheduled.len()),
    };
    let setup = BTreeMap::from([
        (
            "load",
            format!("steady, {RATE}/s for {SECONDS} s, {BATCH} a request, {LINES_MEAN} lines"),
        ),
        ("orders on the log", orders.join(" ")),
        ("schedule", schedule),
    ]);
    Ok(("log", setup, figures))
}

/// What a round's orders cost.
#[derive(Debug, Default, PartialEq)]
struct Cost {
    orders: u64,
    /// As stored.
    packed: u64,
    /// Keys and values.
    topics: BTreeMap<Topic, u64>,
}

impl Cost {
    fn unpacked(&self) -> u64 {
        self.topics.values().sum()
    }
}

struct Sold {
    cost: Cost,
    /// Why the load was not what it should have been.
    invalid_because: Option<String>,
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a log far below 2^53")]
fn ratio(bytes: u64, orders: u64) -> f64 {
    bytes as f64 / orders as f64
}

fn sell(round: u16) -> Result<Sold, Failure> {
    let dir = TempDir::with_prefix("watermart-bench-log-")
        .map_err(|error| Failure::Check(format!("could not make a directory: {error}")))?;
    open_for(dir.path(), &["stock"])?;
    let filled = Counted::of(dir.path())?;
    let (rate, seconds, seed) = (RATE.to_string(), SECONDS.to_string(), round.to_string());
    let steady = ["steady", "--rate", &rate, "--seconds", &seconds, "--seed", &seed];
    let shape = ["--lines-mean", LINES_MEAN, "--batch", BATCH];
    let report = open_for(dir.path(), &[&steady[..], &shape].concat())?;
    let sold = Counted::of(dir.path())?;
    Ok(Sold { cost: sold.since(&filled), invalid_because: report.invalid_because })
}

/// Runs a load profile on a shop that is opened for it.
fn open_for(data: &Path, flags: &[&str]) -> Result<loadgen::Report, Failure> {
    let Command::Up(up) = parsed(&["up"])? else { unreachable!("as it is named") };
    let runtime = serving::runtime()?;
    let shop = Shop::open(&up, data, &runtime)?;
    let report = serve(&shop, &runtime, |url| load::run(url, flags));
    let stopped = shop.stop();
    runtime.shutdown_timeout(STOP_MAX);
    report.and_then(|report| stopped.map(|()| report))
}

/// Serves while this is done; when it ends, nothing of the server holds on to the shop any more.
fn serve<T>(
    shop: &Shop,
    runtime: &Runtime,
    work: impl FnOnce(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) =
        listener.map_err(|error| Failure::Check(format!("cannot listen: {error}")))?;
    shop.wait_ready()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, shop.router()).with_graceful_shutdown(async {
        // A sender that is gone is a stop too.
        let _ = stopped.await;
    });
    let server = runtime.spawn(server.into_future());
    let done = work(&format!("http://{address}"));
    drop(stop);
    let ended = runtime.block_on(async { tokio::time::timeout(STOP_MAX, server).await });
    ended.map_err(|_elapsed| Failure::Check("the server did not end".to_owned())).and(done)
}

/// A log as it stands.
struct Counted {
    orders: u64,
    packed: u64,
    topics: BTreeMap<Topic, u64>,
}

impl Counted {
    /// Reads the log of a stopped shop to its end.
    fn of(data: &Path) -> Result<Self, Failure> {
        let log = parts::read_log(data)?;
        let codec = Codec::compiled();
        let mut counted =
            Self { orders: 0, packed: log.journal_bytes(), topics: BTreeMap::default() };
        let from: Vec<_> =
            Topic::ALL.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0)).collect();
        let unreadable = |error: &dyn std::fmt::Display| Failure::Damaged(error.to_string());
        let mut reader = log.reader(&from).map_err(|error| unreadable(&error))?;
        let mut records = Vec::new();
        loop {
            reader.read(READ_BYTES, &mut records).map_err(|error| unreadable(&error))?;
            if records.is_empty() {
                return Ok(counted);
            }
            for record in records.drain(..) {
                let bytes = record.key.len() + record.value.len();
                *counted.topics.entry(record.partition.topic).or_default() += bytes as u64;
                let kind = codec.kind(&record.value).map_err(|error| unreadable(&error))?;
                counted.orders += u64::from(kind == EventKind::OrderRequested);
            }
        }
    }

    fn since(&self, before: &Self) -> Cost {
        let grown = |(topic, bytes): (&Topic, &u64)| {
            (*topic, bytes - before.topics.get(topic).copied().unwrap_or(0))
        };
        Cost {
            orders: self.orders - before.orders,
            packed: self.packed - before.packed,
            topics: self.topics.iter().map(grown).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orders_cost_is_what_the_log_has_more_than_before() {
        let counted = |orders, packed, topics: &[(Topic, u64)]| Counted {
            orders,
            packed,
            topics: topics.iter().copied().collect(),
        };
        let filled = counted(0, 1_000, &[(Topic::Epochs, 300), (Topic::ProductActions, 900)]);
        let sold = counted(
            2,
            3_600,
            &[(Topic::Epochs, 500), (Topic::Orders, 5_000), (Topic::ProductActions, 900)],
        );
        let cost = sold.since(&filled);
        let topics = [(Topic::Epochs, 200), (Topic::Orders, 5_000), (Topic::ProductActions, 0)];
        assert_eq!(cost, Cost { orders: 2, packed: 2_600, topics: topics.into() });
        assert_eq!(cost.unpacked(), 5_200);
    }
}
