//! Who reads a command's output may stop reading, as `head` does: that is no failure of the command.

use crate::shop::{Ask, Shop, basket, command};
use std::io::pipe;

#[test]
fn a_closed_pipe_is_no_failure_of_any_command() {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 10)]);
    let checkout = Ask::post("/v1/checkouts", "k1", basket("C1", "tok_silent", &[("P1", 1)]));
    let order = shop.ask(checkout.and_wait());
    let order = order.body["order_id"].as_str().expect("an order");
    let stock = ["load", "stock", "--products", "3", "--url", shop.url()];
    let beside = [&stock[..], &["doctor"], &["topics", "list"], &["audit", "--url", shop.url()]];
    let closed = |arguments: &[&str]| {
        let (nobody_reads, stdout) = pipe().unwrap();
        drop(nobody_reads);
        let output = command(data.path()).args(arguments).stdout(stdout).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {words}");
        assert!(!words.contains("panicked"), "{arguments:?}: {words}");
    };
    beside.into_iter().for_each(closed);
    assert_eq!(shop.stop(), Some(0));
    let stopped = [
        &["audit"][..],
        &["audit", "--json"],
        &["explain", order],
        &["explain", order, "--json"],
        &["completion", "bash"],
    ];
    stopped.into_iter().for_each(closed);
}
