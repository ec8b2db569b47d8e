//! `bench rescale`: how long nothing is decided when a shop is stopped and started with another number
//! of workers.

use super::Found;
use super::flags::Size;
use super::recovery::{PRODUCTS, RESERVATIONS, SECONDS};
use super::restart::{End, Restart, Stage};
use sinks::clock::Clock;
use std::collections::BTreeMap;

/// From the word to stop to the first new decision.
const SECONDS_MAX: f64 = 3.0;

/// Runs the bench.
///
/// # Errors
/// A shop cannot be run.
pub(super) fn run(rounds: u16, size: &Size, clock: &Clock) -> Result<Found, String> {
    let products = size.products.unwrap_or(PRODUCTS);
    let reservations = size.reservations.unwrap_or(RESERVATIONS);
    let seconds = size.seconds.unwrap_or(SECONDS);
    let (stage, mut shop) = Stage::open(products, reservations, clock)?;
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (workers, restarts) in [("2", &mut up), ("1", &mut down)] {
            let flags = ["--workers", workers];
            let (again, restart) = stage.restart(shop, End::Stopped, seconds, &flags)?;
            restarts.push(restart);
            shop = again;
        }
    }
    shop.stop()?;
    let mut figures = Vec::new();
    for (what, restarts) in [("1 to 2 workers", &up), ("2 to 1 workers", &down)] {
        figures.extend(Restart::figures((what, "without decisions"), restarts, SECONDS_MAX));
    }
    let setup = BTreeMap::from([
        ("products", products.to_string()),
        ("open reservations", reservations.to_string()),
        ("load", format!("50 orders/s for {seconds} s before each stop, and through it")),
        ("counted", "from SIGTERM, though what was accepted is still decided then".to_owned()),
    ]);
    Ok(("rescale", setup, figures))
}
