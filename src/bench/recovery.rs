//! `bench recovery`: how long nothing is decided when a process is killed.
//!
//! - *alone*: one shop on files, killed again and again under a light load; from the kill to the
//!   first new decision, and where that time goes.
//! - *standing by*: the parts on one cluster; who leads is killed, see [`takeover`].

use super::flags::{Brokers, Size};
use super::restart::{End, Restart, Stage};
use super::{Found, takeover};
use sinks::clock::Clock;
use std::collections::BTreeMap;

/// Of the shop.
pub(super) const PRODUCTS: u32 = 1_000_000;
pub(super) const RESERVATIONS: u32 = 100_000;
/// Longer than a checkpoint's interval: each kill comes at another time after one.
pub(super) const SECONDS: u16 = 6;
/// From the kill to the first new decision.
const SECONDS_MAX: f64 = 2.5;

/// Runs the bench.
///
/// # Errors
/// A shop cannot be run.
pub(super) fn run(
    rounds: u16,
    size: &Size,
    brokers: &Brokers,
    clock: &Clock,
) -> Result<Found, String> {
    let products = size.products.unwrap_or(PRODUCTS);
    let reservations = size.reservations.unwrap_or(RESERVATIONS);
    let seconds = size.seconds.unwrap_or(SECONDS);
    let (stage, mut shop) = Stage::open(products, reservations, clock)?;
    let mut restarts = Vec::new();
    for _ in 0..rounds {
        let (again, restart) = stage.restart(shop, End::Killed, seconds, &[])?;
        restarts.push(restart);
        shop = again;
    }
    shop.stop()?;
    drop(stage);
    let named = ("kill -9", "to first new decision");
    let mut figures = Restart::figures(named, &restarts, SECONDS_MAX);
    let standby = match &brokers.log_url {
        Some(url) => {
            let taken = takeover::run(rounds, seconds, (url, brokers.single_broker), clock)?;
            figures.push(taken);
            format!("on {url}")
        }
        None => "not measured: give --log-url kafka://HOST:9092/NAMESPACE, and --single-broker if \
                 there is one"
            .to_owned(),
    };
    let setup = BTreeMap::from([
        ("products", products.to_string()),
        ("open reservations", reservations.to_string()),
        ("load", format!("50 orders/s for {seconds} s before each kill, and through it")),
        ("leader killed, standby leads", standby),
    ]);
    Ok(("recovery", setup, figures))
}
