//! A shop of rows, and a log of which nothing is known but its ends.

use crate::{EngineStatus, LogStatus, ProcessStatus, Queries, Started, documented, router};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use edge::front::front;
use http_body_util::BodyExt;
use schemas::id::{CustomerId, EventId, OrderId, PaymentMethod, ProductId, RegionId, WarehouseId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde_json::Value;
use sinks::clock::Clock;
use sinks::event_log::{Appending, EventLog, NewRecord, ReadError, Reader};
use sinks::view_store::embedded::EmbeddedViews;
use sinks::view_store::rows::{
    CustomerOrderRow, LineRow, LineState, OrderRow, OrderState, Row, StockRow,
};
use sinks::view_store::{Mark, ViewStore};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use tempfile::TempDir;
use tower::ServiceExt;

/// 2026-11-23T09:30:00.125Z
pub(super) const NOON: Timestamp = Timestamp(1_795_426_200_125);

pub(super) struct Shop {
    pub(super) views: Arc<dyn ViewStore>,
    pub(super) log: Arc<SaidEnds>,
    pub(super) clock: Clock,
    pub(super) engine: Arc<Mutex<EngineStatus>>,
    pub(super) ready: Arc<Mutex<Result<&'static str, String>>>,
    router: Router,
    _dir: TempDir,
}

/// A log that answers with these ends, and waits for `go` before each answer if there is one.
#[derive(Default)]
pub(super) struct SaidEnds {
    pub(super) ends: Mutex<BTreeMap<TopicPartition, u64>>,
    pub(super) broken: Mutex<Option<ReadError>>,
    pub(super) asked: Mutex<usize>,
    pub(super) gate: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

impl EventLog for SaidEnds {
    fn append(&self, _records: Vec<NewRecord>) -> Appending {
        panic!("queries never append")
    }

    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        *self.asked.lock().unwrap() += 1;
        let ends = self.ends.lock().unwrap().clone();
        if let Some((asked, go)) = &*self.gate.lock().unwrap() {
            asked.send(()).unwrap();
            go.recv().unwrap();
        }
        if let Some(error) = &*self.broken.lock().unwrap() {
            return Err(error.clone());
        }
        Ok(partitions.iter().map(|p| ends.get(p).copied().unwrap_or(0)).collect())
    }

    fn reader(&self, _from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        panic!("queries never read the log")
    }

    fn close(&self) {}
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code and the pointers of a problem.
    pub(super) fn problem(&self) -> (u16, String, Vec<String>) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["type"], format!("/problems/{}", body["code"].as_str().unwrap()));
        assert_eq!(body["status"], self.status.as_u16());
        assert!(!body["request_id"].as_str().unwrap().is_empty());
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let pointers = errors.iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect();
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned(), pointers)
    }
}

pub(super) type Reading = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl Shop {
    pub(super) fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let views: Arc<dyn ViewStore> = Arc::new(EmbeddedViews::open(dir.path()).unwrap());
        let log = Arc::new(SaidEnds::default());
        let clock = Clock::manual(NOON);
        let engine = Arc::new(Mutex::new(EngineStatus {
            checkpoint: None,
            started: Started::default(),
            standing: "leads",
            generation: 4,
            epoch: 0,
            now: NOON,
            workers: 2,
            invariants: BTreeMap::new(),
            dead_letters: 0,
            late: 0,
            held: Vec::new(),
            applied: Arc::default(),
        }));
        let ready = Arc::new(Mutex::new(Ok("ok")));
        let (told, said) = (Arc::clone(&engine), Arc::clone(&ready));
        let status = Arc::new(move || ProcessStatus {
            ready: said.lock().unwrap().clone(),
            engine: Some(told.lock().unwrap().clone()),
            log: LogStatus { namespace: "watermart".to_owned(), replication: None },
        });
        let (seen, asked) = (Arc::clone(&views), Arc::clone(&log));
        let queries = Queries::new(seen, asked, clock.clone(), status);
        let router = front(documented(router(queries)));
        Self { views, log, clock, engine, ready, router, _dir: dir }
    }

    /// Writes an epoch's rows; the views then hold what lies below `applied`.
    pub(super) fn epoch(&self, epoch: u64, applied: &[(TopicPartition, u64)], rows: Vec<Row>) {
        write(&*self.views, epoch, applied, rows);
    }

    /// Lets the log end there.
    pub(super) fn ends(&self, ends: &[(TopicPartition, u64)]) {
        self.log.ends.lock().unwrap().extend(ends.iter().copied());
    }

    pub(super) fn reading(&self, path: &str) -> Reading {
        self.asking(Method::GET, path)
    }

    pub(super) fn asking(&self, method: Method, path: &str) -> Reading {
        asking(&self.router, method, path)
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.reading(path).await
    }
}

