//! Each resource as it is shown, whole.

use super::shop::{
    NOON, Shop, actions_of, customer, order, order_id, product, stock, usd, warehouse,
};
use axum::http::Method;
use schemas::events::lines::Level;
use schemas::events::orders::{PaymentState, Reason};
use schemas::events::product_actions::Listing;
use schemas::id::{EventId, RegionId, SellerId};
use serde_json::json;
use sinks::view_store::rows::{
    CartItem, CartRow, LineRow, LineState, OrderState, PaymentRow, ProductRow, Refused,
    ReservationRow, Row, TimelineEntry, TimelineRow, WarehouseRow,
};

const NOON_TEXT: &str = "2026-11-23T09:30:00.125Z";

fn listing(id: &str, price: i64, listed: bool) -> Row {
    let listing = Listing {
        seller_id: SellerId::parse("S1").unwrap(),
        name: "Phone".to_owned(),
        description: "It rings".to_owned(),
        category: "electronics/phones".to_owned(),
        brand: "Bell".to_owned(),
        price,
        currency: usd(),
        attributes: [("colour".to_owned(), "red".to_owned())].into(),
        image_urls: vec!["p.png".to_owned()],
        order_quantity_max: None,
    };
    ProductRow { product_id: product(id), listing, listed, version: 3, updated_at: NOON }.into()
}

#[tokio::test]
async fn a_product_shows_its_listing_and_what_can_be_promised_over_all_warehouses() {
    let shop = Shop::open();
    let stocks = [
        stock("P1", "A", [400, 395, 0, 0, 5], 1),
        stock("P1", "B", [350, 350, 0, 0, 0], 2),
        stock("P11", "A", [9, 9, 0, 0, 0], 1),
    ];
    shop.epoch(7, &[], vec![listing("P1", 500, true)]);
    shop.epoch(8, &[], stocks.into());
    shop.epoch(9, &[], vec![]);
    let reply = shop.get("/v1/products/P1").await;
    assert_eq!(
        reply.json(),
        json!({
            "product_id": "P1", "seller_id": "S1", "name": "Phone", "description": "It rings",
            "category": "electronics/phones", "brand": "Bell", "price": 500, "currency": "USD",
            "attributes": {"colour": "red"}, "image_urls": ["p.png"], "order_quantity_max": null,
            "state": "listed", "version": 3, "available": 745,
            "rating": {"count": 0, "mean": null}, "updated_at": NOON_TEXT,
        })
    );
    // The listing's version, and the epoch that changed what is shown: not merely the read's.
    assert_eq!(reply.header("etag"), "\"3.8\"");
    assert_eq!(reply.header("watermart-epoch"), "9");
    assert_eq!(reply.header("watermart-position"), "e9");
    let list = shop.get("/v1/products").await.json();
    assert_eq!(list, json!({"items": [reply.json()], "next_cursor": null}));
}

#[tokio::test]
async fn stock_shows_the_sums_and_each_level() {
    let shop = Shop::open();
    let rows = vec![
        stock("P1", "A", [400, 300, 50, 45, 5], 4),
        stock("P1", "B", [350, 350, 0, 0, 0], 2),
        listing("empty", 1, false),
    ];
    shop.epoch(1, &[], rows);
    let reply = shop.get("/v1/products/P1/stock").await;
    assert_eq!(
        reply.json(),
        json!({
            "product_id": "P1", "on_hand": 750, "available": 650, "reserved": 50,
            "allocated": 45, "safety_stock": 5,
            "levels": [
                {"warehouse_id": "A", "on_hand": 400, "available": 300, "reserved": 50,
                    "allocated": 45, "safety_stock": 5, "version": 4},
                {"warehouse_id": "B", "on_hand": 350, "available": 350, "reserved": 0,
                    "allocated": 0, "safety_stock": 0, "version": 2},
            ],
        })
    );
    assert_eq!(reply.header("etag"), "\"6.1\"");
    let empty = shop.get("/v1/products/empty/stock").await.json();
    assert_eq!((&empty["on_hand"], &empty["levels"]), (&json!(0), &json!([])));
    assert_eq!(shop.get("/v1/products/empty").await.json()["state"], "delisted");
}

