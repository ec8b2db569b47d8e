//! Many actions at once.

use super::shop::{CHECKOUT, Shop, parse, request};
use schemas::events::Event;
use serde_json::{Value, json};

async fn results(shop: &Shop, actions: &[Value]) -> Vec<Value> {
    let batch = json!({ "actions": actions }).to_string();
    let answer = shop.ask(request("POST", "/v1/batch", &[], batch)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::Array(results) = answer.body["results"].clone() else { panic!("{answer:?}") };
    results
}

#[tokio::test]
async fn each_action_stands_alone_and_two_of_one_customer_keep_their_order() {
    let shop = Shop::open();
    let add = |key: &str, quantity: u32| {
        json!({"method": "POST", "path": "/v1/customers/C1/cart/items", "idempotency_key": key,
            "body": {"product_id": "P1", "quantity": quantity}})
    };
    let order = format!("/v1/orders/ord_{}/cancellations", "0".repeat(26));
    let actions = [
        add("a", 1),
        json!({"method": "POST", "path": "/v1/checkouts", "body": parse(CHECKOUT.as_bytes())}),
        add("b", 0),
        json!({"method": "GET", "path": "/v1/checkouts"}),
        json!({"method": "POST", "path": "/v1/nothing"}),
        json!({"method": "POST", "path": "/v1/payments/webhook"}),
        json!({"path": "/v1/checkouts", "idempotency_key": 7, "when": "now"}),
        json!("checkout"),
        add("c", 3),
        json!({"method": "PUT", "path": "/v1/products/P1/stock/A", "body": {"safety_stock": 5}}),
        json!({"method": "DELETE", "path": "/v1/customers/C1/cart/items/P1"}),
        json!({"method": "POST", "path": order, "idempotency_key": "d", "body": {"reason": "r"}}),
    ];
    let results = results(&shop, &actions).await;
    let outcomes: Vec<_> = results
        .iter()
        .map(|result| {
            let body = &result["body"];
            let errors = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
            let pointers = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
            (result["status"].as_u64(), body["code"].as_str(), pointers)
        })
        .collect();
    let accepted = (Some(202), None, vec![]);
    let refused = |status, code, pointers| (Some(status), Some(code), pointers);
    assert_eq!(
        outcomes,
        [
            accepted.clone(),
            refused(400, "idempotency_key_missing", vec![]),
            refused(422, "invalid", vec!["/quantity"]),
            refused(405, "method_not_allowed", vec![]),
            refused(404, "not_found", vec![]),
            refused(404, "not_found", vec![]),
            refused(422, "invalid", vec!["/when", "/method", "/idempotency_key"]),
            refused(422, "invalid", vec![""]),
            accepted.clone(),
            accepted.clone(),
            accepted.clone(),
            accepted,
        ]
    );
    let records = shop.records();
    let cart: Vec<_> = records.iter().filter(|(record, ..)| record.key == "C1").collect();
    let [
        (_, _, Event::CartItemAddRequested(first)),
        (_, _, Event::CartItemAddRequested(second)),
        (_, _, Event::CartItemSetRequested(third)),
    ] = cart[..]
    else {
        panic!("{cart:?}")
    };
    assert_eq!([first.quantity, second.quantity, third.quantity], [1, 3, 0]);
    assert_eq!(records.len(), 5);
}

#[tokio::test]
async fn an_action_has_the_same_id_alone_and_in_a_batch() {
    let shop = Shop::open();
    let alone = shop.post("/v1/checkouts", "k1", CHECKOUT).await;
    let action = json!({"method": "POST", "path": "/v1/checkouts", "idempotency_key": "k1",
        "body": parse(CHECKOUT.as_bytes())});
    let results = results(&shop, &[action.clone(), action]).await;
    assert_eq!(results[0]["body"]["id"], alone.body["id"]);
    assert_eq!(results[1]["body"]["id"], alone.body["id"]);
    assert_ne!(results[1]["body"]["position"], results[0]["body"]["position"]);
}

#[tokio::test]
async fn a_thousand_actions_are_taken_and_one_more_is_too_many() {
    let shop = Shop::open();
    let put = json!({"method": "PUT", "path": "/v1/warehouses/A",
        "body": {"name": "Berlin", "region": "eu"}});
    let results = results(&shop, &vec![put.clone(); 1000]).await;
    assert!(results.iter().all(|result| result["status"] == 202));
    let batch = json!({"actions": vec![put; 1001]}).to_string();
    let answer = shop.ask(request("POST", "/v1/batch", &[], batch)).await;
    assert_eq!(answer.problem(), (422, "invalid", vec!["/actions"]));
    assert_eq!(shop.records().len(), 1000);
}
