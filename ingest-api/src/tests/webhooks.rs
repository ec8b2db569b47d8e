//! The provider's reports: believed only if signed.

use super::shop::{Answer, NOW, Shop, request};
use axum::http::StatusCode;
use schemas::envelope::Role;
use schemas::events::Event;
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::id::{EventId, OrderId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde_json::{Value, json};
use sinks::payment_gateway::signature::{Secrets, sign};
use std::time::Duration;

fn order() -> OrderId {
    OrderId::new(5, [7; 16])
}

fn report() -> Value {
    json!({"id": "evt_1", "type": "payment.declined", "payment_id": order().payment().to_string(),
        "order_id": order().to_string(), "amount": 1000, "currency": "USD",
        "created_at": "2026-11-23T09:30:00.125Z", "decline_code": "no_funds"})
}

fn signed(at: Timestamp, body: &str) -> String {
    sign(&Secrets::one(b"first"), at, body.as_bytes())
}

async fn post(shop: &Shop, signature: Option<&str>, body: &str) -> Answer {
    let signature = signature.map(|signature| ("watermart-signature", signature));
    let path = "/v1/payments/webhook";
    shop.ask(request("POST", path, signature.as_slice(), body.to_owned())).await
}

#[tokio::test]
async fn a_report_signed_with_any_secret_is_on_its_customers_partition_each_time_it_comes() {
    let shop = Shop::open();
    let body = report().to_string();
    for secret in [b"first".as_slice(), b"second"] {
        let signature = sign(&Secrets::one(secret), NOW, body.as_bytes());
        let answer = post(&shop, Some(&signature), &body).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"received": true})));
    }
    let [(first, envelope, event), (second, same, _)] = &shop.records()[..] else {
        panic!("two records")
    };
    assert_eq!((first.partition.partition, first.offset, second.offset), (5, 0, 1));
    assert_eq!(first.key, order().to_string());
    assert_eq!(
        *event,
        Event::PaymentReported(PaymentReported {
            provider_event_id: "evt_1".to_owned(),
            payment_id: order().payment(),
            order_id: order(),
            outcome: PaymentOutcome::Declined,
            amount: 1000,
            currency: Currency::parse("USD").expect("a currency"),
            decline_code: Some("no_funds".to_owned()),
        })
    );
    assert_eq!((envelope.role, envelope.event_id), (Role::Provider, same.event_id));
    assert_eq!(envelope.correlation_id, EventId(order().to_bytes()));
}

#[tokio::test]
async fn a_report_with_a_bad_or_old_signature_is_401_and_leaves_no_event() {
    let shop = Shop::open();
    let body = report().to_string();
    let fits = signed(NOW, &body);
    let foreign = sign(&Secrets::one(b"third"), NOW, body.as_bytes());
    let early = signed(NOW.plus_ms(302_000), &body);
    let late = signed(NOW.plus_ms(-302_000), &body);
    for signature in
        [None, Some(""), Some("t=1"), Some(&foreign), Some(&early), Some(&late), Some(&fits[..70])]
    {
        let answer = post(&shop, signature, &body).await;
        assert_eq!(answer.problem(), (401, "signature_invalid", vec![]), "{signature:?}");
    }
    let answer = post(&shop, Some(&fits), &body.replace("1000", "1001")).await;
    assert_eq!(answer.problem(), (401, "signature_invalid", vec![]));
    shop.clock.advance(Duration::from_secs(301));
    assert_eq!(post(&shop, Some(&fits), &body).await.problem(), (401, "signature_invalid", vec![]));
    assert_eq!(shop.ends(), vec![0; 48]);
}

#[tokio::test]
async fn a_signed_report_that_is_not_right_names_every_bad_field_and_leaves_no_event() {
    let shop = Shop::open();
    let other = OrderId::new(5, [8; 16]).payment().to_string();
    for (field, value, pointers) in [
        ("payment_id", json!(other), vec!["/payment_id"]),
        ("order_id", json!("ord_1"), vec!["/order_id"]),
        ("amount", json!(-1), vec!["/amount"]),
        ("amount", json!(i64::MAX), vec!["/amount"]),
        ("type", json!("payment.lost"), vec!["/type"]),
        ("currency", json!("usd"), vec!["/currency"]),
        ("id", json!(""), vec!["/id"]),
        ("livemode", json!(true), vec!["/livemode"]),
    ] {
        let mut report = report();
        report[field] = value;
        let body = report.to_string();
        let answer = post(&shop, Some(&signed(NOW, &body)), &body).await;
        assert_eq!(answer.problem(), (422, "invalid", pointers), "{body}");
    }
    let answer = post(&shop, Some(&signed(NOW, "{")), "{").await;
    assert_eq!(answer.problem(), (400, "malformed", vec![]));
    assert_eq!(shop.ends(), vec![0; 48]);
}

#[tokio::test]
async fn webhooks_from_within_are_judged_alike_and_each_is_told_of() {
    let shop = Shop::open();
    let body = report().to_string();
    let good = (signed(NOW, &body), body.clone().into_bytes());
    let bad = (signed(NOW, "other"), body.into_bytes());
    let mut webhooks = vec![good; 1001];
    webhooks.insert(1, bad);
    let taken = shop.ingest.deliver(&webhooks).await;
    let expected: Vec<_> = (0..1002).map(|index| index != 1).collect();
    assert_eq!(taken, expected);
    assert_eq!(shop.records().len(), 1001);
    shop.log.close();
    assert_eq!(shop.ingest.deliver(&webhooks[..2]).await, [false, false]);
}
