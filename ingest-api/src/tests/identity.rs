//! Which requests are the same, and what stands on the log.

use super::shop::{CHECKOUT, NOW, Shop, request};
use schemas::envelope::Role;
use schemas::events::Event;
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, EventId, KeyHash, OrderId, PaymentMethod, ProductId, RegionId};
use schemas::money::Currency;
use serde_json::json;

#[tokio::test]
async fn a_checkout_stands_on_its_customers_partition_as_it_was_asked() {
    let shop = Shop::open();
    let answer = shop.post("/v1/checkouts", "k1", CHECKOUT).await;
    let customer_id = CustomerId::parse("C1").expect("an id");
    let order_id = OrderId::parse(answer.body["id"].as_str().expect("an id")).expect("an order");
    assert_eq!(order_id.group(), customer_id.0.group());
    let partition = customer_id.0.group() % 16;
    let url = format!("/v1/orders/{order_id}");
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("location"), Some(&*url));
    let expected =
        json!({"id": order_id.to_string(), "position": format!("r2.{partition}.0"), "url": url});
    assert_eq!(answer.body, expected);

    let [(record, envelope, event)] = &shop.records()[..] else { panic!("one record") };
    assert_eq!((record.partition.partition, &record.key[..]), (partition, &b"C1"[..]));
    assert_eq!(
        *event,
        Event::CheckoutRequested(CheckoutRequested {
            order_id,
            customer_id,
            idempotency_key: IdempotencyKey::Hash(KeyHash::of("k1")),
            lines: Some(vec![OrderLine {
                product_id: ProductId::parse("P1").expect("an id"),
                quantity: 2,
                price: 500,
            }]),
            currency: Currency::parse("USD").expect("a currency"),
            region: RegionId::parse("eu").expect("an id"),
            payment_method: PaymentMethod::parse("tok_ok").expect("an id"),
        })
    );
    assert_eq!((envelope.role, envelope.subject), (Role::Operator, None));
    assert_eq!(envelope.occurred_at, NOW);
    assert_eq!(envelope.causation_id, envelope.event_id);
    assert_eq!(envelope.correlation_id, EventId(order_id.to_bytes()));
}

#[tokio::test]
async fn the_same_body_written_another_way_is_the_same_order_and_any_other_is_not() {
    let shop = Shop::open();
    let id = async |key: &str, body: &str| {
        let answer = shop.post("/v1/checkouts", key, body).await;
        assert_eq!(answer.status, 202, "{body}");
        answer.body["id"].as_str().expect("an id").to_owned()
    };
    let first = id("k1", CHECKOUT).await;
    assert!(first.starts_with("ord_"));
    let reordered = r#"{"payment_method":"tok_\u006fk","ship_to":{"region":"eu"},"currency":"USD",
        "items":[{"price":500,"product_id":"P1","quantity":2}],"customer_id":"C1"}"#;
    assert_eq!(id("k1", reordered).await, first);
    let mut ids = vec![first, id("k2", CHECKOUT).await];
    for (from, to) in [
        ("C1", "C2"),
        ("P1", "P2"),
        (":2", ":3"),
        ("500", "501"),
        ("USD", "EUR"),
        ("eu", "us"),
        ("tok_ok", "tok_decline"),
    ] {
        ids.push(id("k1", &CHECKOUT.replace(from, to)).await);
    }
    let cart = r#"{"customer_id":"C1","currency":"USD","ship_to":{"region":"eu"},
        "payment_method":"tok_ok"}"#;
    let null = cart.replace("\"currency\"", "\"items\":null,\"currency\"");
    ids.push(id("k1", cart).await);
    assert_eq!(id("k1", &null).await, ids[ids.len() - 1]);
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

#[tokio::test]
async fn a_receipt_without_a_reference_is_the_same_with_an_empty_one_but_not_on_another_route() {
    let shop = Shop::open();
    let path = "/v1/products/P1/stock/receipts";
    let bare = r#"{"warehouse_id":"A","quantity":7}"#;
    let empty = r#"{"quantity":7,"reference":"","warehouse_id":"A"}"#;
    let first = shop.post(path, "k", bare).await;
    assert_eq!(first.header("location"), Some("/v1/products/P1/stock"));
    assert_eq!(shop.post(path, "k", empty).await.body["id"], first.body["id"]);
    let other = shop.post(path, "k", &bare.replace('7', "8")).await;
    assert_ne!(other.body["id"], first.body["id"]);
    let [(_, a, _), (_, b, _), (_, c, _)] = &shop.records()[..] else { panic!("three records") };
    assert_eq!(a.event_id, b.event_id);
    assert_ne!(a.event_id, c.event_id);
}

#[tokio::test]
async fn an_action_without_a_key_happens_each_time_it_is_asked_for() {
    let shop = Shop::open();
    let put = r#"{"name":"Berlin","region":"eu"}"#;
    let first = shop.ask(request("PUT", "/v1/warehouses/A", &[], put)).await;
    let second = shop.ask(request("PUT", "/v1/warehouses/A", &[], put)).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_ne!(first.body["id"], second.body["id"]);
    let [(_, a, _), (_, b, _)] = &shop.records()[..] else { panic!("two records") };
    assert_ne!(a.event_id, b.event_id);
}

#[tokio::test]
async fn if_match_is_the_part_of_the_tag_before_the_dot() {
    let shop = Shop::open();
    for tag in ["\"7.123\"", "\"7\""] {
        let answer = shop.ask(request("DELETE", "/v1/products/P1", &[("if-match", tag)], "")).await;
        assert_eq!(answer.status, 202);
    }
    let records = shop.records();
    let [
        (_, _, Event::ProductDelistRequested(first)),
        (_, _, Event::ProductDelistRequested(second)),
    ] = &records[..]
    else {
        panic!("{records:?}")
    };
    assert_eq!([first.if_match, second.if_match], [Some(7), Some(7)]);
}

#[tokio::test]
async fn what_a_closed_log_does_not_take_is_not_acknowledged() {
    let shop = Shop::open();
    shop.log.close();
    let answer = shop.post("/v1/checkouts", "k1", CHECKOUT).await;
    assert_eq!(answer.problem(), (503, "log_unavailable", vec![]));
}
