//! A shop that holds many reservations: filled as `load stock` fills it, then ordered from by
//! customers who never pay.

use super::caller::{Caller, Checkout};
use super::load;
use serde_json::{Value, json};
use sinks::clock::Clock;
use std::ops::Range;
use std::time::Duration;
use tokio::task::JoinSet;

/// Orders of a request, and requests under way: more of either does not fill faster.
const BATCH: usize = 1_000;
const IN_FLIGHT_MAX: usize = 4;
/// How long all that was ordered may take to be decided, and a checkpoint to be made of it.
const PATIENCE: Duration = Duration::from_secs(600);
/// Before it is looked again whether a checkpoint is made.
const LOOK: Duration = Duration::from_millis(200);

/// Fills the shop: these products, and as much of each as nobody sells out.
///
/// # Errors
/// It does not take them.
pub(super) fn fill(caller: &Caller, products: u32) -> Result<(), String> {
    let filled = load::run(caller.url(), &["stock", "--products", &products.to_string()]);
    filled.map(drop).map_err(|failure| failure.to_string())
}

/// Order `n` of a shop of so many products: one unit.
#[must_use]
pub(super) fn order(n: u32, products: u32) -> Checkout {
    let product = n % products;
    Checkout {
        customer: format!("r{n}"),
        product: format!("p{product}"),
        price: loadgen::price(product),
    }
}

/// Asks for these orders, and waits until each is on the log.
///
/// # Errors
/// One is not taken.
pub(super) async fn reserve(
    caller: &Caller,
    orders: Range<u32>,
    products: u32,
) -> Result<(), String> {
    let mut left = orders.map(|n| action(&order(n, products)));
    let mut in_flight = JoinSet::new();
    loop {
        while in_flight.len() < IN_FLIGHT_MAX {
            let batch: Vec<_> = left.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            let caller = caller.clone();
            in_flight.spawn(async move { take(&caller, batch).await });
        }
        let Some(taken) = in_flight.join_next().await else { return Ok(()) };
        taken.map_err(|error| error.to_string())??;
    }
}

/// As an action of a batch.
#[must_use]
pub(super) fn action(checkout: &Checkout) -> Value {
    json!({
        "method": "POST", "path": "/v1/checkouts", "idempotency_key": checkout.customer,
        "body": checkout.body(),
    })
}

/// Has the shop take all of these.
///
/// # Errors
/// It does not.
pub(super) async fn take(caller: &Caller, actions: Vec<Value>) -> Result<(), String> {
    let answer = caller.batch(actions).await?.is(200)?;
    let results = answer.body["results"].as_array();
    let refused = results.and_then(|all| all.iter().find(|result| result["status"] != 202));
    match refused {
        None if results.is_some() => Ok(()),
        refused => Err(format!("the shop did not take an action: {refused:?}")),
    }
}

/// Waits until all that was taken is decided and can be read. A strong read sees all of it; an order
/// is decided in the epoch behind the one that opened it at the latest.
///
/// # Errors
/// It does not come to that.
pub(super) async fn decided(caller: &Caller, clock: &Clock) -> Result<(), String> {
    let begun = clock.elapsed();
    for _ in 0..2 {
        loop {
            let read = caller.get("/v1/warehouses?consistency=strong&wait=30").await?;
            if read.status != 503 {
                read.is(200)?;
                break;
            }
            if clock.elapsed().saturating_sub(begun) > PATIENCE {
                return Err(format!("what was ordered is not decided after {PATIENCE:?}"));
            }
        }
        decision(caller).await?;
    }
    Ok(())
}

/// Something new is decided.
///
/// # Errors
/// It is not.
pub(super) async fn decision(caller: &Caller) -> Result<(), String> {
    // What the shop was filled with, put again: it changes nothing.
    let body = json!({ "name": "w-eu", "region": "eu", "priority": 10 });
    caller.put("/v1/warehouses/w-eu", &body).await?.is(200).map(drop)
}

/// Waits until a checkpoint is made of all that is decided by now.
///
/// # Errors
/// None is.
pub(super) async fn checkpointed(caller: &Caller, clock: &Clock) -> Result<(), String> {
    let begun = clock.elapsed();
    let wanted = caller.get("/v1/status").await?.is(200)?.body["epoch"].as_u64();
    loop {
        let status = caller.get("/v1/status").await?.is(200)?;
        if status.body["checkpoint"]["epoch"].as_u64() >= wanted {
            return Ok(());
        }
        if clock.elapsed().saturating_sub(begun) > PATIENCE {
            return Err(format!("no checkpoint is made after {PATIENCE:?}"));
        }
        // With nothing new there would be none to make.
        decision(caller).await?;
        tokio::time::sleep(LOOK).await;
    }
}
