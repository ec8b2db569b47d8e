//! The log fails: nothing that is not known to be durable is acknowledged.

use super::shop::{CHECKOUT, Shop, Told, failing, request};
use crate::ingest::Limits;
use serde_json::json;
use sinks::event_log::{AppendError, Appended, Appending};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

#[tokio::test]
async fn an_append_that_failed_is_503_and_one_that_is_too_large_is_413() {
    for (error, status, code) in [
        (AppendError::NotAppended("full".to_owned()), 503, "log_unavailable"),
        (AppendError::Unknown("gone".to_owned()), 503, "log_unavailable"),
        (AppendError::TooLarge { bytes: 2, max: 1 }, 413, "too_large"),
    ] {
        let shop = Shop::over_log(failing(error.clone()), Limits::default());
        let waiting = [("idempotency-key", "k"), ("prefer", "wait=30")];
        for headers in [&waiting[..1], &waiting[..]] {
            let answer = shop.ask(request("POST", "/v1/checkouts", headers, CHECKOUT)).await;
            assert_eq!(answer.problem(), (status, code, vec![]), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_log_that_never_answers_is_503_after_the_timeout() {
    let kept = Mutex::new(Vec::new());
    let silent = Told(move |records| {
        let (sender, receiver) = oneshot::channel();
        kept.lock().expect("no panic").push(sender);
        Appending::new(records, receiver)
    });
    let limits = Limits { append_timeout: Duration::ZERO, ..Limits::default() };
    let shop = Shop::over_log(Arc::new(silent), limits);
    let answer = shop.post("/v1/checkouts", "k", CHECKOUT).await;
    assert_eq!(answer.problem(), (503, "log_unavailable", vec![]));
}

#[tokio::test]
async fn a_batch_of_which_the_log_took_a_part_says_which() {
    let taken = Ok(Appended { offset: 5, appended_at: super::shop::NOW });
    let lost = Err(AppendError::Unknown("gone".to_owned()));
    let half = Told(move |_| Appending::ready(vec![taken.clone(), lost.clone()]));
    let shop = Shop::over_log(Arc::new(half), Limits::default());
    let put = json!({"method": "PUT", "path": "/v1/warehouses/A",
        "body": {"name": "Berlin", "region": "eu"}});
    let bad = json!({"method": "PUT", "path": "/v1/warehouses/A", "body": {}});
    let batch = json!({"actions": [put, bad, put]}).to_string();
    let answer = shop.ask(request("POST", "/v1/batch", &[], batch)).await;
    let results = answer.body["results"].as_array().expect("a list");
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(202), Some(422), Some(503)]);
    assert_eq!(results[2]["body"]["code"], "log_unavailable");
    assert_eq!(results[2]["body"]["request_id"].as_str(), answer.header("x-request-id"));
}

#[tokio::test]
async fn a_refusal_is_told_for_a_while_unless_something_is_taken_since() {
    let full = Arc::new(Mutex::new(true));
    let is_full = Arc::clone(&full);
    let shop = Shop::way_in(Arc::new(Told(move |_| {
        let taken = Appended { offset: 0, appended_at: super::shop::NOW };
        let full = *is_full.lock().expect("no panic");
        let answer =
            if full { Err(AppendError::NotAppended("full".to_owned())) } else { Ok(taken) };
        Appending::ready(vec![answer])
    })));
    assert_eq!(shop.ingest.refused(), None);
    shop.post("/v1/checkouts", "k", CHECKOUT).await;
    assert_eq!(shop.ingest.refused().as_deref(), Some("could not append: full"));
    shop.clock.advance(Duration::from_secs(5));
    assert_eq!(shop.ingest.refused(), None, "who is sent nothing comes back");

    shop.post("/v1/checkouts", "k", CHECKOUT).await;
    assert!(shop.ingest.refused().is_some());
    *full.lock().expect("no panic") = false;
    shop.post("/v1/checkouts", "k", CHECKOUT).await;
    assert_eq!(shop.ingest.refused(), None);
}
