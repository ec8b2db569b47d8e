//! What shoppers and sellers do, and what they see of it.

use crate::shop::{Ask, Shop, basket, run};
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::payment_gateway::signature::{Secrets, sign};
use std::collections::BTreeMap;

/// Reads an order until the payment's answer has reached it: reads are strong, and the sandbox
/// answers by itself, so what is waited for is one position after another.
pub(crate) fn settled(shop: &Shop, order: &str, state: &str) -> Value {
    for _ in 0..1_000 {
        let answer = shop.ask(Ask::get(&format!("/v1/orders/{order}")));
        assert_eq!(answer.status, 200);
        if answer.body["state"] == state {
            return answer.body;
        }
        // Any action that waits for its decision lets the log move on.
        let put = json!({ "name": "A", "region": "eu", "priority": 10 });
        shop.ask(Ask::put("/v1/warehouses/A", put).and_wait());
    }
    panic!("{order} does not become {state}");
}

#[test]
fn a_basket_is_sold() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 400), ("B", 350), ("C", 250)]);
    let lines = [("P1", 3)];
    let checkout = Ask::post("/v1/checkouts", "k1", basket("C1", "tok_ok", &lines)).and_wait();
    let answer = shop.ask(checkout);
    assert_eq!(answer.status, 201, "{answer:?}");
    let order = settled(&shop, answer.body["order_id"].as_str().unwrap(), "confirmed");
    assert_eq!(order["total"], 1_500);
    assert_eq!(order["lines"][0]["state"], "allocated");
    let stock = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong")).body;
    let sums = ["on_hand", "available", "reserved", "allocated"].map(|sum| stock[sum].clone());
    assert_eq!(sums, [1_000, 997, 0, 3].map(Value::from));
    let invariants = shop.ask(Ask::get("/v1/status")).body["invariants"].clone();
    let invariants = invariants.as_object().unwrap();
    // One order lapses in no basket, and one in sixteen is followed from row to row.
    for (id, seldom) in
        [("I1", false), ("I2", false), ("I5", true), ("I6", false), ("I8", true), ("I13", false)]
    {
        assert!(seldom || invariants[id]["checked"].as_u64().unwrap() > 0, "{id}");
    }
    assert!(invariants.values().all(|count| count["breaches"] == 0), "{invariants:?}");
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

#[test]
fn a_declined_payment_gives_everything_back() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 2), ("B", 1), ("C", 1)]);
    shop.stock("P2", &[("B", 1)]);
    // One line is split over all its warehouses.
    let lines = [("P1", 4), ("P2", 1)];
    let checkout = Ask::post("/v1/checkouts", "k1", basket("C1", "tok_decline", &lines));
    let answer = shop.ask(checkout.and_wait());
    let order = settled(&shop, answer.body["order_id"].as_str().unwrap(), "cancelled");
    assert_eq!(order["reason"], "payment_declined");
    for (product, units) in [("P1", &[2, 1, 1][..]), ("P2", &[1])] {
        let path = format!("/v1/products/{product}/stock?consistency=strong");
        let levels = shop.ask(Ask::get(&path)).body["levels"].clone();
        let levels = levels.as_array().unwrap().iter().map(|level| level["available"].clone());
        assert_eq!(levels.collect::<Vec<_>>(), *units, "{product}");
    }
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

#[test]
fn a_thousand_buyers_get_a_hundred_units() {
    let (shop, data) = Shop::with_warehouses(&["--payments-url", "manual:"]);
    shop.stock("P1", &[("A", 40), ("B", 35), ("C", 25)]);
    let asks = (0..1_000).map(|buyer| {
        let body = basket(&format!("buyer-{buyer}"), "tok_ok", &[("P1", 1)]);
        Ask::post("/v1/checkouts", "only", body).and_wait()
    });
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in shop.ask_all(asks.collect()) {
        *counts.entry(answer.unwrap().status).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([(201, 100), (409, 900)]));
    let stock = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong")).body;
    assert_eq!((&stock["available"], &stock["reserved"]), (&json!(0), &json!(100)));
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

#[test]
fn a_receipt_that_was_acknowledged_is_there_for_the_next_checkout() {
    let (shop, _data) = Shop::with_warehouses(&["--payments-url", "manual:"]);
    shop.stock("P1", &[]);
    for turn in 0..300 {
        let body = json!({ "warehouse_id": "A", "quantity": 1, "reference": "r" });
        let receipt = Ask::post("/v1/products/P1/stock/receipts", &format!("r{turn}"), body);
        assert_eq!(shop.ask(receipt).status, 202);
        let body = basket(&format!("c{turn}"), "tok_ok", &[("P1", 1)]);
        let answer = shop.ask(Ask::post("/v1/checkouts", "k", body).and_wait());
        assert_eq!(answer.status, 201, "turn {turn}: {answer:?}");
    }
}

#[test]
fn the_same_key_and_body_is_one_order_and_another_body_is_refused() {
    let (shop, _data) = Shop::with_warehouses(&["--payments-url", "manual:"]);
    shop.stock("P1", &[("A", 10)]);
    let body = basket("C1", "tok_ok", &[("P1", 2)]);
    let asks = vec![Ask::post("/v1/checkouts", "k", body).and_wait(); 20];
    let orders: Vec<_> = shop.ask_all(asks).into_iter().map(Option::unwrap).collect();
    for order in &orders {
        assert_eq!(order.status, 201);
        assert_eq!(order.body["order_id"], orders[0].body["order_id"]);
    }
    let other = basket("C1", "tok_ok", &[("P1", 3)]);
    let refused = shop.ask(Ask::post("/v1/checkouts", "k", other).and_wait());
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("idempotency_key_reused")));
    let stock = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong")).body;
    assert_eq!(stock["available"], 8);
}

