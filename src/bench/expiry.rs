//! `bench expiry`: very many reservations that are due at once, in a shop that goes on selling.
//!
//! ```text
//! fill | restart, order | restart, order | ..      all due            all written, readable
//!      |  timeout 300 s |  timeout 290 s | ..  ------|---- sweep --------|
//!                                                  decisions of other orders, freed units sold
//! ```
//!
//! A shop takes longer to sell a million units than they shall be apart in falling due: so it is
//! started anew every few seconds, each time with a timeout that leads to the same moment.
//!
//! Of some *contested* products there is one unit, which an order of the last phase holds. From its
//! deadline on others may have it, whether or not the sweep has come there: they ask until they do.
//! What was early, late or refused in vain is read from the log when the shop is stopped.

use super::caller::{Caller, Checkout};
use super::decisions::{Asking, Decision, quantile_ms};
use super::expired::Expired;
use super::flags::Size;
use super::process::Process;
use super::reservations::{decided, fill, reserve, take};
use super::{Bar, Figure, Found};
use schemas::time::Timestamp;
use serde_json::json;
use sinks::clock::Clock;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;

const PRODUCTS: u32 = 10_000;
const RESERVATIONS: u32 = 1_000_000;
/// Orders between two starts: a few seconds' worth, and so far are deadlines apart.
const PHASE: u32 = 50_000;
/// What a start and an order may take; who is quicker waits, who is slower is told so.
const START: Duration = Duration::from_secs(6);
const ORDERS_PER_S: u32 = 5_000;
/// The least that the last orders of a phase keep their units.
const TIMEOUT_MIN: Duration = Duration::from_secs(2);
const CONTESTED: u32 = 20;
/// Decisions of other orders.
const EVERY: Duration = Duration::from_millis(10);
/// Of the reservations, so many are looked at until all have lapsed.
const SAMPLE: u32 = 64;
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(90);
/// For those that are not in the sample.
const AFTER: Duration = Duration::from_secs(2);

/// Written, and readable, so long after the deadline at most.
const SECONDS_MAX: f64 = 30.0;
const DECISION_P99_MAX_MS: f64 = 200.0;

/// What one round gave.
struct Round {
    expired: Expired,
    /// When the views had all of it; none: they never had.
    readable: Option<Timestamp>,
    /// Units of contested products: when each was sold again, and how long after its deadline.
    sold: Vec<(Timestamp, f64)>,
    /// Of other orders, between the first deadline and the last lapse that is written.
    decisions: Vec<Decision>,
}

