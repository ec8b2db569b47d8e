//! Pages, and parameters that are not what they must be.

use super::shop::{Shop, order, order_id, stock, warehouse};
use schemas::id::RegionId;
use schemas::time::Timestamp;
use sinks::view_store::rows::{OrderState, ReservationRow, Row, WarehouseRow};

fn orders(who: &str, numbers: std::ops::Range<u64>) -> Vec<Row> {
    numbers.flat_map(|n| order(who, n, OrderState::Requested)).collect()
}

#[tokio::test]
async fn paging_shows_each_order_once_newest_first_while_others_come_in() {
    let shop = Shop::open();
    shop.epoch(1, &[], orders("C1", 0..250));
    // A customer whose id begins alike is another one.
    shop.epoch(2, &[], orders("C11", 0..3));
    let (mut seen, mut cursor, mut epoch) = (Vec::new(), String::new(), 2);
    loop {
        let page = shop.get(&format!("/v1/customers/C1/orders?limit=20{cursor}")).await.json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|order| order["order_id"].as_str().unwrap().to_owned()));
        epoch += 1;
        shop.epoch(epoch, &[], orders("C1", 1000 + epoch..1001 + epoch));
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(items.len(), 20);
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<String> = (0..250).rev().map(|n| order_id("C1", n).to_string()).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_that_is_just_full_is_the_last() {
    let shop = Shop::open();
    shop.epoch(1, &[], orders("C1", 0..20));
    let page = shop.get("/v1/customers/C1/orders").await;
    assert_eq!(page.json()["items"].as_array().unwrap().len(), 20);
    assert_eq!(page.json()["next_cursor"], serde_json::Value::Null);
    assert_eq!(page.header("etag"), "\"0.1\"");
    let none = shop.get("/v1/customers/nobody/orders").await;
    assert_eq!(none.json(), serde_json::json!({"items": [], "next_cursor": null}));
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let shop = Shop::open();
    let row = |id| WarehouseRow {
        warehouse_id: warehouse(id),
        name: "north".to_owned(),
        region: RegionId::parse("eu").unwrap(),
        priority: 10,
    };
    let mut rows = orders("C1", 0..2);
    rows.extend([row("A").into(), row("B").into()]);
    shop.epoch(1, &[], rows);
    let page = shop.get("/v1/warehouses?limit=1").await.json();
    let of_warehouses = page["next_cursor"].as_str().unwrap().to_owned();
    let page = shop.get("/v1/customers/C1/orders?limit=1").await.json();
    let of_c1 = page["next_cursor"].as_str().unwrap().to_owned();
    let rest = shop.get(&format!("/v1/warehouses?cursor={of_warehouses}")).await.json();
    assert_eq!(rest["items"][0]["warehouse_id"], "B");

    for (path, pointer) in [
        ("/v1/warehouses?limit=0".to_owned(), "/limit"),
        ("/v1/warehouses?limit=101".to_owned(), "/limit"),
        ("/v1/warehouses?limit=%2B1".to_owned(), "/limit"),
        ("/v1/warehouses?limit=ten".to_owned(), "/limit"),
        ("/v1/warehouses?limit=".to_owned(), "/limit"),
        ("/v1/warehouses?limit=1&limit=2".to_owned(), "/limit"),
        ("/v1/warehouses?cursor=".to_owned(), "/cursor"),
        ("/v1/warehouses?cursor=0".to_owned(), "/cursor"),
        ("/v1/warehouses?cursor=zz".to_owned(), "/cursor"),
        ("/v1/warehouses?cursor=%C3%A4".to_owned(), "/cursor"),
        (format!("/v1/warehouses?cursor={of_c1}"), "/cursor"),
        (format!("/v1/products?cursor={of_warehouses}"), "/cursor"),
        (format!("/v1/customers/C2/orders?cursor={of_c1}"), "/cursor"),
        ("/v1/warehouses?colour=red".to_owned(), "/colour"),
        ("/v1/warehouses/A?limit=1".to_owned(), "/limit"),
        ("/v1/warehouses/A?wait=31".to_owned(), "/wait"),
        ("/v1/warehouses/A?wait=-1".to_owned(), "/wait"),
        ("/v1/warehouses/A?wait=99999999999999999999".to_owned(), "/wait"),
        ("/v1/warehouses/A?consistency=STRONG".to_owned(), "/consistency"),
        ("/v1/warehouses/A?consistency=strong&consistency=strong".to_owned(), "/consistency"),
        ("/v1/warehouses/A?after=".to_owned(), "/after"),
        ("/v1/warehouses/A?after=r2.16.0".to_owned(), "/after"),
        // The topic `orders` is no input: no view ever covers it.
        ("/v1/warehouses/A?after=r5.0.0".to_owned(), "/after"),
    ] {
        let reply = shop.get(&path).await;
        let expected = (422, "invalid".to_owned(), vec![pointer.to_owned()]);
        assert_eq!(reply.problem(), expected, "{path}");
    }
}

#[tokio::test]
async fn an_ended_reservation_is_not_listed() {
    let shop = Shop::open();
    let reservation = |n, ended| ReservationRow {
        product_id: super::shop::product("P1"),
        order_id: order_id("C1", n),
        levels: vec![],
        expires_at: Timestamp(0),
        ended,
    };
    let stock = stock("P1", "A", [10, 8, 2, 0, 0], 1);
    shop.epoch(1, &[], vec![stock, reservation(1, false).into(), reservation(2, false).into()]);
    shop.epoch(2, &[], vec![reservation(1, true).into()]);
    let list = shop.get("/v1/products/P1/reservations").await.json();
    let expected = serde_json::json!({
        "items": [{
            "order_id": order_id("C1", 2), "quantity": 0, "levels": [],
            "expires_at": "1970-01-01T00:00:00.000Z",
        }],
        "next_cursor": null,
    });
    assert_eq!(list, expected);
}
