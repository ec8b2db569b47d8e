//! `bench hot-product`: half of all lines on one product, in stock and sold out, against the same
//! without it; and scarce stock, of which nothing may be left that somebody was refused.

use super::demand::Demand;
use super::engine::{Case, PRODUCTS, SetUp, decide, paid, rate};
use super::shop::Mesh;
use super::{Bar, Figure, Found};
use sinks::clock::Clock;
use std::collections::{BTreeMap, HashMap};

const ORDERS: usize = 300_000;
const SCARCE_ORDERS: usize = 100_000;
/// Of the demand.
const SCARCE_SHARE: f64 = 0.5;
const PLAIN: Case = Case { orders: ORDERS, workers: 1, hot: 0.0, hot_stock: 0.9 };

/// Runs the bench.
///
/// # Errors
/// A worker cannot be started.
pub(crate) fn run(rounds: u16, clock: &Clock) -> Result<Found, String> {
    let mut figures = Vec::new();
    for workers in [1, 2] {
        let (mut plains, mut hots, mut sold_outs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..u64::from(rounds) {
            let seconds = |case| decide(round, Case { workers, ..case }, clock);
            let (plain, _) = seconds(PLAIN)?;
            let (hot, _) = seconds(Case { hot: 0.5, ..PLAIN })?;
            let (sold_out, _) = seconds(Case { hot: 0.5, hot_stock: 0.0, ..PLAIN })?;
            plains.push(rate(ORDERS, plain));
            hots.push(plain.as_secs_f64() / hot.as_secs_f64());
            sold_outs.push(plain.as_secs_f64() / sold_out.as_secs_f64());
        }
        let bar = if workers == 1 { Bar::AtLeast(0.8) } else { Bar::None };
        let named = |name: &str| format!("{name}, {workers} worker(s)");
        figures.push(Figure::of(named("without a hot product"), "orders/s", plains, Bar::None));
        figures.push(Figure::of(named("half of all lines on one product"), "ratio", hots, bar));
        figures.push(Figure::of(named("the same, sold out"), "ratio", sold_outs, bar));
    }
    let mut in_vain = Vec::new();
    for epoch_records in [100, 1_000, 10_000] {
        in_vain.push(refused_in_vain(1, epoch_records)?);
    }
    figures.push(Figure::of("scarce: lines refused in vain", "lines", in_vain, Bar::AtMost(0.0)));
    let setup = BTreeMap::from([
        ("orders", format!("{ORDERS}; scarce {SCARCE_ORDERS}")),
        ("products", PRODUCTS.to_string()),
        (
            "scarce",
            "stock is half of the demand, all paid, epochs of 100, 1,000, 10,000".to_owned(),
        ),
    ]);
    Ok(("hot-product", setup, figures))
}

/// Sells scarce stock to the end; counts the refused lines for which at least the asked units are
/// left.
#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
fn refused_in_vain(seed: u64, epoch_records: usize) -> Result<f64, String> {
    let demand = Demand::new(seed, PRODUCTS, 0.0);
    let (stock, mut source) = paid(demand, SCARCE_ORDERS, SCARCE_SHARE, epoch_records);
    let mut mesh = Mesh::start(1)?;
    mesh.feed(false, &mut SetUp(Some(stock)));
    mesh.feed(true, &mut source);
    mesh.stop();
    let mut left: HashMap<_, i64> = HashMap::new();
    for ((product, _), available) in &source.available {
        *left.entry(*product).or_default() += available;
    }
    let in_vain = source.refused.iter().filter(|(product, asked)| {
        left.get(product).is_some_and(|left| *left >= i64::from(*asked))
    });
    Ok(in_vain.count() as f64)
}
