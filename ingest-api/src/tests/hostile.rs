//! What must not get in: each body is refused by name, and the log does not grow.

use super::shop::{CHECKOUT, Shop, request};
use bytes::Bytes;

/// Method, path, body; status, code, pointers.
type Case<'a> = (&'a str, &'a str, &'a str, u16, &'a str, &'a [&'a str]);

async fn check(cases: &[Case<'_>]) {
    let shop = Shop::open();
    for (method, path, body, status, code, pointers) in cases {
        let answer =
            shop.ask(request(method, path, &[("idempotency-key", "k")], body.to_string())).await;
        assert_eq!(answer.problem(), (*status, *code, pointers.to_vec()), "{method} {path} {body}");
    }
    assert_eq!(shop.ends(), vec![0; 48]);
}

#[tokio::test]
async fn a_checkout_that_is_not_right_names_every_bad_field_and_leaves_no_event() {
    let path = "/v1/checkouts";
    let with =
        |items: &str| CHECKOUT.replace(r#"{"product_id":"P1","quantity":2,"price":500}"#, items);
    let many = with(&vec![r#"{"product_id":"P1","quantity":1,"price":1}"#; 101].join(","));
    let none = with("");
    let wrong =
        with(r#"{"product_id":"P 1","quantity":0,"price":-1},{"quantity":1.0,"price":1e3},7"#);
    let beyond = with(r#"{"product_id":"P1","quantity":1000001,"price":18446744073709551616}"#);
    let two_prices = with(
        r#"{"product_id":"P1","quantity":1,"price":5},{"product_id":"P2","quantity":1,"price":5},
           {"product_id":"P1","quantity":1,"price":6}"#,
    );
    let too_many = with(
        r#"{"product_id":"P1","quantity":600000,"price":5},{"product_id":"P1","quantity":400001,"price":5}"#,
    );
    let texts = with(r#"{"product_id":1,"quantity":"2","price":true,"sku":1}"#);
    let address = CHECKOUT.replace(r#"{"region":"eu"}"#, r#"{"region":"","a/b~":1}"#);
    let twice = CHECKOUT.replace(r#""currency":"USD""#, r#""currency":"USD","currency":"EUR""#);
    let null = CHECKOUT.replace(r#""USD""#, "null");
    let unknown = CHECKOUT.replace("USD", "ZZZ");
    check(&[
        ("POST", path, "", 400, "malformed", &[]),
        ("POST", path, "{", 400, "malformed", &[]),
        ("POST", path, &"[".repeat(1000), 400, "malformed", &[]),
        ("POST", path, "[]", 422, "invalid", &[""]),
        (
            "POST",
            path,
            "{}",
            422,
            "invalid",
            &["/customer_id", "/currency", "/ship_to", "/payment_method"],
        ),
        ("POST", path, &many, 422, "invalid", &["/items"]),
        ("POST", path, &none, 422, "invalid", &["/items"]),
        ("POST", path, &two_prices, 422, "invalid", &["/items"]),
        ("POST", path, &too_many, 422, "invalid", &["/items"]),
        (
            "POST",
            path,
            &wrong,
            422,
            "invalid",
            &[
                "/items/0/product_id",
                "/items/0/quantity",
                "/items/0/price",
                "/items/1/product_id",
                "/items/1/quantity",
                "/items/1/price",
                "/items/2",
            ],
        ),
        ("POST", path, &beyond, 422, "invalid", &["/items/0/quantity", "/items/0/price"]),
        (
            "POST",
            path,
            &texts,
            422,
            "invalid",
            &["/items/0/sku", "/items/0/product_id", "/items/0/quantity", "/items/0/price"],
        ),
        ("POST", path, &address, 422, "invalid", &["/ship_to/a~1b~0", "/ship_to/region"]),
        ("POST", path, &twice, 422, "invalid", &["/currency"]),
        ("POST", path, &null, 422, "invalid", &["/currency"]),
        ("POST", path, &unknown, 422, "invalid", &["/currency"]),
    ])
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn other_actions_that_are_not_right_name_every_bad_field_and_leave_no_event() {
    let (receipts, adjustments) =
        ("/v1/products/P1/stock/receipts", "/v1/products/P1/stock/adjustments");
    let order = "/v1/orders/ord_00000000000000000000000000/cancellations";
    let listing = r#"{"seller_id":"S1","name":"","price":10000000001,"currency":"usd","colour":1,
        "attributes":{"a":1},"image_urls":[""],"order_quantity_max":0,"description":7}"#;
    check(&[
        (
            "PUT",
            "/v1/warehouses/A",
            r#"{"priority":-1}"#,
            422,
            "invalid",
            &["/name", "/region", "/priority"],
        ),
        ("PUT", "/v1/warehouses/a%20b", "{}", 422, "invalid", &["/warehouse_id"]),
        ("PUT", "/v1/warehouses/%ff", "{}", 400, "malformed", &["/warehouse_id"]),
        (
            "PUT",
            "/v1/products/P1",
            listing,
            422,
            "invalid",
            &[
                "/colour",
                "/name",
                "/description",
                "/price",
                "/currency",
                "/attributes/a",
                "/image_urls/0",
                "/order_quantity_max",
            ],
        ),
        ("DELETE", "/v1/products/a%2Fb", "", 422, "invalid", &["/product_id"]),
        ("POST", receipts, r#"{"warehouse_id":"A","quantity":0}"#, 422, "invalid", &["/quantity"]),
        (
            "POST",
            adjustments,
            r#"{"warehouse_id":"A","change":0,"reason":""}"#,
            422,
            "invalid",
            &["/change", "/reason"],
        ),
        (
            "POST",
            adjustments,
            r#"{"warehouse_id":"A","change":-1000001,"reason":"r","expected_version":-1}"#,
            422,
            "invalid",
            &["/change", "/expected_version"],
        ),
        (
            "PUT",
            "/v1/products/P1/stock/A",
            r#"{"safety_stock":1000001}"#,
            422,
            "invalid",
            &["/safety_stock"],
        ),
        (
            "POST",
            "/v1/customers/C1/cart/items",
            r#"{"product_id":"P1"}"#,
            422,
            "invalid",
            &["/quantity"],
        ),
        (
            "PUT",
            "/v1/customers/C1/cart/items/P1",
            r#"{"quantity":0}"#,
            422,
            "invalid",
            &["/quantity"],
        ),
        ("POST", order, r#"{"reason":"r","lines":[]}"#, 422, "invalid", &["/lines"]),
        ("POST", "/v1/orders/ord_1/cancellations", r#"{"reason":"r"}"#, 404, "not_found", &[]),
        ("POST", "/v1/nothing", "{}", 404, "not_found", &[]),
        ("GET", "/v1/checkouts", "", 405, "method_not_allowed", &[]),
        ("POST", "/v1/batch", r#"{"actions":[]}"#, 422, "invalid", &["/actions"]),
        ("POST", "/v1/batch", r#"{"actions":{},"x":1}"#, 422, "invalid", &["/x", "/actions"]),
    ])
    .await;
}

#[tokio::test]
async fn a_body_over_the_limit_or_of_another_type_is_refused_whether_it_says_so_or_not() {
    let shop = Shop::open();
    let large = Bytes::from(vec![b' '; (64 << 10) + 1]);
    let path = "/v1/checkouts";
    let answer = shop.ask(request("POST", path, &[("idempotency-key", "k")], large.clone())).await;
    assert_eq!(answer.problem(), (413, "too_large", vec![]));
    let said = [("idempotency-key", "k"), ("content-length", "65537")];
    let answer = shop.ask(request("POST", path, &said, large)).await;
    assert_eq!(answer.problem(), (413, "too_large", vec![]));
    let batch = Bytes::from(vec![b' '; (8 << 20) + 1]);
    let answer = shop.ask(request("POST", "/v1/batch", &[], batch)).await;
    assert_eq!(answer.problem(), (413, "too_large", vec![]));
    for media in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("content-type", media), ("idempotency-key", "k")];
        let answer = shop.ask(request("POST", path, &headers, CHECKOUT)).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type", vec![]), "{media}");
    }
    let values = format!("[{}0]", "0,".repeat(1_000_000));
    let answer = shop.ask(request("POST", "/v1/batch", &[], values)).await;
    assert_eq!(answer.problem(), (400, "malformed", vec![]));
    assert_eq!(shop.ends(), vec![0; 48]);
}

#[tokio::test]
async fn headers_that_are_not_right_are_refused() {
    let shop = Shop::open();
    let long = "k".repeat(256);
    let key: &[&str] = &["/idempotency_key"];
    let (prefer, tag): (&[&str], &[&str]) = (&["/prefer"], &["/if_match"]);
    let (path, product) = ("/v1/checkouts", "/v1/products/P1");
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16, &'a str, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("POST", path, &[], 400, "idempotency_key_missing", &[]),
        ("POST", path, &[("idempotency-key", "")], 422, "invalid", key),
        ("POST", path, &[("idempotency-key", "a b")], 422, "invalid", key),
        ("POST", path, &[("idempotency-key", &long)], 422, "invalid", key),
        ("POST", path, &[("idempotency-key", "a"), ("idempotency-key", "b")], 422, "invalid", key),
        ("POST", path, &[("idempotency-key", "a"), ("prefer", "wait=0")], 400, "malformed", prefer),
        (
            "POST",
            path,
            &[("idempotency-key", "a"), ("prefer", "wait=31")],
            400,
            "malformed",
            prefer,
        ),
        ("POST", path, &[("idempotency-key", "a"), ("prefer", "wait")], 400, "malformed", prefer),
        (
            "POST",
            path,
            &[("idempotency-key", "a"), ("prefer", "x, wait=+2")],
            400,
            "malformed",
            prefer,
        ),
        ("DELETE", product, &[("if-match", "7")], 400, "malformed", tag),
        ("DELETE", product, &[("if-match", "\"7.x\"")], 400, "malformed", tag),
        ("DELETE", product, &[("if-match", "\"1\""), ("if-match", "\"2\"")], 400, "malformed", tag),
        ("DELETE", product, &[("if-match", "*")], 400, "malformed", tag),
        ("DELETE", product, &[("if-match", "\"9223372036854775808\"")], 400, "malformed", tag),
    ];
    for (method, path, headers, status, code, pointers) in cases {
        let answer = shop.ask(request(method, path, headers, CHECKOUT)).await;
        assert_eq!(answer.problem(), (*status, *code, pointers.to_vec()), "{path} {headers:?}");
    }
    assert_eq!(shop.ends(), vec![0; 48]);
}