/// Runs the bench.
///
/// # Errors
/// A shop cannot be run.
pub(super) fn run(rounds: u16, size: &Size, clock: &Clock) -> Result<Found, String> {
    let products = size.products.unwrap_or(PRODUCTS);
    let reservations = size.reservations.unwrap_or(RESERVATIONS);
    let mut measured = Vec::new();
    for _ in 0..rounds {
        measured.push(measure(products, reservations, clock)?);
    }
    let setup = BTreeMap::from([
        ("products", products.to_string()),
        ("reservations", format!("{reservations}, and {CONTESTED} of contested units")),
        ("decisions of other orders", format!("one order each {EVERY:?}")),
    ]);
    Ok(("expiry", setup, figures(&measured)))
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds far below 2^53")]
fn figures(rounds: &[Round]) -> Vec<Figure> {
    let each = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<_>>();
    let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.zip(to).map_or(f64::INFINITY, |(from, to)| (to.0 - from.0) as f64 / 1000.0)
    };
    let first = |round: &Round| round.expired.deadlines().map(|(first, _)| first);
    let last = |round: &Round| round.expired.deadlines().map(|(_, last)| last);
    let sold: Vec<_> =
        rounds.iter().flat_map(|round| round.sold.iter().map(|(_, ms)| *ms)).collect();
    let before = |round: &Round| {
        let early = round.sold.iter().filter(|(at, _)| Some(*at) < round.expired.to).count();
        early as f64 / round.sold.len() as f64
    };
    let quantile =
        |share| each(&|round| quantile_ms(&round.decisions, share).unwrap_or(f64::INFINITY));
    vec![
        Figure::of("due", "orders", each(&|r| r.expired.counts().0 as f64), Bar::None),
        Figure::of("deadlines apart", "s", each(&|r| seconds(first(r), last(r))), Bar::None),
        Figure::of("early", "lapses", each(&|r| r.expired.early as f64), Bar::NeverOver(0.0)),
        Figure::of("left", "orders", each(&|r| r.expired.counts().1 as f64), Bar::NeverOver(0.0)),
        Figure::of(
            "freed units refused",
            "lines",
            each(&|r| r.expired.refused_in_vain as f64),
            Bar::NeverOver(0.0),
        ),
        Figure::of("freed unit sold, after its deadline", "ms", sold, Bar::None),
        Figure::of("freed units sold before all lapses stood", "share", each(&before), Bar::None),
        Figure::of(
            "first to last lapse written",
            "s",
            each(&|r| seconds(r.expired.from, r.expired.to)),
            Bar::None,
        ),
        Figure::of(
            "deadline to lapse written, longest",
            "s",
            each(&|r| r.expired.written_ms as f64 / 1000.0),
            Bar::NeverOver(SECONDS_MAX),
        ),
        Figure::of(
            "first deadline to all readable",
            "s",
            each(&|r| seconds(first(r), r.readable)),
            Bar::NeverOver(SECONDS_MAX),
        ),
        Figure::of("decisions meanwhile, p50", "ms", quantile(0.5), Bar::None),
        Figure::of(
            "decisions meanwhile, p99",
            "ms",
            quantile(0.99),
            Bar::NeverOver(DECISION_P99_MAX_MS),
        ),
        Figure::of("decisions meanwhile, longest", "ms", quantile(1.0), Bar::None),
    ]
}

fn measure(products: u32, reservations: u32, clock: &Clock) -> Result<Round, String> {
    let home = TempDir::with_prefix("watermart-bench-");
    let home = home.map_err(|error| format!("could not make a directory: {error}"))?;
    let runtime = crate::serving::runtime().map_err(|failure| failure.to_string())?;
    let data = home.path().join("shop");
    let mut shop = start(&data, Duration::from_secs(3600))?;
    fill(&shop.caller, products)?;
    runtime.block_on(stock_contested(&shop.caller))?;
    let phases: Vec<_> =
        (0..reservations).step_by(PHASE as usize).map(|n| n..reservations.min(n + PHASE)).collect();
    let due = clock.elapsed() + lead(reservations, phases.len());
    let mut first_due = due;
    for orders in phases {
        shop.stop()?;
        let timeout = timeout(due.saturating_sub(clock.elapsed()), orders.len());
        first_due = first_due.min(clock.elapsed() + timeout);
        shop = start(&data, timeout)?;
        runtime.block_on(async {
            reserve(&shop.caller, orders, products).await?;
            decided(&shop.caller, clock).await
        })?;
    }
    let (sold, seen, decisions) =
        runtime.block_on(due_at_once(&shop.caller, (products, reservations), first_due, clock))?;
    shop.stop()?;
    let expired = Expired::on_log(
        &data,
        |customer| customer.starts_with('r'),
        |product| product.starts_with("contested"),
    );
    let expired = expired.map_err(|failure| failure.to_string())?;
    let readable = seen.iter().find(|(_, epoch)| *epoch >= expired.epoch).map(|(at, _)| *at);
    let decisions = meanwhile(decisions, &expired, (clock.now(), clock.elapsed()));
    Ok(Round { expired, readable, sold, decisions })
}

fn start(data: &Path, timeout: Duration) -> Result<Process, String> {
    let timeout = format!("{}ms", timeout.as_millis());
    let flags = ["--port", "0", "--payments-url", "manual:", "--reservation-timeout", &timeout];
    Process::start(data, &flags)
}

