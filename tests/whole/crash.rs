//! The process dies in the middle; nothing acknowledged is lost, nothing is done twice.

use crate::journeys::audited;
use crate::shop::{Ask, Shop, basket, run};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

fn checkouts(from: usize, count: usize) -> Vec<Ask> {
    (from..from + count)
        .map(|buyer| {
            let body = basket(&format!("buyer-{buyer}"), "tok_ok", &[("P1", 1), ("P2", 2)]);
            Ask::post("/v1/checkouts", "only", body)
        })
        .collect()
}

#[test]
fn a_kill_in_the_middle_loses_nothing_that_was_acknowledged() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 1_000)]);
    shop.stock("P2", &[("B", 500)]);
    shop.kill();
    let mut acknowledged = BTreeMap::new();
    for round in 0..3 {
        let shop = Shop::start(data.path(), &[]);
        for (buyer, answer) in (round * 100..).zip(shop.ask_all(checkouts(round * 100, 100))) {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 202);
            acknowledged.insert(buyer, answer.body["id"].clone());
        }
        shop.kill();
    }
    let shop = Shop::start(data.path(), &[]);
    for (buyer, order) in &acknowledged {
        let read = shop.ask(Ask::get(&format!("/v1/orders/{}", order.as_str().unwrap())));
        assert_eq!((read.status, &read.body["order_id"]), (200, order), "buyer {buyer}");
        let again = shop.ask(checkouts(*buyer, 1).remove(0));
        assert_eq!((again.status, &again.body["id"]), (202, order));
    }
    // Of 500 units of P2 two go to a buyer: 250 orders hold or have bought, each once.
    let stock = |product: &str| {
        shop.ask(Ask::get(&format!("/v1/products/{product}/stock?consistency=strong"))).body
    };
    assert_eq!(stock("P1")["available"], json!(750));
    assert_eq!(stock("P2")["available"], json!(0));
    assert_eq!(shop.stop(), Some(0));
    audited(data.path());
}

#[test]
fn a_directory_in_use_is_refused_with_the_pid() {
    let data = TempDir::new().unwrap();
    let _shop = Shop::start(data.path(), &[]);
    let second = run(data.path(), &["up", "--port", "0"]);
    assert_eq!(second.status.code(), Some(3));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(message.contains("process") && message.contains("has it open"), "{message}");
}

#[test]
fn a_flipped_bit_is_named_and_nothing_is_served() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 10)]);
    shop.kill();
    flip(&data.path().join("log"), 200);
    let up = run(data.path(), &["up", "--port", "0"]);
    assert_eq!(up.status.code(), Some(4));
    let message = String::from_utf8(up.stderr).unwrap();
    assert!(message.contains(".journal") && message.contains("damaged at byte"), "{message}");
}

#[test]
fn views_that_are_ahead_of_the_log_stop_the_start() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 10)]);
    assert_eq!(shop.stop(), Some(0));
    std::fs::remove_dir_all(data.path().join("log")).unwrap();
    let up = run(data.path(), &["up", "--port", "0"]);
    assert_eq!((up.status.code(), up.stdout.len()), (Some(6), 0));
    let message = String::from_utf8(up.stderr).unwrap();
    assert!(message.contains("remove the views and the checkpoints to rebuild them"), "{message}");
    std::fs::remove_dir_all(data.path().join("views")).unwrap();
    let up = run(data.path(), &["up", "--port", "0"]);
    assert_eq!(up.status.code(), Some(6), "the checkpoints are of the log that is gone");
    std::fs::remove_dir_all(data.path().join("checkpoints")).unwrap();
    assert_eq!(Shop::start(data.path(), &[]).stop(), Some(0));
}

fn flip(log: &Path, byte: usize) {
    let mut files = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let journal = files.find(|file| file.extension().is_some_and(|e| e == "journal")).unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[byte] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
}

#[test]
fn usage_errors_end_with_2_and_name_the_flag() {
    let data = TempDir::new().unwrap();
    for (arguments, named) in [
        (&["up", "--prot", "1"][..], "--prot"),
        (&["up", "--host", "0.0.0.0"], "--host"),
        (&["up", "--reservation-timeout", "15"], "--reservation-timeout"),
        (&["up", "--reservation-timeout", "0s"], "--reservation-timeout"),
        (&["up", "--log-url", "kafka://h/n"], "--log-url"),
        (&["audit", "--log-url", "files:"], "--log-url"),
        (&["up", "--payments-url", "bank:"], "--payments-url"),
        (&["ingest"], "use `watermart up`"),
        (&["process", "--log-url", "embedded:"], "--log-url"),
        (&["query"], "--log-url"),
        // A flag that makes no sense for a command is not there.
        (&["ingest", "--workers", "2"], "--workers"),
        (&["query", "--take-over"], "--take-over"),
        (&["process", "--views-url", "embedded:"], "--views-url"),
    ] {
        let output = run(data.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn a_log_that_does_not_answer_ends_with_5_and_is_named() {
    let data = TempDir::new().unwrap();
    // Nobody listens where one socket just did.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("kafka://{}/n", socket.local_addr().unwrap());
    drop(socket);
    for part in ["up", "ingest", "process", "query", "audit"] {
        let arguments = [part, "--log-url", &url, "--connect-timeout", "500ms"];
        let output = run(data.path(), &arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{part}: {message}");
        assert!(message.contains(&url), "{part}: {message}");
    }
}