#[tokio::test]
async fn reservations_and_warehouses_are_listed() {
    let shop = Shop::open();
    let level = |at, quantity| Level { warehouse_id: warehouse(at), quantity };
    let reservation = ReservationRow {
        product_id: product("P1"),
        order_id: order_id("C1", 1),
        levels: vec![level("A", 2), level("B", 3)],
        expires_at: NOON,
        ended: false,
    };
    let north = WarehouseRow {
        warehouse_id: warehouse("A"),
        name: "North".to_owned(),
        region: RegionId::parse("eu").unwrap(),
        priority: 10,
    };
    let level = stock("P1", "A", [9, 4, 5, 0, 0], 1);
    shop.epoch(1, &[], vec![reservation.into(), level, north.into()]);
    assert_eq!(
        shop.get("/v1/products/P1/reservations").await.json()["items"],
        json!([{
            "order_id": order_id("C1", 1), "quantity": 5, "expires_at": NOON_TEXT,
            "levels": [{"warehouse_id": "A", "quantity": 2}, {"warehouse_id": "B", "quantity": 3}],
        }])
    );
    let north = json!({"warehouse_id": "A", "name": "North", "region": "eu", "priority": 10});
    assert_eq!(shop.get("/v1/warehouses/A").await.json(), north);
    assert_eq!(shop.get("/v1/warehouses").await.json()["items"], json!([north]));
}

#[tokio::test]
async fn a_cart_shows_what_was_put_in_beside_what_it_costs_now() {
    let shop = Shop::open();
    let item = |id, quantity, price| CartItem { product_id: product(id), quantity, price };
    let cart = CartRow {
        customer_id: customer("C1"),
        items: vec![item("P1", 2, 450), item("P2", 1, 900)],
        currency: Some(usd()),
        version: 6,
        updated_at: NOON,
    };
    let rows = vec![
        cart.into(),
        listing("P1", 500, true),
        listing("P2", 900, false),
        stock("P1", "A", [7, 7, 0, 0, 0], 1),
    ];
    shop.epoch(1, &[], rows);
    let reply = shop.get("/v1/customers/C1/cart").await;
    assert_eq!(
        reply.json(),
        json!({
            "customer_id": "C1",
            "items": [
                {"product_id": "P1", "quantity": 2, "price": 450, "price_now": 500, "available": 7},
                {"product_id": "P2", "quantity": 1, "price": 900, "price_now": null,
                    "available": 0},
            ],
            "currency": "USD", "total": 1800, "version": 6, "updated_at": NOON_TEXT,
        })
    );
    assert_eq!(reply.header("etag"), "\"6.1\"");
    assert_eq!(
        shop.get("/v1/customers/new/cart").await.json(),
        json!({"customer_id": "new", "items": [], "currency": null, "total": 0, "version": 0,
            "updated_at": null})
    );
}

fn story(epoch: u64, event: &str, position: bool) -> Row {
    let entry = TimelineEntry {
        at: NOON,
        event: event.to_owned().into(),
        event_id: EventId([1; 16]),
        cause_id: EventId([2; 16]),
        position: position.then(|| (actions_of("C1"), 5)),
    };
    TimelineRow { order_id: order_id("C1", 1), epoch, entries: vec![entry] }.into()
}

fn voided() -> Row {
    let payment = PaymentRow {
        order_id: order_id("C1", 1),
        state: PaymentState::Voided,
        amount: 1030,
        authorized: 1030,
        captured: 0,
        refunded: 0,
        voided: 1030,
        currency: usd(),
    };
    payment.into()
}