/// Asks a router once.
pub(super) fn asking(router: &Router, method: Method, path: &str) -> Reading {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let router = router.clone();
    // Many are polled within one task: its budget must not make one wait for another.
    Box::pin(tokio::task::unconstrained(async move {
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        Reply {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.into()).unwrap(),
        }
    }))
}

pub(super) fn write(
    views: &dyn ViewStore,
    epoch: u64,
    applied: &[(TopicPartition, u64)],
    rows: Vec<Row>,
) {
    let mut offsets = vec![0; TopicPartition::inputs().count()];
    for (partition, offset) in applied {
        offsets[partition.input_index().unwrap()] = *offset;
    }
    let now = NOON.plus_ms(i64::try_from(epoch).unwrap());
    let plan_hash = EventId([7; 16]);
    views.apply(rows, Mark { era: 0, epoch, plan_hash, now, applied: offsets }).unwrap();
}

/// Polls once, and expects that it has to wait.
pub(super) async fn begin(mut reading: Reading) -> Reading {
    std::future::poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Pending => Poll::Ready(()),
        Poll::Ready(reply) => panic!("it did not wait: {reply:?}"),
    })
    .await;
    reading
}

pub(super) fn customer(text: &str) -> CustomerId {
    CustomerId::parse(text).unwrap()
}

pub(super) fn product(text: &str) -> ProductId {
    ProductId::parse(text).unwrap()
}

pub(super) fn warehouse(text: &str) -> WarehouseId {
    WarehouseId::parse(text).unwrap()
}

pub(super) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

/// The n-th order of `who`.
pub(super) fn order_id(who: &str, n: u64) -> OrderId {
    let mut hash = [9; 16];
    hash[8..].copy_from_slice(&n.to_be_bytes());
    OrderId::new(customer(who).0.group(), hash)
}

/// The partition of all actions of `who`.
pub(super) fn actions_of(who: &str) -> TopicPartition {
    TopicPartition::of_group(Topic::CustomerActions, customer(who).0.group())
}

/// The rows of an order that was asked for at `NOON` and `n` milliseconds.
pub(super) fn order(who: &str, n: u64, state: OrderState) -> Vec<Row> {
    let (order_id, customer_id) = (order_id(who, n), customer(who));
    let created_at = NOON.plus_ms(i64::try_from(n).unwrap());
    let line = LineRow {
        product_id: product("P1"),
        quantity: 2,
        price: 500,
        state: LineState::Requested,
        levels: Vec::new(),
        refused: None,
    };
    let order = OrderRow {
        order_id,
        customer_id,
        state,
        reason: None,
        version: 1,
        lines: vec![line],
        currency: usd(),
        region: RegionId::parse("eu").unwrap(),
        payment_method: PaymentMethod::parse("tok_ok").unwrap(),
        expires_at: None,
        created_at,
        updated_at: created_at,
    };
    vec![order.into(), CustomerOrderRow { customer_id, created_at, asked_at: 0, order_id }.into()]
}

pub(super) fn stock(id: &str, at: &str, units: [i64; 5], version: u64) -> Row {
    let [on_hand, available, reserved, allocated, safety_stock] = units;
    let (product_id, warehouse_id) = (product(id), warehouse(at));
    let level = StockRow {
        product_id,
        warehouse_id,
        on_hand,
        available,
        reserved,
        allocated,
        safety_stock,
        safety_stock_wanted: 5,
        version,
    };
    level.into()
}
