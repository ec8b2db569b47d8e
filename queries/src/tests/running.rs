//! What operators and machines ask: status, health, metrics, pages, the description.

use super::shop::{NOON, SaidEnds, Shop, actions_of, asking, order, stock};
use crate::running::{self, Running};
use crate::{
    Checkpoint, EngineStatus, Held, Invariant, LogStatus, ProcessStatus, Started, documented,
};
use axum::http::Method;
use edge::front::front;
use schemas::topic::TopicPartition;
use serde_json::json;
use sinks::clock::Clock;
use sinks::event_log::ReadError;
use sinks::view_store::rows::OrderState;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn held() -> Held {
    Held { partition: "watermart.product-actions/3".to_owned(), offset: 7, schema_id: 9 }
}

#[tokio::test]
async fn status_tells_how_far_the_log_is_applied() {
    let shop = Shop::open();
    let own = actions_of("C1");
    {
        let mut engine = shop.engine.lock().unwrap();
        engine.epoch = 1;
        engine.dead_letters = 2;
        engine.late = 3;
        engine.held = vec![held()];
        engine.invariants.insert("I1", Invariant { checked: 8, breaches: 0 });
    }
    shop.epoch(1, &[(own, 4)], order("C1", 1, OrderState::Requested));
    shop.views.flush().unwrap();
    shop.ends(&[(own, 6)]);
    shop.clock.advance(Duration::from_millis(31));
    let status = shop.get("/v1/status").await.json();
    let expected = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("standing", json!("leads")),
        ("generation", json!(4)),
        ("epoch", json!(1)),
        ("now", json!("2026-11-23T09:30:00.125Z")),
        ("epoch_age_ms", json!(31)),
        ("workers", json!(2)),
        ("checkpoint", json!(null)),
        ("invariants", json!({"I1": {"checked": 8, "breaches": 0}})),
        ("dead_letters", json!(2)),
        ("late", json!(3)),
        (
            "held",
            json!([{"partition": "watermart.product-actions/3", "offset": 7, "schema_id": 9}]),
        ),
    ];
    for (field, value) in expected {
        assert_eq!(status[field], value, "{field}");
    }
    assert_eq!(status["log"].as_object().unwrap().len(), 48);
    assert_eq!(status["log"][own.to_string()], json!({"end": 6, "applied": 4}));
    assert_eq!(status["log"]["watermart.warehouse-actions/3"], json!({"end": 0, "applied": 0}));
    // The epoch's now is a millisecond after noon.
    let orders = json!({"name": "orders", "epoch": 1, "lag_ms": 30, "rows": 1});
    assert!(status["views"].as_array().unwrap().contains(&orders), "{status}");

    shop.epoch(2, &[(own, 6)], vec![]);
    let status = shop.get("/v1/status").await.json();
    assert_eq!(status["views"][0]["lag_ms"], 0);
}

#[tokio::test]
async fn status_answers_while_the_log_does_not() {
    let shop = Shop::open();
    *shop.log.broken.lock().unwrap() = Some(ReadError::Unavailable("disk pulled".to_owned()));
    shop.clock.advance(Duration::from_millis(5));
    let status = shop.get("/v1/status").await.json();
    let own = actions_of("C1").to_string();
    assert_eq!(status["log"][own], json!({"end": null, "applied": 0}));
    // Nobody knows that all is applied, and no epoch is there: it may be as old as the start.
    assert_eq!(status["views"][0]["lag_ms"], 5);
}

#[tokio::test]
async fn ready_says_why_not_while_alive() {
    let shop = Shop::open();
    assert_eq!(shop.get("/readyz").await.status, 200);
    *shop.ready.lock().unwrap() = Err("replaying epoch 7 of 90".to_owned());
    let reply = shop.get("/readyz").await;
    assert_eq!(reply.problem(), (503, "not_ready".to_owned(), vec![]));
    assert_eq!(reply.json()["detail"], "replaying epoch 7 of 90");
    assert_eq!(shop.get("/livez").await.status, 200);

    *shop.ready.lock().unwrap() = Ok("standing by");
    let reply = shop.get("/readyz").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"status": "standing by"})));
    *shop.log.broken.lock().unwrap() = Some(ReadError::Unavailable("gone".to_owned()));
    let reply = shop.get("/readyz").await;
    assert_eq!(reply.problem(), (503, "not_ready".to_owned(), vec![]));
}