/// How long so many orders may take to be made, in so many phases.
fn lead(reservations: u32, phases: usize) -> Duration {
    let starts = u32::try_from(phases.saturating_sub(1)).unwrap_or(u32::MAX);
    TIMEOUT_MIN + Duration::from_secs((reservations / ORDERS_PER_S).into()) + starts * START
}

/// The timeout of a phase of so many orders that has so long until all shall be due.
fn timeout(left: Duration, orders: usize) -> Duration {
    let orders = u32::try_from(orders).unwrap_or(u32::MAX);
    left.max(TIMEOUT_MIN + Duration::from_secs((orders / ORDERS_PER_S).into()))
}

/// Lists products of which there is one unit.
async fn stock_contested(caller: &Caller) -> Result<(), String> {
    let mut actions = Vec::new();
    for n in 0..CONTESTED {
        let product = contested(n);
        actions.push(json!({
            "method": "PUT", "path": format!("/v1/products/{product}"),
            "body": {
                "seller_id": "bench", "name": product, "description": "", "category": "bench",
                "brand": "bench", "price": 100, "currency": "USD",
            },
        }));
        actions.push(json!({
            "method": "POST", "path": format!("/v1/products/{product}/stock/receipts"),
            "idempotency_key": "first",
            "body": { "warehouse_id": "w-eu", "quantity": 1, "reference": "first" },
        }));
    }
    take(caller, actions).await
}

fn contested(n: u32) -> String {
    format!("contested{n}")
}

type AtOnce = (Vec<(Timestamp, f64)>, Vec<(Timestamp, u64)>, Vec<Decision>);

/// The contested units are taken, all falls due, and lapses: what was sold of them, which epoch the
/// views showed when, and what was decided meanwhile.
async fn due_at_once(
    caller: &Caller,
    (products, reservations): (u32, u32),
    first_due: Duration,
    clock: &Clock,
) -> Result<AtOnce, String> {
    let mut held = Vec::new();
    for n in 0..CONTESTED {
        held.push(hold(caller, n).await?);
    }
    if clock.elapsed() >= first_due {
        let detail = "the first reservations were due before the last were made: the machine is too \
                      slow for so many; give fewer --reservations";
        return Err(detail.to_owned());
    }
    let asking = Asking::start(caller.clone(), clock.clone(), ("other", products), EVERY);
    let mut buyers = JoinSet::new();
    for (n, due) in (0..).zip(held) {
        buyers.spawn(buy(caller.clone(), clock.clone(), n, due));
    }
    tokio::time::sleep(first_due.saturating_sub(clock.elapsed())).await;
    let seen = watch(caller, reservations, clock).await?;
    let mut sold = Vec::new();
    while let Some(bought) = buyers.join_next().await {
        sold.push(bought.map_err(|error| error.to_string())??);
    }
    Ok((sold, seen, asking.stop().await?))
}

fn checkout(customer: String, n: u32) -> Checkout {
    Checkout { customer, product: contested(n), price: 100 }
}

/// Orders the only unit of a contested product; gives until when it is held, as the shop says it.
async fn hold(caller: &Caller, n: u32) -> Result<String, String> {
    let order = caller.checkout(&checkout(format!("rcontested{n}"), n)).await?.is(201)?;
    let refused = caller.checkout(&checkout(format!("soon{n}"), n)).await?;
    refused.is(409)?;
    let due = order.body["reservation_expires_at"].as_str();
    due.map(str::to_owned).ok_or_else(|| format!("an order without a deadline: {}", order.body))
}

