//! `Prefer: wait`: the answer is what was decided, and 202 only while nothing is.

use super::shop::{Answer, CHECKOUT, NOW, Shop, request, taking};
use crate::ingest::Limits;
use schemas::events::orders::Reason;
use schemas::id::{ActionId, CustomerId, OrderId, PaymentMethod, RegionId};
use schemas::money::Currency;
use serde_json::json;
use sinks::view_store::rows::{OrderRow, OrderState, RejectionRow, Row};
use sinks::view_store::{Mark, ViewStore as _};

const WAIT: [(&str, &str); 2] = [("idempotency-key", "k"), ("prefer", "respond-async, wait=30")];

/// The first `epoch`, which has seen this many records of each partition.
fn mark(epoch: u64, applied: u64) -> Mark {
    Mark { epoch, applied: vec![applied; 48], now: NOW, ..Mark::default() }
}

fn order(order_id: OrderId, state: OrderState, reason: Option<Reason>) -> Row {
    Row::from(OrderRow {
        order_id,
        customer_id: CustomerId::parse("C1").expect("an id"),
        state,
        reason,
        version: 1,
        lines: vec![],
        currency: Currency::parse("USD").expect("a currency"),
        region: RegionId::parse("eu").expect("an id"),
        payment_method: PaymentMethod::parse("tok_ok").expect("an id"),
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
    })
}

/// The order that the checkout of these tests opens, the log taking all at offset 0.
async fn known_order(shop: &Shop) -> OrderId {
    let answer = shop.post("/v1/checkouts", "k", CHECKOUT).await;
    OrderId::parse(answer.body["id"].as_str().expect("an id")).expect("an order")
}

/// Asks, and applies the rows of some epochs while the request waits.
async fn ask_and_apply(shop: &Shop, path: &str, body: &str, epochs: Vec<(Row, Mark)>) -> Answer {
    let apply = async {
        for (row, mark) in epochs {
            shop.views.apply(vec![row], mark).expect("applied");
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(shop.ask(request("POST", path, &WAIT, body.to_owned())), apply).0
}

#[tokio::test]
async fn a_checkout_is_answered_when_its_order_leaves_requested() {
    for state in [OrderState::AwaitingPayment, OrderState::Confirmed, OrderState::Cancelled] {
        let shop = Shop::over_log(taking(), Limits::default());
        let id = known_order(&shop).await;
        let epochs = vec![
            (order(id, OrderState::Requested, None), mark(1, 1)),
            (order(id, state, None), mark(2, 1)),
        ];
        let answer = ask_and_apply(&shop, "/v1/checkouts", CHECKOUT, epochs).await;
        let url = format!("/v1/orders/{id}");
        assert_eq!((answer.status.as_u16(), answer.body.clone()), (201, json!({"shown": url})));
        assert_eq!(answer.header("preference-applied"), Some("wait"));
        assert_eq!(answer.header("location"), Some(&*url));
    }
}

#[tokio::test]
async fn a_rejected_checkout_is_a_problem_with_the_order_and_the_exact_reason() {
    for (reason, status, code) in [
        (Reason::OutOfStock, 409, "out_of_stock"),
        (Reason::PriceChanged, 409, "price_changed"),
        (Reason::LimitExceeded, 409, "limit_exceeded"),
        (Reason::UnknownProduct, 409, "illegal_state"),
        (Reason::Delisted, 409, "illegal_state"),
        (Reason::EmptyCart, 409, "illegal_state"),
        (Reason::IdempotencyKeyReused, 422, "idempotency_key_reused"),
    ] {
        let shop = Shop::over_log(taking(), Limits::default());
        let id = known_order(&shop).await;
        let epochs = vec![(order(id, OrderState::Rejected, Some(reason)), mark(1, 1))];
        let answer = ask_and_apply(&shop, "/v1/checkouts", CHECKOUT, epochs).await;
        assert_eq!(answer.problem(), (status, code, vec![]));
        assert_eq!(answer.body["reason"], reason.as_str());
        assert_eq!(answer.body["order"], json!({"shown": format!("/v1/orders/{id}")}));
    }
}

#[tokio::test]
async fn an_action_is_answered_when_its_record_is_applied_and_a_rejection_is_a_problem() {
    let path = "/v1/products/P1/stock/adjustments";
    let body = r#"{"warehouse_id":"A","change":-3,"reason":"damaged","expected_version":7}"#;
    for (reason, status, code) in [
        (Reason::VersionMismatch, 409, "version_mismatch"),
        (Reason::UnknownWarehouse, 409, "illegal_state"),
        (Reason::PreconditionFailed, 412, "precondition_failed"),
        (Reason::IdempotencyKeyReused, 422, "idempotency_key_reused"),
    ] {
        let shop = Shop::over_log(taking(), Limits::default());
        let answer = shop.post(path, "k", body).await;
        let id = ActionId::parse(answer.body["id"].as_str().expect("an id")).expect("an action");
        let rejected = |action_id| Row::from(RejectionRow { action_id, reason, order_id: None });
        // Somebody else's rejection is none of ours.
        let other = ActionId::new(0, [7; 16]);
        let answer = ask_and_apply(&shop, path, body, vec![(rejected(other), mark(1, 1))]).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["shown"]),
            (201, &json!("/v1/products/P1/stock"))
        );
        shop.views.apply(vec![rejected(id)], mark(2, 1)).expect("applied");
        let answer = shop.ask(request("POST", path, &WAIT, body)).await;
        assert_eq!(answer.problem(), (status, code, vec![]));
        assert_eq!(answer.body["reason"], reason.as_str());
    }
}

#[tokio::test]
async fn a_change_is_200_with_the_resource() {
    let shop = Shop::over_log(taking(), Limits::default());
    shop.views.apply(vec![], mark(1, 1)).expect("applied");
    let put = request("PUT", "/v1/warehouses/A", &WAIT, r#"{"name":"Berlin","region":"eu"}"#);
    let answer = shop.ask(put).await;
    assert_eq!((answer.status.as_u16(), &answer.body["shown"]), (200, &json!("/v1/warehouses/A")));
    assert_eq!(answer.header("preference-applied"), Some("wait"));
}

#[tokio::test]
async fn what_is_not_decided_in_time_is_202() {
    let shop = Shop::over_log(taking(), Limits::default());
    let id = known_order(&shop).await;
    shop.views.apply(vec![order(id, OrderState::Requested, None)], mark(1, 1)).expect("applied");
    let headers = [("idempotency-key", "k"), ("prefer", "wait=1")];
    let answer = shop.ask(request("POST", "/v1/checkouts", &headers, CHECKOUT)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["id"]), (202, &json!(id.to_string())));
    assert_eq!(answer.header("preference-applied"), None);
}

#[tokio::test]
async fn who_sees_no_decisions_answers_that_the_action_is_taken_and_does_not_wait() {
    let shop = Shop::way_in(taking());
    let answer = shop.ask(request("POST", "/v1/checkouts", &WAIT, CHECKOUT)).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("preference-applied"), None);
    assert!(answer.body["id"].as_str().is_some_and(|id| OrderId::parse(id).is_some()));
}
