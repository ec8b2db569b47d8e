//! What the tests ask: a router over a folder of its own, and doubles of the log.

use crate::ingest::{Decisions, Ingest, Limits, Ports};
use crate::routes;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use edge::front::front;
use edge::resource::{Resource, Resources};
use http_body_util::BodyExt as _;
use schemas::codec::Codec;
use schemas::envelope::Envelope;
use schemas::events::Event;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{
    Answers, AppendError, Appended, Appending, EventLog, NewRecord, ReadError, Reader, Record,
};
use sinks::payment_gateway::signature::Secrets;
use sinks::view_store::embedded::EmbeddedViews;
use sinks::view_store::{ViewError, ViewStore};
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(super) const NOW: Timestamp = Timestamp(1_795_426_200_125);

/// Shows a resource as its URL.
struct Urls;

impl Resources for Urls {
    fn resource(&self, resource: Resource) -> Result<Option<Value>, ViewError> {
        Ok(Some(json!({ "shown": resource.to_string() })))
    }
}

pub(super) struct Shop {
    router: Router,
    pub(super) ingest: Ingest,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) views: Arc<EmbeddedViews>,
    codec: Arc<Codec>,
    pub(super) clock: Clock,
    _dir: TempDir,
}

impl Shop {
    pub(super) fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(NOW);
        let log = FileLog::open(&dir.path().join("log"), clock.clone(), Durability::NotDurable)
            .expect("a log");
        Self::over(dir, clock, Arc::new(log), Limits::default())
    }

    pub(super) fn over_log(log: Arc<dyn EventLog>, limits: Limits) -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), Clock::manual(NOW), log, limits)
    }

    fn over(dir: TempDir, clock: Clock, log: Arc<dyn EventLog>, limits: Limits) -> Self {
        let views = Arc::new(EmbeddedViews::open(&dir.path().join("views")).expect("views"));
        let decisions = Decisions {
            views: Arc::clone(&views) as Arc<dyn ViewStore>,
            resources: Arc::new(Urls),
        };
        Self::of(dir, clock, log, limits, (views, Some(decisions)))
    }

    /// Of a process that sees no decisions.
    pub(super) fn way_in(log: Arc<dyn EventLog>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let views = Arc::new(EmbeddedViews::open(&dir.path().join("views")).expect("views"));
        Self::of(dir, Clock::manual(NOW), log, Limits::default(), (views, None))
    }

    fn of(
        dir: TempDir,
        clock: Clock,
        log: Arc<dyn EventLog>,
        limits: Limits,
        (views, decisions): (Arc<EmbeddedViews>, Option<Decisions>),
    ) -> Self {
        let codec = Arc::new(Codec::compiled());
        let ports = Ports { log: Arc::clone(&log), codec: Arc::clone(&codec), decisions };
        let file = dir.path().join("secrets");
        std::fs::write(&file, "first\nsecond\n").expect("a file");
        let secrets = Secrets::load(&file).expect("two secrets");
        let ingest = Ingest::new(ports, clock.clone(), secrets, limits);
        let (router, _api) = routes::router(ingest.clone()).split_for_parts();
        let router = front(router);
        Self { router, ingest, log, views, codec, clock, _dir: dir }
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = if body.is_empty() { Value::Null } else { parse(&body) };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A keyed request.
    pub(super) async fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        self.ask(request("POST", path, &[("idempotency-key", key)], body.to_owned())).await
    }

    pub(super) fn ends(&self) -> Vec<u64> {
        let inputs: Vec<_> = TopicPartition::inputs().collect();
        self.log.ends(&inputs).expect("ends")
    }

    /// All that is on the log, partition by partition.
    pub(super) fn records(&self) -> Vec<(Record, Envelope, Event)> {
        let from: Vec<_> = TopicPartition::inputs().map(|partition| (partition, 0)).collect();
        let mut reader = self.log.reader(&from).expect("a reader");
        let mut records = Vec::new();
        loop {
            let read = records.len();
            reader.read(1 << 20, &mut records).expect("records");
            if records.len() == read {
                break;
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
            .into_iter()
            .map(|record| {
                let (envelope, event) = self.codec.decode(&record.value).expect("an event");
                (record, envelope, event)
            })
            .collect()
    }
}

pub(super) fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

pub(super) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.into())).expect("a request")
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// Status, code, and the pointers of what is wrong. Checks that it is a problem at all.
    pub(super) fn problem(&self) -> (u16, &str, Vec<&str>) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let text = |name: &str| self.body[name].as_str().unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(text("type"), format!("/problems/{}", text("code")));
        assert_eq!(Some(text("request_id")), self.header("x-request-id"));
        assert!(!text("title").is_empty() && !text("detail").is_empty());
        let wait = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some("1");
        assert_eq!(self.header("retry-after"), wait);
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let explained = |error: &Value| error["detail"].as_str().is_some_and(|d| !d.is_empty());
        assert!(errors.iter().all(explained), "{self:?}");
        let pointers = errors.iter().map(|error| error["pointer"].as_str().expect("a pointer"));
        (self.status.as_u16(), text("code"), pointers.collect())
    }
}

pub(super) const CHECKOUT: &str = r#"{"customer_id":"C1","items":[{"product_id":"P1","quantity":2,"price":500}],
    "currency":"USD","ship_to":{"region":"eu"},"payment_method":"tok_ok"}"#;

/// A log that answers as it is told; nothing can be read from it.
pub(super) struct Told<F>(pub(super) F);

impl<F: Fn(usize) -> Appending + Send + Sync> EventLog for Told<F> {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        self.0(records.len())
    }

    fn ends(&self, _: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        Err(ReadError::Unavailable("a double".to_owned()))
    }

    fn reader(&self, _: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        Err(ReadError::Unavailable("a double".to_owned()))
    }

    fn close(&self) {}
}

/// A log that takes everything at once, at offset 0.
pub(super) fn taking() -> Arc<dyn EventLog> {
    let taken =
        |records| -> Answers { vec![Ok(Appended { offset: 0, appended_at: NOW }); records] };
    Arc::new(Told(move |records| Appending::ready(taken(records))))
}

/// A log that answers everything with this.
pub(super) fn failing(error: AppendError) -> Arc<dyn EventLog> {
    Arc::new(Told(move |records| Appending::ready(vec![Err(error.clone()); records])))
}
