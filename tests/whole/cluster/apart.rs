//! Parts that run side by side.

use super::load::{self, ledgers};
use super::{Part, Parts, log, stop_all};
use crate::shop::{Ask, basket};
use serde_json::json;

fn paths(process: &Part) -> Vec<String> {
    let api = process.ask(Ask::get("/openapi.json")).body;
    api["paths"].as_object().unwrap().keys().cloned().collect()
}

/// Sets a product up with so many units, and waits until that can be read.
fn stock(way_in: &Part, way_out: &Part, units: u32) {
    let warehouse = json!({ "name": "A", "region": "eu", "priority": 10 });
    let put = Ask::put("/v1/warehouses/A", warehouse).and_wait();
    assert_eq!(way_in.ask(put).status, 202, "the way in sees no decisions");
    let listing = json!({
        "seller_id": "s1", "name": "P1", "description": "", "category": "things",
        "brand": "b", "price": 500, "currency": "USD", "attributes": {}, "image_urls": [],
        "order_quantity_max": null,
    });
    assert_eq!(way_in.ask(Ask::put("/v1/products/P1", listing)).status, 202);
    let receipt = json!({ "warehouse_id": "A", "quantity": units, "reference": "first" });
    let post = Ask::post("/v1/products/P1/stock/receipts", "first", receipt);
    let position = way_in.ask(post).body["position"].as_str().unwrap().to_owned();
    let read = way_out.ask(Ask::get(&format!("/v1/products/P1/stock?after={position}&wait=30")));
    assert_eq!((read.status, &read.body["available"]), (200, &json!(units)));
}

/// Asks for orders; gives their ids.
fn order(way_in: &Part, keys: std::ops::Range<u32>) -> Vec<String> {
    let ask = |n: u32| {
        let method = if n.is_multiple_of(2) { "tok_ok" } else { "tok_twice" };
        let body = basket(&format!("C{n}"), method, &[("P1", 1)]);
        Ask::post("/v1/checkouts", &format!("k{n}"), body)
    };
    let answers = way_in.ask_all(keys.map(ask).collect());
    answers.into_iter().map(|answer| log::id(&answer.unwrap())).collect()
}