#[tokio::test]
async fn a_process_without_views_tells_what_it_knows() {
    let log = Arc::new(SaidEnds::default());
    let own = actions_of("C1");
    log.ends.lock().unwrap().insert(own, 6);
    let engine = Arc::new(Mutex::new(None));
    let told = Arc::clone(&engine);
    let status = Arc::new(move || ProcessStatus {
        ready: Ok("ok"),
        engine: told.lock().unwrap().clone(),
        log: LogStatus { namespace: "lamps".to_owned(), replication: Some(1) },
    });
    let running = Running::new(log, Clock::manual(NOON), status);
    let router = front(documented(running::router(running)));
    let status = asking(&router, Method::GET, "/v1/status").await.json();
    let nothing = [
        "generation",
        "epoch",
        "now",
        "epoch_age_ms",
        "workers",
        "dead_letters",
        "late",
        "started",
    ];
    assert!(nothing.iter().all(|field| status[field].is_null()), "{status}");
    assert_eq!((&status["views"], &status["invariants"]), (&json!([]), &json!({})));
    let named = own.to_string().replace("watermart.", "lamps.");
    assert_eq!(status["log"][&named], json!({"end": 6, "applied": null}), "as on the brokers");
    assert_eq!(status["log"].as_object().unwrap().len(), 48);
    assert_eq!(status["log_replication"], 1);
    let metrics = asking(&router, Method::GET, "/metrics").await.text;
    assert!(metrics.lines().all(|line| !line.starts_with("watermart_epochs_finished_total")));
    let api = asking(&router, Method::GET, "/openapi.json").await.json();
    let paths: Vec<&String> = api["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/livez", "/metrics", "/readyz", "/v1/status"]);
    assert_eq!(asking(&router, Method::GET, "/v1/products").await.status, 404);

    let mut applied = vec![0; TopicPartition::inputs().count()];
    applied[own.input_index().unwrap()] = 4;
    *engine.lock().unwrap() = Some(EngineStatus {
        checkpoint: Some(Checkpoint { epoch: 5, at: NOON, bytes: 77 }),
        started: Started { before_ms: 40, checkpoint_ms: 3, load_ms: 20, replay_ms: 100 },
        standing: "follows",
        generation: 4,
        epoch: 7,
        now: NOON,
        workers: 1,
        invariants: BTreeMap::new(),
        held: Vec::new(),
        dead_letters: 0,
        late: 0,
        applied: Arc::new(applied),
    });
    let status = asking(&router, Method::GET, "/v1/status").await.json();
    assert_eq!((&status["epoch"], &status["standing"]), (&json!(7), &json!("follows")));
    let checkpoint = json!({ "epoch": 5, "at": NOON.rfc3339(), "bytes": 77 });
    assert_eq!(status["checkpoint"], checkpoint);
    let started = json!({ "before_ms": 40, "checkpoint_ms": 3, "load_ms": 20, "replay_ms": 100 });
    assert_eq!(status["started"], started);
    assert_eq!(status["log"][&named], json!({"end": 6, "applied": 4}));
}

#[tokio::test]
async fn metrics_say_the_same_as_status() {
    let shop = Shop::open();
    let own = actions_of("C1");
    let breached = Invariant { checked: 5, breaches: 1 };
    shop.engine.lock().unwrap().invariants.insert("I2", breached);
    shop.engine.lock().unwrap().held.push(held());
    shop.epoch(1, &[(own, 4)], vec![stock("P1", "A", [1, 1, 0, 0, 0], 1)]);
    shop.views.flush().unwrap();
    shop.ends(&[(own, 6)]);
    let reply = shop.get("/metrics").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "watermart_ready 1".to_owned(),
        "# TYPE watermart_records_applied_total counter".to_owned(),
        format!("watermart_records_applied_total{{partition=\"{own}\"}} 4"),
        format!("watermart_lag_records{{partition=\"{own}\"}} 2"),
        "watermart_view_rows{view=\"stock\"} 1".to_owned(),
        "watermart_held_partitions 1".to_owned(),
        "watermart_invariant_breaches_total{invariant=\"I2\"} 1".to_owned(),
    ] {
        assert!(reply.text.lines().any(|l| l == line), "{line} is not in\n{}", reply.text);
    }
}

#[tokio::test]
async fn the_description_names_every_resource_and_the_pages_need_no_network() {
    let shop = Shop::open();
    let api = shop.get("/openapi.json").await.json();
    let paths: Vec<&String> = api["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/livez",
            "/metrics",
            "/readyz",
            "/v1/customers/{customer_id}/cart",
            "/v1/customers/{customer_id}/orders",
            "/v1/orders/{order_id}",
            "/v1/payments/{payment_id}",
            "/v1/products",
            "/v1/products/{product_id}",
            "/v1/products/{product_id}/reservations",
            "/v1/products/{product_id}/stock",
            "/v1/status",
            "/v1/warehouses",
            "/v1/warehouses/{warehouse_id}",
        ]
    );
    let answers = &api["paths"]["/v1/orders/{order_id}"]["get"]["responses"];
    assert_eq!(
        answers["200"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Order"
    );
    assert_eq!(
        answers["503"]["content"]["application/problem+json"]["schema"]["$ref"],
        "#/components/schemas/Problem",
        "{answers}"
    );
    // Every shape that is pointed at is there.
    let text = api.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(api["components"]["schemas"].get(name).is_some(), "{name} is not described");
    }
    for path in ["/", "/docs"] {
        let page = shop.get(path).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(!page.text.contains("//") || !page.text.contains("http"), "{path} reaches out");
    }
}
