//! A router of one handler, behind the front.

use crate::front::front;
use crate::path_id::PathIds;
use crate::principal::Principal;
use crate::problem::{Code, FieldError, Problem};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt as _;
use schemas::id::{OrderId, ProductId};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Finds nothing, whoever asks.
async fn find(who: Principal, _: PathIds<OrderId, ProductId>) -> Problem {
    assert_eq!(who, Principal::OPERATOR);
    Problem::new(Code::ViewBehind, "not yet")
}

/// The answer's headers that matter, and its body.
async fn ask(method: &str, path: &str) -> ([String; 3], Value) {
    let router = front(Router::new().route("/orders/{order_id}/{product_id}", get(find)));
    let request = Request::builder().method(method).uri(path).body(Body::empty());
    let answer = router.oneshot(request.expect("a request")).await.expect("infallible");
    let (parts, body) = answer.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |v| v.to_str().expect("text"));
    let headers = ["content-type", "retry-after", "x-request-id"].map(|n| header(n).to_owned());
    let body = body.collect().await.expect("a body").to_bytes();
    (headers, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test]
async fn every_refusal_is_one_problem_with_the_requests_id() {
    let order = OrderId::new(7, [9; 16]);
    let (good, none) = (format!("/orders/{order}/P1"), format!("/orders/{order}/a%20b"));
    let mut ids = Vec::new();
    for (method, path, status, code, pointer, retry) in [
        ("GET", &*good, 503, "view_behind", json!(null), "1"),
        ("GET", &none, 422, "invalid", json!("/product_id"), ""),
        ("GET", "/orders/ord_1/P1", 404, "not_found", json!(null), ""),
        ("GET", "/orders/%ff/P1", 400, "malformed", json!("/order_id"), ""),
        ("PUT", &good, 405, "method_not_allowed", json!(null), ""),
        ("GET", "/", 404, "not_found", json!(null), ""),
    ] {
        let ([media, retry_after, id], body) = ask(method, path).await;
        assert_eq!((&*media, &*retry_after), ("application/problem+json", retry), "{path}");
        let said = (&body["status"], &body["code"], &body["errors"][0]["pointer"]);
        assert_eq!(said, (&json!(status), &json!(code), &pointer), "{path}");
        assert_eq!(body["request_id"], json!(id));
        ids.push(id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 6, "each request has its own");
}

#[test]
fn a_problem_says_in_words_what_its_errors_say_in_pointers() {
    let error = |pointer: &str| FieldError { pointer: pointer.to_owned(), detail: "is odd".into() };
    for (errors, detail) in [
        (vec![error("")], "the body is odd"),
        (vec![error("/a")], "/a is odd"),
        (vec![error("/a"), error("/b")], "2 fields are not valid"),
    ] {
        assert_eq!(Problem::invalid(errors).detail, detail);
    }
    assert_eq!(Problem::parameter("a~b/c", "is odd").errors, [error("/a~0b~1c")]);
}
