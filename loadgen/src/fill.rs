//! Filling a shop: warehouses, then products, then receipts, each step acknowledged before the
//! next begins, so that nothing is received that is not listed, nor sold that is not received.

use crate::Error;
use crate::clock::Clock;
use crate::latency::Latency;
use crate::ledger::{Asked, Ledger, LedgerEntry, Told};
use crate::progress::Progress;
use crate::schedule::{REGIONS, currency, price, product, region, warehouse};
use crate::shop::{Failure, Shop};
use bytes::Bytes;
use schemas::id::ProductId;
use schemas::limits::QUANTITY_MAX;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

/// Actions of a request, and requests in flight: more of either does not fill faster.
const BATCH: usize = 500;
const IN_FLIGHT_MAX: usize = 4;
/// A batch that was shed, or had no answer, is sent again: its keys make that harmless.
const TRIES_MAX: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);
/// Each tenth product is in every warehouse, so that lines can be split; the others in one.
const EVERYWHERE: u32 = 10;

/// What filling took.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) actions: u64,
    pub(crate) ack: Latency,
}

/// Fills a shop.
#[derive(Debug)]
pub(crate) struct Filler<'a> {
    pub(crate) shop: &'a Shop,
    pub(crate) clock: Clock,
    pub(crate) ledger: &'a Ledger,
    pub(crate) filled: Filled,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Slot>,
}

#[derive(Deserialize)]
struct Slot {
    status: u16,
    #[serde(default)]
    body: serde_json::Value,
}

/// One batch that the shop took whole.
struct Taken {
    actions: Vec<Asked>,
    sent: Duration,
    took: Duration,
    told: Vec<Told>,
}

/// Our three warehouses.
pub(crate) fn warehouses() -> impl Iterator<Item = Asked> {
    REGIONS.into_iter().enumerate().map(|(n, name)| Asked::Warehouse {
        warehouse_id: warehouse(name),
        region: region(name),
        priority: 10 * (1 + u32::try_from(n).unwrap_or(0)),
    })
}

/// Products `p0` and on, at their prices.
pub(crate) fn products(count: u32) -> impl Iterator<Item = Asked> {
    (0..count).map(|n| listing(product(n), price(n)))
}

pub(crate) fn listing(product_id: ProductId, price: i64) -> Asked {
    Asked::Product { product_id, price, currency: currency() }
}

/// As much of each product as one receipt may bring.
pub(crate) fn receipts(count: u32, run: &str) -> impl Iterator<Item = Asked> {
    (0..count).flat_map(move |n| {
        let first = (n % 3) as usize;
        let levels = if n % EVERYWHERE == 0 { 3 } else { 1 };
        (first..first + levels).map(move |place| {
            let name = REGIONS[place % REGIONS.len()];
            receipt(product(n), name, QUANTITY_MAX, format!("{run}-r{n}-{name}"))
        })
    })
}

pub(crate) fn receipt(
    product_id: ProductId,
    region: &str,
    quantity: u32,
    idempotency_key: String,
) -> Asked {
    Asked::Receipt { product_id, warehouse_id: warehouse(region), quantity, idempotency_key }
}

impl<'a> Filler<'a> {
    pub(crate) fn of(shop: &'a Shop, clock: Clock, ledger: &'a Ledger) -> Self {
        Self { shop, clock, ledger, filled: Filled { actions: 0, ack: Latency::new() } }
    }

    /// Asks all of them, and waits until each is durable. `all` is for the progress alone.
    pub(crate) async fn ask(
        &mut self,
        doing: &'static str,
        actions: impl Iterator<Item = Asked>,
        all: usize,
    ) -> Result<(), Error> {
        let mut progress = Progress::start(self.clock, doing, all);
        let (mut actions, mut in_flight, mut done) = (actions, JoinSet::new(), 0);
        loop {
            while in_flight.len() < IN_FLIGHT_MAX {
                let batch: Vec<Asked> = actions.by_ref().take(BATCH).collect();
                if batch.is_empty() {
                    break;
                }
                in_flight.spawn(take(self.shop.clone(), self.clock, batch));
            }
            let Some(taken) = in_flight.join_next().await else { return Ok(()) };
            let taken = taken.expect("filling does not panic")?;
            done += taken.actions.len();
            progress.at(done);
            self.note(taken);
        }
    }

