//! Whole runs against a double of the shop: what is counted, and what the ledger says.

use crate::clock::Clock;
use crate::double::{self, Reply};
use crate::ending::Ending;
use crate::fill::{self, Filler};
use crate::ledger::{Asked, Ledger, LedgerEntry, OrderState, Told};
use crate::outcomes::{self, States};
use crate::requests::{self, Request};
use crate::run::{Findings, Pace, Run};
use crate::schedule::{Checkout, Schedule, currency, payment_method, price, product, region};
use crate::shop::Shop;
use bytes::Bytes;
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, OrderId};
use schemas::time::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

fn order(n: u8) -> OrderId {
    OrderId::new(0, [n; 16])
}

fn line() -> OrderLine {
    OrderLine { product_id: product(1), quantity: 2, price: price(1) }
}

/// Checkouts due at these milliseconds, with these keys.
fn schedule(due: &[(u64, usize)]) -> Schedule {
    let checkout = |&(ms, key): &(u64, usize)| Checkout {
        at: Duration::from_millis(ms),
        customer_id: CustomerId::parse("c1").unwrap(),
        region: region("eu"),
        payment_method: payment_method("tok_ok"),
        lines: 0..1,
        key,
    };
    Schedule { checkouts: due.iter().map(checkout).collect(), lines: vec![line()] }
}

fn asked(key: usize) -> Asked {
    Asked::Checkout {
        customer_id: CustomerId::parse("c1").unwrap(),
        lines: vec![line()],
        currency: currency(),
        region: region("eu"),
        payment_method: payment_method("tok_ok"),
        idempotency_key: format!("run-{key}"),
    }
}

fn answered(status: u16, id: Option<OrderId>) -> Told {
    Told::Answered { status, id: id.map(|id| id.to_string()) }
}

/// How a run goes: its schedule, its batch size, its `Prefer: wait`.
struct Story<'a> {
    due: &'a [(u64, usize)],
    batch: usize,
    wait: Option<u32>,
}

/// Drives the run; gives what was found and what each checkout was told, by the ledger.
async fn drive(url: &str, story: Story<'_>) -> (Findings, Vec<(Asked, Told)>) {
    drive_until(url, story, &Ending::default()).await
}

async fn drive_until(
    url: &str,
    story: Story<'_>,
    ending: &Ending,
) -> (Findings, Vec<(Asked, Told)>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let (clock, shop) = (Clock::start(), Shop::at(url, None));
    let ledger = Ledger::open(Some(&path), clock).unwrap();
    let schedule = schedule(story.due);
    let requests = requests::prepare(&schedule, story.batch, "run");
    let run = Run {
        batch: story.batch,
        wait: story.wait,
        ..run(&shop, clock, &ledger, &schedule, (&requests, ending))
    };
    let found = run.drive(None).await;
    ledger.close().unwrap();
    let told = entries(&path).into_iter().map(|entry| match entry {
        LedgerEntry::Action { asked, told, .. } => (asked, told),
        LedgerEntry::OrderSeen { .. } => panic!("no order was read"),
    });
    (found, told.collect())
}

fn run<'a>(
    shop: &'a Shop,
    clock: Clock,
    ledger: &'a Ledger,
    schedule: &'a Schedule,
    (requests, ending): (&'a [Request], &'a Ending),
) -> Run<'a> {
    Run {
        shop,
        clock,
        ledger,
        schedule,
        requests,
        name: "run",
        pace: Pace::Scheduled,
        batch: 1,
        wait: None,
        server_pid: None,
        ending,
    }
}

fn entries(path: &Path) -> Vec<LedgerEntry> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn counts(found: &Findings) -> [u64; 5] {
    [found.sent, found.orders.len() as u64, found.shed, found.failed, found.unknown]
}

fn accepted(n: u8) -> Value {
    json!({"id": order(n), "position": "r0.0.7", "url": format!("/v1/orders/{}", order(n))})
}

#[tokio::test]
async fn a_repeated_request_is_one_order() {
    let url = double::shop(|asked, _| match asked {
        "POST /v1/batch" => {
            let results = [1, 2, 1].map(|n| json!({"status": 202, "body": accepted(n)}));
            Reply::Json(200, json!({"results": results}))
        }
        _ => Reply::Json(200, json!({"state": "confirmed", "updated_at": ""})),
    })
    .await;
    let story = Story { due: &[(0, 0), (0, 1), (0, 0)], batch: 3, wait: None };
    let (found, told) = drive(&url, story).await;
    assert_eq!(counts(&found), [3, 2, 0, 0, 0]);
    let told_of = |key, n| (asked(key), answered(202, Some(order(n))));
    assert_eq!(told, [told_of(0, 1), told_of(1, 2), told_of(0, 1)]);
}