/// Buys that unit as soon as it is free: asks from its deadline on until it is sold.
async fn buy(
    caller: Caller,
    clock: Clock,
    n: u32,
    due: String,
) -> Result<(Timestamp, f64), String> {
    // Moments in RFC 3339, as the shop writes them, are in the order of their texts.
    while clock.now().rfc3339() < due {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let begun = clock.elapsed();
    for attempt in 0.. {
        let answer = caller.checkout(&checkout(format!("buyer{n}-{attempt}"), n)).await?;
        let after = clock.elapsed().saturating_sub(begun);
        if answer.status != 409 || after > PATIENCE {
            answer.is(201)?;
            return Ok((clock.now(), after.as_secs_f64() * 1000.0));
        }
    }
    unreachable!("it asks until then")
}

/// Looks again and again which epoch the views show, until the sample has lapsed.
async fn watch(
    caller: &Caller,
    reservations: u32,
    clock: &Clock,
) -> Result<Vec<(Timestamp, u64)>, String> {
    let mut sample = (0..reservations).step_by((reservations / SAMPLE).max(1) as usize).peekable();
    let (begun, mut seen) = (clock.elapsed(), Vec::new());
    let mut done = None;
    loop {
        let status = caller.get("/v1/status").await?.is(200)?;
        let views = status.body["views"].as_array();
        let epoch = views.and_then(|views| views.iter().map(|v| v["epoch"].as_u64()).min()?);
        seen.push((clock.now(), epoch.ok_or("the shop does not tell where its views are")?));
        while let Some(n) = sample.peek()
            && has_lapsed(caller, *n).await?
        {
            sample.next();
        }
        let now = clock.elapsed();
        if sample.peek().is_none() && now.saturating_sub(*done.get_or_insert(now)) >= AFTER {
            return Ok(seen);
        }
        if now.saturating_sub(begun) > PATIENCE {
            return Ok(seen);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn has_lapsed(caller: &Caller, n: u32) -> Result<bool, String> {
    let path = format!("/v1/customers/r{n}/orders?consistency=eventual");
    let orders = caller.get(&path).await?.is(200)?;
    Ok(orders.body["items"][0]["state"] == "cancelled")
}

/// Those that were asked for between the first deadline and the last lapse that is written; `now` is
/// one moment by both hands of the clock.
fn meanwhile(
    decisions: Vec<Decision>,
    expired: &Expired,
    (now, elapsed): (Timestamp, Duration),
) -> Vec<Decision> {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let wall = |asked: Duration| now.plus_ms(ms(asked) - ms(elapsed));
    let Some((from, to)) = expired.deadlines().map(|(first, _)| first).zip(expired.to) else {
        return Vec::new();
    };
    let within = |decision: &Decision| (from..=to).contains(&wall(decision.asked));
    decisions.into_iter().filter(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_time_until_all_are_due_and_the_last_some_more() {
        let seconds = Duration::from_secs;
        assert_eq!(lead(300, 1), TIMEOUT_MIN);
        assert_eq!(lead(1_000_000, 20), TIMEOUT_MIN + seconds(200) + 19 * START);
        assert_eq!(timeout(seconds(100), 50_000), seconds(100));
        assert_eq!(timeout(seconds(3), 50_000), TIMEOUT_MIN + seconds(10));
        assert_eq!(timeout(Duration::ZERO, 300), TIMEOUT_MIN);
    }

    #[test]
    fn only_decisions_asked_for_between_the_first_deadline_and_the_last_lapse_count() {
        let ms = Duration::from_millis;
        let took = |asked| Decision { asked: ms(asked), took: ms(1) };
        let decisions = vec![took(999), took(1_000), took(1_500), took(1_501)];
        let expired = Expired::of_one(Timestamp(50_000), Timestamp(50_500));
        // The clock showed 51,000 when it had gone for 2,000 ms.
        let within = meanwhile(decisions.clone(), &expired, (Timestamp(51_000), ms(2_000)));
        assert_eq!(within, [took(1_000), took(1_500)]);
        let none = meanwhile(decisions, &Expired::default(), (Timestamp(51_000), ms(2_000)));
        assert_eq!(none, []);
    }
}
