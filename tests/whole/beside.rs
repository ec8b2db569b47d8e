//! The audit beside a running shop.

use crate::shop::{Ask, Caller, Shop, basket, run};
use serde_json::Value;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

#[test]
fn a_shop_that_sells_while_it_is_audited_is_clean() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 100_000)]);
    shop.stock("P2", &[("A", 100_000), ("B", 100_000)]);
    // Several pages of one product's reservations, and of one customer's orders.
    let asks = (0..250).map(|n| {
        let body = basket("C0", "tok_silent", &[("P1", 1)]);
        Ask::post("/v1/checkouts", &format!("first-{n}"), body).and_wait()
    });
    assert!(shop.ask_all(asks.collect()).iter().flatten().all(|answer| answer.status == 201));
    let done = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let caller = Caller::of(shop.url().to_owned());
            for round in 0.. {
                let asks = (0..20).map(|n| {
                    let method = ["tok_ok", "tok_decline", "tok_silent"][n % 3];
                    let body = basket(&format!("C{}", n % 7), method, &[("P1", 1), ("P2", 2)]);
                    Ask::post("/v1/checkouts", &format!("k{round}-{n}"), body).and_wait()
                });
                let answers = caller.ask_all(asks.collect());
                assert!(answers.iter().flatten().all(|answer| answer.status == 201));
                if done.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let output = run(data.path(), &["audit", "--json", "--url", shop.url()]);
        done.store(true, Ordering::SeqCst);
        output
    });
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && report["ok"] == true, "{report:#}");
    for view in report["views"].as_array().unwrap() {
        let at_least = match view["name"].as_str().unwrap() {
            "carts" => 0,
            "warehouses" | "stock" => 3,
            "products" => 2,
            _ => 250,
        };
        assert!(view["rows"].as_u64().unwrap() >= at_least, "{view}");
    }
    // The same shop is read again, stopped, from its files alone.
    assert_eq!(shop.stop(), Some(0));
    crate::journeys::audited(data.path());
}

#[test]
fn a_url_that_is_none_ends_with_2_and_one_where_nobody_is_with_5() {
    let (shop, data) = Shop::with_warehouses(&[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, code) in [
        ("shop", 2),
        ("https://127.0.0.1:1", 2),
        ("http://127.0.0.1:1/v1", 2),
        (&*format!("http://{nobody}"), 5),
    ] {
        let output = run(data.path(), &["audit", "--url", url]);
        assert_eq!(output.status.code(), Some(code), "{url}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(if code == 2 { "--url" } else { url }), "{message}");
    }
    drop(shop);
    let empty = TempDir::new().unwrap();
    let output = run(empty.path(), &["audit", "--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
}