#[test]
fn an_unpaid_order_lapses_and_its_units_are_for_sale_again() {
    let (shop, data) =
        Shop::with_warehouses(&["--payments-url", "manual:", "--reservation-timeout", "1s"]);
    shop.stock("P1", &[("A", 1)]);
    let first = basket("C1", "tok_ok", &[("P1", 1)]);
    let first = shop.ask(Ask::post("/v1/checkouts", "k", first).and_wait()).body;
    let order = settled(&shop, first["order_id"].as_str().unwrap(), "cancelled");
    assert_eq!(order["reason"], "reservation_expired");
    let second = basket("C2", "tok_ok", &[("P1", 1)]);
    assert_eq!(shop.ask(Ask::post("/v1/checkouts", "k", second).and_wait()).status, 201);
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

/// The audit finds nothing wrong in what the shop left behind.
#[test]
fn a_customers_orders_are_listed_newest_first_however_fast_they_come() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 100)]);
    // One batch is one epoch, or few: its orders share their times.
    let action = |n: usize| {
        let body = basket("C1", "tok_ok", &[("P1", 1)]);
        json!({ "method": "POST", "path": "/v1/checkouts", "idempotency_key": n.to_string(), "body": body })
    };
    let actions: Vec<_> = (0..30).map(action).collect();
    let batch = Ask::post("/v1/batch", "b", json!({ "actions": actions }));
    let asked = shop.ask(batch).body["results"].as_array().unwrap().clone();
    let mut asked: Vec<_> = asked.iter().map(|result| result["body"]["id"].clone()).collect();
    asked.reverse();
    let listed = shop.ask(Ask::get("/v1/customers/C1/orders?limit=100")).body["items"].clone();
    let listed: Vec<_> =
        listed.as_array().unwrap().iter().map(|order| order["order_id"].clone()).collect();
    assert_eq!(listed, asked);
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

/// A webhook as the provider signs it.
pub(crate) fn webhook(data: &std::path::Path, body: &Value) -> String {
    let secrets = Secrets::load(&data.join("webhook-secret")).unwrap();
    let body = body.to_string();
    let signature = sign(&secrets, Clock::system().now(), body.as_bytes());
    format!(
        "POST /v1/payments/webhook HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
         content-type: application/json\r\nwatermart-signature: {signature}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn money_of_a_wrong_sum_for_a_rejected_order_is_asked_back_once_and_audited() {
    let (shop, data) = Shop::with_warehouses(&["--payments-url", "manual:"]);
    shop.stock("P1", &[("A", 10)]);
    let rejected = basket("C1", "tok_ok", &[("P1", 11)]);
    let answer = shop.ask(Ask::post("/v1/checkouts", "k1", rejected).and_wait());
    assert_eq!(answer.status, 409);
    let order = answer.body["order"]["order_id"].as_str().unwrap().to_owned();
    for (id, kind) in [("e1", "authorized"), ("e2", "authorized"), ("e3", "captured")] {
        let told = json!({
            "id": id, "type": format!("payment.{kind}"), "order_id": order,
            "payment_id": order.replace("ord_", "pay_"), "amount": 5_501, "currency": "USD",
            "created_at": "2026-11-25T00:00:00.000Z", "decline_code": null,
        });
        let answer = shop.raw(webhook(data.path(), &told).as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    let sold = basket("C2", "tok_ok", &[("P1", 1)]);
    assert_eq!(shop.ask(Ask::post("/v1/checkouts", "k2", sold).and_wait()).status, 201);
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

pub(crate) fn audited(data: &std::path::Path) {
    let output = run(data, &["audit", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && report["ok"] == true, "{report:#}");
}