#[tokio::test]
async fn a_cut_connection_leaves_all_it_carried_unknown() {
    let url = double::shop(|_, _| Reply::Cut).await;
    let (found, told) = drive(&url, Story { due: &[(0, 0), (0, 1)], batch: 2, wait: None }).await;
    assert_eq!(counts(&found), [2, 0, 0, 0, 2]);
    assert!(found.ack.percentiles().is_none(), "what was not answered has no latency");
    assert_eq!(told.len(), 2);
    for (key, (what, told)) in told.into_iter().enumerate() {
        assert_eq!(what, asked(key));
        assert!(matches!(told, Told::Unknown { .. }), "{told:?}");
    }
}

#[tokio::test]
async fn an_answer_with_a_result_too_few_is_unknown() {
    let url = double::shop(|_, _| {
        Reply::Json(200, json!({"results": [{"status": 202, "body": accepted(1)}]}))
    })
    .await;
    let (found, told) = drive(&url, Story { due: &[(0, 0), (0, 1)], batch: 2, wait: None }).await;
    assert_eq!(counts(&found), [2, 0, 0, 0, 2]);
    let detail = "answer 200: 1 results for 2 actions".to_owned();
    assert_eq!(told[1], (asked(1), Told::Unknown { detail }));
}

#[tokio::test]
async fn what_had_no_connection_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (found, told) = drive(&url, Story { due: &[(0, 0)], batch: 1, wait: None }).await;
    assert_eq!(counts(&found), [1, 0, 0, 1, 0]);
    assert!(matches!(told[..], [(_, Told::Failed { .. })]), "{told:?}");
}

#[tokio::test]
async fn a_refused_batch_is_shed_or_failed_whole() {
    for (status, expected) in [(503, [2, 0, 2, 0, 0]), (413, [2, 0, 0, 2, 0])] {
        let url = double::shop(move |_, _| Reply::Json(status, json!({"code": "x"}))).await;
        let story = Story { due: &[(0, 0), (0, 1)], batch: 2, wait: None };
        let (found, told) = drive(&url, story).await;
        assert_eq!(counts(&found), expected);
        assert_eq!(told[1], (asked(1), answered(status, None)));
    }
}

#[tokio::test]
async fn an_answer_that_waited_is_the_decision() {
    for (status, body) in [
        (201, json!({"order_id": order(1), "state": "awaiting_payment"})),
        (409, json!({"code": "out_of_stock", "order": {"order_id": order(1)}})),
    ] {
        let url = double::shop(move |asked, _| match asked {
            "POST /v1/checkouts" => Reply::Json(status, body.clone()),
            _ => panic!("{asked}: nothing is left to ask"),
        })
        .await;
        let (found, told) = drive(&url, Story { due: &[(0, 0)], batch: 1, wait: Some(5) }).await;
        assert_eq!(counts(&found), [1, 1, 0, 0, 0]);
        assert_eq!(told, [(asked(0), answered(status, Some(order(1))))]);
        let (ack, decision) = (found.ack.percentiles(), found.decision.percentiles());
        assert!(ack.is_some() && ack == decision && ack == found.readable.percentiles());
    }
}

/// The first answer is held until the second request is there, which is not due before 200 ms.
#[tokio::test]
async fn a_slow_shop_neither_delays_the_schedule_nor_hides_its_latency() {
    let (second, number) = (Arc::new(Notify::new()), AtomicUsize::new(0));
    let url = double::shop(move |asked, _| {
        if asked != "POST /v1/checkouts" {
            return Reply::Json(200, json!({"state": "confirmed", "updated_at": ""}));
        }
        if number.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::Held(Arc::clone(&second), 202, accepted(1));
        }
        second.notify_one();
        Reply::Json(202, accepted(2))
    })
    .await;
    let (found, _) = drive(&url, Story { due: &[(0, 0), (200, 1)], batch: 1, wait: None }).await;
    assert_eq!(counts(&found), [2, 2, 0, 0, 0]);
    let ack = found.ack.percentiles().unwrap();
    assert!(ack.max >= 200.0, "{ack:?}");
}

#[tokio::test]
async fn a_run_that_is_asked_to_end_sends_no_more_and_takes_down_what_comes_back() {
    let ending = Ending::default();
    let asks = ending.clone();
    let url = double::shop(move |asked, _| match asked {
        "POST /v1/checkouts" => {
            asks.ask();
            Reply::Json(202, accepted(1))
        }
        _ => Reply::Json(200, json!({"state": "confirmed", "updated_at": ""})),
    })
    .await;
    let story = Story { due: &[(0, 0), (200, 1)], batch: 1, wait: None };
    let (found, told) = drive_until(&url, story, &ending).await;
    assert_eq!(counts(&found), [1, 1, 0, 0, 0]);
    assert_eq!(told, [(asked(0), answered(202, Some(order(1))))]);
}