/// Waits until an order is paid for: each change of it is waited for by the epoch after it.
fn paid(way_out: &Part, order: &str) {
    let mut epoch = 0;
    loop {
        let read = Ask::get(&format!("/v1/orders/{order}?after=e{epoch}&wait=30"));
        let read = way_out.ask(read);
        assert_eq!(read.status, 200, "{read:?}");
        let payment = &read.body["payment"];
        if read.body["state"] == "confirmed" && payment["captured"] == payment["amount"] {
            return;
        }
        epoch = way_out.status()["epoch"].as_u64().unwrap() + 1;
    }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn the_follower_takes_over_and_every_order_is_paid_once() {
    let mut parts = Parts::new();
    let first = parts.start("process", &[]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    stock(&way_in, &way_out, 1_000);
    let second = parts.start("process", &[]);
    let other_out = parts.start("query", &[]);
    assert_eq!([first.ready(), second.ready()], [json!("ok"), json!("standing by")]);
    assert_eq!([way_in.ready(), way_out.ready()], [json!("ok"), json!("ok")]);
    assert_eq!(second.standing(), "follows");
    assert_eq!(way_in.status()["log_replication"], 1);
    for part in [&first, &way_in, &way_out] {
        let name = format!("{}.customer-actions/0", parts.namespace());
        assert!(part.status()["log"][&name].is_object(), "topics as they are called there");
    }

    let mut orders = order(&way_in, 0..60);
    first.kill();
    // Nobody leads: actions are taken, and what is read is old or said to be.
    orders.extend(order(&way_in, 60..120));
    let last = orders.last().unwrap();
    let strong = way_out.ask(Ask::get(&format!("/v1/orders/{last}?wait=1")));
    assert_eq!((strong.status, &strong.body["code"]), (503, &json!("view_behind")));
    assert_eq!(way_out.ask(Ask::get("/v1/products/P1")).status, 200, "eventual is answered");

    for order in &orders {
        paid(&way_out, order);
    }
    assert_eq!([second.ready(), second.standing()], [json!("ok"), json!("leads")]);
    let after = format!("?after=e{}", second.status()["epoch"]);
    for order in &orders {
        let path = format!("/v1/orders/{order}{after}");
        let both = [&way_out, &other_out].map(|way_out| way_out.ask(Ask::get(&path)));
        assert_eq!(both[0], both[1], "each query has the same");
        assert_eq!(both[0].body["payment"]["captured"], 500);
    }
    let stock = way_out.ask(Ask::get(&format!("/v1/products/P1/stock{after}"))).body;
    assert_eq!((&stock["allocated"], &stock["available"]), (&json!(120), &json!(880)));
    stop_all([second, way_in, way_out, other_out]);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn each_part_has_its_own_routes() {
    let mut parts = Parts::new();
    let running = ["/livez", "/metrics", "/readyz", "/v1/status"];
    let process = parts.start("process", &["--take-over"]);
    assert_eq!(paths(&process), running);
    let (way_in, way_out) = (paths(&parts.start("ingest", &[])), paths(&parts.start("query", &[])));
    let has = |paths: &[String], path: &str| paths.iter().any(|p| p == path);
    assert!(has(&way_in, "/v1/checkouts") && !has(&way_in, "/v1/orders/{order_id}"), "{way_in:?}");
    assert!(has(&way_out, "/v1/orders/{order_id}") && !has(&way_out, "/v1/checkouts"));
    assert!(running.iter().all(|path| has(&way_in, path) && has(&way_out, path)));
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn two_ways_in_and_two_ways_out_sell_one_stock_also_while_nobody_decides() {
    let mut parts = Parts::new();
    let process = parts.start("process", &["--take-over"]);
    let ins = [parts.start("ingest", &[]), parts.start("ingest", &[])];
    let outs = [parts.start("query", &[]), parts.start("query", &[])];
    stock(&ins[0], &outs[0], 1_000);
    let filled = load::fill(&parts, &ins[0], &outs[1]);
    let shape = |seed| ["--rate", "60", "--seconds", "6", "--seed", seed];
    let [one, other] = ["one", "other"].map(|name| parts.root.path().join(name));
    let loads = [
        load::start("steady", (&ins[0], &outs[0]), &one, &shape("1")),
        load::start("steady", (&ins[1], &outs[1]), &other, &shape("2")),
    ];
    load::wait_decisions(&parts, 200);

    // Nobody decides: actions are taken, and what is read is old or said to be.
    let dir = process.stop();
    let waiting = [order(&ins[0], 0..20), order(&ins[1], 20..40)].concat();
    for way_out in &outs {
        assert_eq!(way_out.ask(Ask::get("/v1/products/P1")).status, 200, "eventual is answered");
        let order = waiting.last().unwrap();
        let strong = way_out.ask(Ask::get(&format!("/v1/orders/{order}?wait=1")));
        assert_eq!((strong.status, &strong.body["code"]), (503, &json!("view_behind")));
    }
    assert_eq!(ins.each_ref().map(|way_in| way_in.ready()), [json!("ok"), json!("ok")]);
    let process = parts.start_in("process", dir, &["--take-over"]);
    for order in &waiting {
        paid(&outs[1], order);
    }
    for report in loads.map(load::Load::finish) {
        load::all_taken(&report);
        assert!(report["outcomes"]["confirmed"].as_u64().unwrap() > 200, "{report:#}");
    }

    let ledger = ledgers(&parts, &[filled, one, other]);
    let both = ["--url", outs[0].url(), "--ledger", &ledger];
    parts.audited(parts.root.path(), &both);
    process.stop();
    stop_all(ins);
    let views = outs.map(Part::stop);
    for views in &views {
        let report = parts.audited(views, &["--ledger", &ledger]);
        assert_eq!(report["ledger"]["differences"], 0);
        assert!(report["ledger"]["answered"].as_u64().unwrap() > 600, "{report:#}");
    }
}
