//! Requests that go wrong: whichever side they reach, and however odd they are, the answer is one
//! problem of one shape, and nothing is on the log afterwards.

use crate::shop::{Ask, Shop};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An answer as it came over the wire.
struct Raw {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn raw(shop: &Shop, request: &str) -> Raw {
    let text = String::from_utf8(shop.raw(request.as_bytes())).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {text}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Raw { status, headers: lines.map(header).collect(), body: body.to_owned() }
}

/// Checks that it is a problem of the one shape; gives status, code and pointers.
fn problem(answer: &Raw) -> (u16, String, Vec<String>) {
    let header = |name: &str| answer.headers.get(name).map_or("", |value| value.as_str());
    assert_eq!(header("content-type"), "application/problem+json", "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    assert_eq!(text("type"), format!("/problems/{}", text("code")));
    assert_eq!(body["status"], answer.status);
    assert_eq!(text("request_id"), header("x-request-id"));
    assert!(!text("title").is_empty() && !text("detail").is_empty());
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let pointers = errors.iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect();
    (answer.status, text("code"), pointers)
}

fn applied(shop: &Shop) -> Value {
    shop.ask(Ask::get("/v1/status")).body["log"].clone()
}

#[test]
fn both_sides_refuse_in_one_shape_and_leave_no_event() {
    let (shop, _data) = Shop::with_warehouses(&[]);
    let before = applied(&shop);
    for (request, status, code, pointers) in [
        ("GET /v1/none", 404, "not_found", vec![]),
        ("GET //v1/products", 404, "not_found", vec![]),
        ("GET /v1/products/", 404, "not_found", vec![]),
        ("GET /%ff", 404, "not_found", vec![]),
        ("GET /v1/orders/ord_1", 404, "not_found", vec![]),
        ("GET /v1/products/..", 404, "not_found", vec![]),
        ("PATCH /v1/products/P1", 405, "method_not_allowed", vec![]),
        ("OPTIONS /v1/products/P1", 405, "method_not_allowed", vec![]),
        ("TRACE /v1/status", 405, "method_not_allowed", vec![]),
        ("POST /", 405, "method_not_allowed", vec![]),
        ("POST /docs", 405, "method_not_allowed", vec![]),
        ("PUT /openapi.json", 405, "method_not_allowed", vec![]),
        ("BREW /v1/checkouts", 405, "method_not_allowed", vec![]),
        ("GET /v1/products/%ff", 400, "malformed", vec!["/product_id"]),
        ("PUT /v1/products/%ff", 400, "malformed", vec!["/product_id"]),
        ("GET /v1/products/%", 422, "invalid", vec!["/product_id"]),
        ("GET /v1/products/%zz/stock", 422, "invalid", vec!["/product_id"]),
        ("DELETE /v1/products/%zz", 422, "invalid", vec!["/product_id"]),
        ("DELETE /v1/customers/C1/cart/items/a%00", 422, "invalid", vec!["/product_id"]),
        ("GET /v1/customers/a%20b/cart", 422, "invalid", vec!["/customer_id"]),
        ("GET /v1/products?limit=%zz", 422, "invalid", vec!["/limit"]),
        ("GET /v1/products?limit", 422, "invalid", vec!["/limit"]),
        ("GET /v1/products?a~b/c=1", 422, "invalid", vec!["/a~0b~1c"]),
        ("GET /v1/products?%ff=%ff&&=", 422, "invalid", vec!["/\u{fffd}"]),
        ("POST /v1/checkouts", 415, "unsupported_media_type", vec![]),
        ("PUT /v1/warehouses/A", 415, "unsupported_media_type", vec![]),
        ("POST /v1/batch", 415, "unsupported_media_type", vec![]),
        ("POST /v1/payments/webhook", 401, "signature_invalid", vec![]),
    ] {
        let answer = raw(&shop, &format!("{request} HTTP/1.1\r\n{END}"));
        let pointers: Vec<_> = pointers.into_iter().map(str::to_owned).collect();
        assert_eq!(problem(&answer), (status, code.to_owned(), pointers), "{request}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{request}");
    }
    assert_eq!(applied(&shop), before);
}

/// Closes the head of a request without a body, and the connection after the answer.
const END: &str = "host: shop\r\nconnection: close\r\n\r\n";

#[test]
fn an_answer_before_the_body_was_read_says_that_the_connection_ends() {
    let (shop, _data) = Shop::with_warehouses(&[]);
    for path in ["POST /v1/none", "POST /v1/status", "POST /v1/checkouts", "PUT /v1/products/%ff"] {
        let answer =
            raw(&shop, &format!("{path} HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\n"));
        let connection = answer.headers.get("connection").map(String::as_str);
        assert_eq!((answer.status / 100, connection), (4, Some("close")), "{path}");
    }
}

#[test]
fn a_head_is_answered_as_its_get_would_be_without_the_body() {
    let (shop, _data) = Shop::with_warehouses(&[]);
    for (path, status) in
        [("/v1/warehouses/A", 200), ("/", 200), ("/v1/warehouses/D", 404), ("/v1/none", 404)]
    {
        let head = raw(&shop, &format!("HEAD {path} HTTP/1.1\r\n{END}"));
        let get = raw(&shop, &format!("GET {path} HTTP/1.1\r\n{END}"));
        assert_eq!((head.status, head.body.as_str()), (status, ""), "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{path}: {name}");
        }
    }
}

#[test]
fn a_body_that_is_too_large_or_not_json_is_refused_at_once() {
    let (shop, _data) = Shop::with_warehouses(&[]);
    let before = applied(&shop);
    let json = "content-type: application/json\r\nidempotency-key: k\r\n";
    let post = |path: &str, length: usize, body: &str| {
        let head = format!("POST {path} HTTP/1.1\r\n{json}content-length: {length}\r\n{END}{body}");
        problem(&raw(&shop, &head))
    };
    let too_large = (413, "too_large".to_owned(), vec![]);
    assert_eq!(post("/v1/checkouts", (64 << 10) + 1, ""), too_large);
    assert_eq!(post("/v1/batch", (8 << 20) + 1, ""), too_large);
    let malformed = (400, "malformed".to_owned(), vec![]);
    assert_eq!(post("/v1/checkouts", 4, "nul!"), malformed);
    assert_eq!(post("/v1/batch", 3, "NaN"), malformed);
    assert_eq!(applied(&shop), before);
    let settled = json!({ "name": "A", "region": "eu" });
    assert_eq!(shop.ask(Ask::put("/v1/warehouses/A", settled).and_wait()).status, 200);
}

#[test]
fn the_description_says_what_a_body_may_hold_and_that_it_may_hold_no_more() {
    let (shop, _data) = Shop::with_warehouses(&[]);
    let api = shop.ask(Ask::get("/openapi.json")).body;
    let mut bodies = BTreeMap::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if let Some(reference) = schema["$ref"].as_str() {
                let name = reference.rsplit('/').next().unwrap();
                bodies.insert(format!("{method} {path}"), &api["components"]["schemas"][name]);
            }
            // Every way an operation may end is described, and each refusal in the one shape.
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                let refused = status.starts_with(['4', '5']);
                assert_eq!(*problem == "#/components/schemas/Problem", refused, "{path} {status}");
            }
        }
    }
    assert_eq!(bodies.len(), 11, "{:?}", bodies.keys());
    for (operation, body) in &bodies {
        assert_eq!(body["additionalProperties"], false, "{operation}: {body}");
    }
    // A shape of the way out has not taken the place of one of the way in by its name.
    let put = &bodies["put /v1/products/{product_id}"]["required"];
    assert_eq!(*put, json!(["seller_id", "name", "price", "currency"]));
    let put = &bodies["put /v1/warehouses/{warehouse_id}"]["required"];
    assert_eq!(*put, json!(["name", "region"]));
}
