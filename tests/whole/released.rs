//! What released versions left behind, each a shop that was killed (`tests/fixtures/make`): this build
//! goes on with it as if it were its own.

use crate::shop::{Ask, Shop, basket, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn goes_on_with(version: &str) {
    let data = TempDir::new().unwrap();
    let archive = fixtures().join(format!("{version}.tar.gz"));
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(archive).arg("-C").arg(data.path());
    assert!(unpack.status().unwrap().success());
    let shop = Shop::start(data.path(), &[]);
    let order_of = |customer: &str| -> Value {
        let path = format!("/v1/customers/{customer}/orders?consistency=strong&wait=30");
        shop.ask(Ask::get(&path)).body["items"][0].clone()
    };
    for customer in ["C1", "C2", "C3", "C4", "C5", "C6", "C10", "C12"] {
        assert_eq!(order_of(customer)["state"], "confirmed", "{version}, {customer}");
    }
    assert_eq!(order_of("C7")["reason"], "payment_declined", "{version}");
    // Its deadline has passed, or it waits: whenever this runs.
    assert!(["awaiting_payment", "cancelled"].contains(&order_of("C8")["state"].as_str().unwrap()));
    let cart = shop.ask(Ask::get("/v1/customers/C9/cart")).body;
    assert_eq!(cart["items"][0]["product_id"], "P1", "{version}");

    let lines = [("P1", 2), ("P2", 1)];
    let again = shop.ask(Ask::post("/v1/checkouts", "kC1", basket("C1", "tok_ok", &lines)));
    assert_eq!(again.body["id"], order_of("C1")["order_id"], "{version}: the same order for ever");
    let sold =
        shop.ask(Ask::post("/v1/checkouts", "k", basket("C20", "tok_ok", &lines)).and_wait());
    assert_eq!(sold.status, 201, "{version}: {sold:?}");
    let stock = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong")).body;
    assert_eq!(stock["on_hand"], json!(77), "{version}");
    assert_eq!(shop.stop(), Some(0));
    let audit = run(data.path(), &["audit", "--json"]);
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(report["ok"], true, "{version}: {report:#}");
}

#[test]
fn what_each_released_version_left_behind_is_gone_on_with() {
    let mut versions = 0;
    for file in std::fs::read_dir(fixtures()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(version) = name.strip_suffix(".tar.gz") {
            goes_on_with(version);
            versions += 1;
        }
    }
    assert_eq!(versions, 2, "0.1.0 and 0.2.0");
}
