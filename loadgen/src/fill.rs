//! Filling a shop: warehouses, then products, then receipts, each step acknowledged before the
//! next begins, so that nothing is received that is not listed, nor sold that is not received.

use crate::Error;
use crate::clock::Clock;
use crate::latency::Latency;
use crate::ledger::{Asked, Ledger, LedgerEntry, Told};
use crate::progress::Progress;
use crate::schedule::{REGIONS, currency, price, product, region, warehouse};
use crate::shop::{Answer, Failure, Shop};
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
const TRIES_MAX: usize = 8;
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

/// A batch and what became of it.
struct Sent {
    actions: Vec<Asked>,
    /// Each time that it went, and what the shop said: what was shed or unknown then may be on the
    /// log all the same.
    tries: Vec<Try>,
    /// Until the shop had taken it whole, or why it did not.
    took: Result<Duration, Error>,
}

struct Try {
    sent: Duration,
    /// One each action.
    told: Vec<Told>,
}

/// Why a try did not take all.
struct Refused {
    may_pass: bool,
    error: Error,
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
                in_flight.spawn(send(self.shop.clone(), self.clock, batch));
            }
            let Some(sent) = in_flight.join_next().await else { return Ok(()) };
            let sent = sent.expect("filling does not panic");
            self.note(&sent);
            let took = sent.took?;
            for _ in &sent.actions {
                self.filled.ack.record(took);
            }
            self.filled.actions += sent.actions.len() as u64;
            done += sent.actions.len();
            progress.at(done);
        }
    }

    /// Into the ledger, each try of each action.
    fn note(&self, Sent { actions, tries, .. }: &Sent) {
        for Try { sent, told } in tries {
            let intended_at = self.clock.wall(*sent);
            for (asked, told) in actions.iter().zip(told) {
                self.ledger.note(|| LedgerEntry::Action {
                    intended_at,
                    asked: asked.clone(),
                    told: told.clone(),
                });
            }
        }
    }
}

/// Sends a batch until the shop has taken all of it.
async fn send(shop: Shop, clock: Clock, actions: Vec<Asked>) -> Sent {
    let body = json!({"actions": actions.iter().map(action).collect::<Vec<_>>()});
    let body = Bytes::from(body.to_string());
    let first = clock.elapsed();
    let (mut tries, mut pause) = (Vec::new(), PAUSE);
    let took = loop {
        let sent = clock.elapsed();
        let answer = shop.post("/v1/batch", &[], body.clone()).await;
        let (told, taken) = heard(answer, &actions, shop.url());
        tries.push(Try { sent, told });
        match taken {
            Ok(()) => break Ok(clock.elapsed().saturating_sub(first)),
            Err(Refused { may_pass: true, .. }) if tries.len() < TRIES_MAX => {
                tokio::time::sleep(pause).await;
                pause += PAUSE;
            }
            Err(Refused { error, .. }) => break Err(error),
        }
    };
    Sent { actions, tries, took }
}

/// What one try told of each action, and whether the shop took them all.
fn heard(
    answer: Result<Answer, Failure>,
    actions: &[Asked],
    url: &str,
) -> (Vec<Told>, Result<(), Refused>) {
    let all = |told: Told| vec![told; actions.len()];
    let refused = |may_pass, detail| {
        let what = "/v1/batch".to_owned();
        Err(Refused { may_pass, error: Error::Setup { what, detail } })
    };
    match answer {
        Err(Failure::NotSent(detail)) => {
            let error = Error::Unreachable { url: url.to_owned(), detail: detail.clone() };
            (all(Told::Failed { detail }), Err(Refused { may_pass: true, error }))
        }
        Err(Failure::Unknown(detail)) => {
            (all(Told::Unknown { detail: detail.clone() }), refused(true, detail))
        }
        Ok(Answer { status: 200, body }) => match results(&body, actions.len()) {
            Ok(slots) => (slots.iter().map(told).collect(), taken(&slots, actions)),
            Err(detail) => (all(Told::Unknown { detail: detail.clone() }), refused(false, detail)),
        },
        Ok(Answer { status, body }) => {
            let detail = format!("{status} {}", String::from_utf8_lossy(&body));
            (all(Told::Answered { status, id: None }), refused(is_shed(status), detail))
        }
    }
}

fn results(body: &[u8], actions: usize) -> Result<Vec<Slot>, String> {
    let Results { results } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if results.len() != actions {
        return Err(format!("{} results for {actions} actions", results.len()));
    }
    Ok(results)
}

fn told(Slot { status, body }: &Slot) -> Told {
    let id = body.get("id").and_then(|id| id.as_str()).map(str::to_owned);
    Told::Answered { status: *status, id: id.filter(|_| *status < 300) }
}

/// Whether all were taken, else the first that was not: one that will never be, if there is one.
fn taken(slots: &[Slot], actions: &[Asked]) -> Result<(), Refused> {
    let mut refused = slots.iter().zip(actions).filter(|(slot, _)| slot.status >= 300);
    let Some(first) = refused.next() else { return Ok(()) };
    let for_good = |(slot, _): &(&Slot, &Asked)| !is_shed(slot.status);
    let (Slot { status, body }, asked) =
        if for_good(&first) { first } else { refused.find(for_good).unwrap_or(first) };
    let (what, detail) = (path(asked), format!("{status} {body}"));
    Err(Refused { may_pass: is_shed(*status), error: Error::Setup { what, detail } })
}

const fn is_shed(status: u16) -> bool {
    matches!(status, 429 | 503)
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