    fn note(&mut self, Taken { actions, sent, took, told }: Taken) {
        for (asked, told) in actions.into_iter().zip(told) {
            self.filled.actions += 1;
            self.filled.ack.record(took);
            let intended_at = self.clock.wall(sent);
            self.ledger.note(|| LedgerEntry::Action { intended_at, asked, told });
        }
    }
}

/// Sends a batch until the shop has taken all of it.
async fn take(shop: Shop, clock: Clock, actions: Vec<Asked>) -> Result<Taken, Error> {
    let body = json!({"actions": actions.iter().map(action).collect::<Vec<_>>()});
    let body = Bytes::from(body.to_string());
    let sent = clock.elapsed();
    let mut tries = 0;
    loop {
        tries += 1;
        let (what, detail) = match shop.post("/v1/batch", &[], body.clone()).await {
            Err(Failure::NotSent(detail)) if tries == TRIES_MAX => {
                return Err(Error::Unreachable { url: shop.url().to_owned(), detail });
            }
            Err(failure) => ("/v1/batch".to_owned(), failure.to_string()),
            Ok(answer) if answer.status == 200 => match told(&answer.body, &actions) {
                Ok(told) => {
                    let took = clock.elapsed().saturating_sub(sent);
                    return Ok(Taken { actions, sent, took, told });
                }
                Err(Refused { retry: false, what, detail }) => {
                    return Err(Error::Setup { what, detail });
                }
                Err(Refused { retry: true, what, detail }) => (what, detail),
            },
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let detail = format!("{} {text}", answer.status);
                if !matches!(answer.status, 429 | 503) {
                    return Err(Error::Setup { what: "/v1/batch".to_owned(), detail });
                }
                ("/v1/batch".to_owned(), detail)
            }
        };
        if tries == TRIES_MAX {
            return Err(Error::Setup { what, detail });
        }
        tokio::time::sleep(PAUSE * tries).await;
    }
}

/// Why a batch was not taken whole, and whether that may pass.
struct Refused {
    retry: bool,
    what: String,
    detail: String,
}

fn told(body: &[u8], actions: &[Asked]) -> Result<Vec<Told>, Refused> {
    let whole = |detail| Refused { retry: false, what: "/v1/batch".to_owned(), detail };
    let Results { results } =
        serde_json::from_slice(body).map_err(|error| whole(error.to_string()))?;
    if results.len() != actions.len() {
        return Err(whole(format!("{} results for {} actions", results.len(), actions.len())));
    }
    let refused = results.iter().zip(actions).find(|(slot, _)| slot.status >= 300);
    if let Some((Slot { status, body }, asked)) = refused {
        let (what, detail) = (path(asked), format!("{status} {body}"));
        return Err(Refused { retry: matches!(status, 429 | 503), what, detail });
    }
    let id = |body: &serde_json::Value| body.get("id")?.as_str().map(str::to_owned);
    let told = |slot: &Slot| Told::Answered { status: slot.status, id: id(&slot.body) };
    Ok(results.iter().map(told).collect())
}

fn path(asked: &Asked) -> String {
    match asked {
        Asked::Warehouse { warehouse_id, .. } => format!("/v1/warehouses/{warehouse_id}"),
        Asked::Product { product_id, .. } => format!("/v1/products/{product_id}"),
        Asked::Receipt { product_id, .. } => format!("/v1/products/{product_id}/stock/receipts"),
        Asked::Checkout { .. } => "/v1/checkouts".to_owned(),
    }
}

/// An action of a batch. Checkouts are not for filling: they have requests of their own.
fn action(asked: &Asked) -> serde_json::Value {
    let path = path(asked);
    match asked {
        Asked::Warehouse { warehouse_id, region, priority } => json!({"method": "PUT",
            "path": path,
            "body": {"name": warehouse_id, "region": region, "priority": priority}}),
        Asked::Product { product_id, price, currency } => json!({"method": "PUT", "path": path,
            "body": {"seller_id": "loadgen", "name": product_id, "description": "",
                "category": "load", "brand": "load", "price": price, "currency": currency}}),
        Asked::Receipt { warehouse_id, quantity, idempotency_key, .. } => json!({
            "method": "POST", "path": path, "idempotency_key": idempotency_key,
            "body": {"warehouse_id": warehouse_id, "quantity": quantity,
                "reference": idempotency_key}}),
        Asked::Checkout { .. } => unreachable!("checkouts are sent by a run, not by a filler"),
    }
}