#[tokio::test]
async fn an_order_shows_its_lines_its_payment_and_its_story() {
    let shop = Shop::open();
    let mut rows = order("C1", 1, OrderState::Cancelled);
    let Some(Row::Orders(row)) = rows.first_mut() else { panic!("the order comes first") };
    row.reason = Some(Reason::OutOfStock);
    row.version = 4;
    row.expires_at = Some(NOON);
    row.lines = vec![
        LineRow {
            product_id: product("P1"),
            quantity: 2,
            price: 500,
            state: LineState::Allocated,
            levels: vec![Level { warehouse_id: warehouse("A"), quantity: 2 }],
            refused: None,
        },
        LineRow {
            product_id: product("P2"),
            quantity: 3,
            price: 10,
            state: LineState::Refused,
            levels: vec![],
            refused: Some(Refused { reason: Reason::OutOfStock, asked: 3, available: 1 }),
        },
    ];
    rows.extend([story(3, "order_requested", true), voided()]);
    shop.epoch(3, &[], rows);
    shop.epoch(4, &[], vec![story(4, "order_cancelled", false)]);

    let id = order_id("C1", 1);
    let payment = json!({
        "payment_id": id.payment(), "order_id": id, "state": "voided", "amount": 1030,
        "authorized": 1030, "captured": 0, "refunded": 0, "voided": 1030, "currency": "USD",
    });
    let event = |epoch, name, position| {
        json!({"at": NOON_TEXT, "event": name, "event_id": "01".repeat(16),
            "cause_id": "02".repeat(16), "epoch": epoch, "position": position})
    };
    let position = format!("r2.{}.5", actions_of("C1").partition);
    let expected = json!({
        "order_id": id, "customer_id": "C1", "state": "cancelled", "reason": "out_of_stock",
        "version": 4,
        "lines": [
            {"product_id": "P1", "quantity": 2, "price": 500, "state": "allocated",
                "levels": [{"warehouse_id": "A", "quantity": 2}], "reason": null, "asked": null,
                "available": null},
            {"product_id": "P2", "quantity": 3, "price": 10, "state": "refused", "levels": [],
                "reason": "out_of_stock", "asked": 3, "available": 1},
        ],
        "total": 1030, "currency": "USD", "reservation_expires_at": NOON_TEXT,
        "payment": payment, "parcels": [],
        "timeline": [
            event(3, "order_requested", json!(position)),
            event(4, "order_cancelled", json!(null)),
        ],
        "created_at": "2026-11-23T09:30:00.126Z", "updated_at": "2026-11-23T09:30:00.126Z",
    });
    let reply = shop.get(&format!("/v1/orders/{id}")).await;
    assert_eq!(reply.json(), expected);
    assert_eq!(reply.header("etag"), "\"4.4\"");
    assert_eq!(shop.get(&format!("/v1/payments/{}", id.payment())).await.json(), payment);
    let orders = shop.get("/v1/customers/C1/orders").await.json();
    assert_eq!(orders, json!({"items": [expected], "next_cursor": null}));
}

#[tokio::test]
async fn an_order_without_a_payment_says_null() {
    let shop = Shop::open();
    shop.epoch(1, &[], order("C1", 1, OrderState::Requested));
    let order = shop.get(&format!("/v1/orders/{}", order_id("C1", 1))).await.json();
    assert_eq!((&order["payment"], &order["reservation_expires_at"]), (&json!(null), &json!(null)));
    assert_eq!((&order["state"], &order["timeline"]), (&json!("requested"), &json!([])));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let shop = Shop::open();
    shop.epoch(1, &[], order("C1", 1, OrderState::Requested));
    for path in [
        "/v1/orders/ord_1",
        &format!("/v1/orders/{}", order_id("C1", 2)),
        &format!("/v1/orders/{}", order_id("C1", 1).payment()),
        &format!("/v1/payments/{}", order_id("C1", 1).payment()),
        "/v1/products/none",
        "/v1/products/none/stock",
        "/v1/products/none/reservations",
        "/v1/warehouses/none",
        "/v1/sellers/S1",
        "/v2",
    ] {
        let reply = shop.get(path).await;
        assert_eq!(reply.problem(), (404, "not_found".to_owned(), vec![]), "{path}");
    }
    let reply = shop.asking(Method::DELETE, "/v1/warehouses").await;
    assert_eq!(reply.problem(), (405, "method_not_allowed".to_owned(), vec![]));
    assert_eq!(reply.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn an_id_in_the_path_that_is_none_is_refused_by_name() {
    let shop = Shop::open();
    let long = format!("/v1/customers/{}/cart", "a".repeat(65));
    let (invalid, malformed) = ((422, "invalid"), (400, "malformed"));
    for (path, (status, code), pointer) in [
        ("/v1/products/a%20b", invalid, "/product_id"),
        ("/v1/products/a%00b/stock", invalid, "/product_id"),
        ("/v1/products/%E2%82%AC/reservations", invalid, "/product_id"),
        ("/v1/warehouses/a%2Fb", invalid, "/warehouse_id"),
        (&long, invalid, "/customer_id"),
        ("/v1/customers/a%2Fb/orders", invalid, "/customer_id"),
        ("/v1/products/%ff", malformed, "/product_id"),
        ("/v1/orders/%C3%28", malformed, "/order_id"),
    ] {
        let expected = (status, code.to_owned(), vec![pointer.to_owned()]);
        assert_eq!(shop.get(path).await.problem(), expected, "{path}");
    }
    // Dots are letters like any other.
    assert_eq!(shop.get("/v1/products/..").await.problem(), (404, "not_found".to_owned(), vec![]));
}
