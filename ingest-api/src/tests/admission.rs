//! What is over the limit is shed at once, and the limit holds.

use super::shop::{Answer, CHECKOUT, Shop, Told, request};
use crate::ingest::Limits;
use serde_json::json;
use sinks::event_log::{Answers, Appending};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// A shop whose log tells of each append and answers when the test does.
fn shop(limits: Limits) -> (Arc<Shop>, mpsc::Receiver<oneshot::Sender<Answers>>) {
    let (appends, appended) = mpsc::channel(8);
    let log = Told(move |records| {
        let (sender, receiver) = oneshot::channel();
        appends.try_send(sender).expect("the test has room");
        Appending::new(records, receiver)
    });
    (Arc::new(Shop::over_log(Arc::new(log), limits)), appended)
}

async fn checkout(shop: Arc<Shop>) -> Answer {
    shop.post("/v1/checkouts", "k", CHECKOUT).await
}

#[tokio::test]
async fn a_request_over_the_limit_is_shed_until_another_is_answered() {
    let (shop, mut appended) = shop(Limits { requests_max: 2, ..Limits::default() });
    let first = tokio::spawn(checkout(Arc::clone(&shop)));
    let held = appended.recv().await.expect("the first is in");
    let second = tokio::spawn(checkout(Arc::clone(&shop)));
    let other = appended.recv().await.expect("the second is in");
    for _ in 0..3 {
        let shed = checkout(Arc::clone(&shop)).await;
        assert_eq!(shed.problem(), (503, "overloaded", vec![]));
    }
    drop(held);
    assert_eq!(first.await.expect("no panic").problem(), (503, "log_unavailable", vec![]));
    let third = tokio::spawn(checkout(Arc::clone(&shop)));
    appended.recv().await.expect("the third is in, and only now");
    drop(other);
    assert_eq!(second.await.expect("no panic").problem(), (503, "log_unavailable", vec![]));
    assert_eq!(third.await.expect("no panic").problem(), (503, "log_unavailable", vec![]));
    appended.try_recv().expect_err("nothing that was shed was appended");
}

#[tokio::test]
async fn a_batch_over_its_own_limit_is_shed_while_single_requests_are_not() {
    let (shop, mut appended) = shop(Limits { batches_max: 1, ..Limits::default() });
    let put = json!({"method": "PUT", "path": "/v1/warehouses/A",
        "body": {"name": "Berlin", "region": "eu"}});
    let batch = json!({"actions": [put]}).to_string();
    let ask = |shop: Arc<Shop>, batch: String| async move {
        shop.ask(request("POST", "/v1/batch", &[], batch)).await
    };
    let first = tokio::spawn(ask(Arc::clone(&shop), batch.clone()));
    let held = appended.recv().await.expect("the first is in");
    let shed = ask(Arc::clone(&shop), batch).await;
    assert_eq!(shed.problem(), (503, "overloaded", vec![]));
    let single = tokio::spawn(checkout(Arc::clone(&shop)));
    drop(appended.recv().await.expect("a single request is in"));
    assert_eq!(single.await.expect("no panic").problem(), (503, "log_unavailable", vec![]));
    drop(held);
    assert_eq!(first.await.expect("no panic").status, 200);
}