/// Read as requested first, as a view that is behind shows it; then as it is.
#[tokio::test]
async fn orders_count_by_when_they_were_confirmed() {
    let deadline = Timestamp(1_000);
    let url = double::shop(move |asked, _| {
        let strong = asked.contains("consistency=strong");
        let seen = |state, ms| {
            Reply::Json(200, json!({"state": state, "updated_at": Timestamp(ms).rfc3339()}))
        };
        let is = |n| asked.contains(&order(n).to_string());
        match () {
            () if is(1) => seen("confirmed", 1_000),
            () if is(2) => seen("confirmed", 1_001),
            () if is(3) && strong => seen("confirmed", 900),
            () if is(3) => seen("requested", 100),
            () if is(4) => seen("rejected", 500),
            () if is(5) => seen("cancelled", 500),
            () if is(6) => seen("awaiting_payment", 500),
            () => Reply::Json(404, json!({"code": "not_found"})),
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let (clock, shop) = (Clock::start(), Shop::at(&url, None));
    let ledger = Ledger::open(Some(&path), clock).unwrap();
    let orders: Vec<OrderId> = (1..=7).map(order).collect();
    let states = outcomes::read_all(&shop, clock, &orders, deadline, &ledger).await;
    ledger.close().unwrap();
    assert_eq!(states, States { confirmed: 2, rejected: 1, cancelled: 1, unread: 1 });
    let seen = entries(&path);
    let (state, updated_at) = (OrderState::Confirmed, Timestamp(900).rfc3339());
    assert_eq!(seen.len(), 6, "what could not be read was not seen");
    assert!(seen.contains(&LedgerEntry::OrderSeen { order_id: order(3), state, updated_at }));
}

fn status(told: &Told) -> Option<u16> {
    match told {
        Told::Answered { status, .. } => Some(*status),
        Told::Unknown { .. } => None,
        Told::Failed { .. } => panic!("there was a connection"),
    }
}

/// Fills with two products; gives what the ledger says of each try: a status, or unknown.
async fn fill(url: &str) -> (Result<(), String>, Vec<(Asked, Option<u16>)>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let (clock, shop) = (Clock::start(), Shop::at(url, None));
    let ledger = Ledger::open(Some(&path), clock).unwrap();
    let mut filler = Filler::of(&shop, clock, &ledger);
    let filled = filler.ask("products", fill::products(2), 2).await;
    ledger.close().unwrap();
    let told = entries(&path).into_iter().map(|entry| match entry {
        LedgerEntry::Action { asked, told, .. } => (asked, status(&told)),
        LedgerEntry::OrderSeen { .. } => panic!("no order was read"),
    });
    (filled.map_err(|error| error.to_string()), told.collect())
}

/// Each try is in the ledger: what was cut or shed may be on the log as well as what was taken.
#[tokio::test]
async fn filling_asks_again_and_notes_each_try() {
    let tries = AtomicUsize::new(0);
    let url = double::shop(move |asked, body| {
        assert_eq!((asked, body["actions"].as_array().unwrap().len()), ("POST /v1/batch", 2));
        let results = |second: u16| json!({"results": [{"status": 202}, {"status": second}]});
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::Cut,
            1 => Reply::Json(503, json!({"code": "overloaded"})),
            2 => Reply::Json(200, results(503)),
            _ => Reply::Json(200, results(202)),
        }
    })
    .await;
    let (filled, told) = fill(&url).await;
    assert_eq!(filled, Ok(()));
    let products: Vec<_> = fill::products(2).collect();
    let statuses = [None, Some([503, 503]), Some([202, 503]), Some([202, 202])];
    let expected: Vec<_> = statuses
        .into_iter()
        .flat_map(|pair| [0, 1].map(|n| (products[n].clone(), pair.map(|pair| pair[n]))))
        .collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn filling_ends_at_what_the_shop_does_not_take() {
    let url = double::shop(|_, _| {
        let refused = json!({"status": 422, "body": {"code": "invalid"}});
        Reply::Json(200, json!({"results": [{"status": 503}, refused]}))
    })
    .await;
    let (filled, told) = fill(&url).await;
    let said = "the shop did not take /v1/products/p1: 422 {\"code\":\"invalid\"}";
    assert_eq!(filled, Err(said.to_owned()));
    let statuses: Vec<_> = told.into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [Some(503), Some(422)], "asked once, and both are told");
}

#[tokio::test]
async fn what_is_read_may_be_elsewhere_than_what_is_asked() {
    let way_in = double::shop(|asked, _| match asked {
        "POST /v1/checkouts" => Reply::Json(202, accepted(1)),
        _ => Reply::Json(404, Value::Null),
    })
    .await;
    let way_out = double::shop(|asked, _| match asked.split(' ').next() {
        Some("GET") => Reply::Json(200, json!({"state": "confirmed", "updated_at": ""})),
        _ => Reply::Json(404, Value::Null),
    })
    .await;
    let shop = Shop::at(&way_in, Some(&way_out));
    let asked = shop.post("/v1/checkouts", &[], Bytes::from_static(b"{}")).await.unwrap();
    let read = shop.get("/v1/orders/o").await.unwrap();
    assert_eq!((asked.status, read.status), (202, 200));
}
