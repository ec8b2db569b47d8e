//! The only broker is killed, for seconds and for long.

use super::{Brokers, PATIENCE, RETURN_MAX, Site, say, small_checkout, stands_without_the_log};
use crate::journeys::webhook;
use crate::shop::{Ask, Caller};
use serde_json::{Value, json};
use sinks::clock::Clock;

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_broker_killed_three_times_loses_nothing_and_decisions_return_with_it() {
    let brokers = Brokers::start(1);
    let mut site = Site::open(&brokers.url(), &["--single-broker"]);
    let load = site.selling(50, 40);
    for round in 1..=3 {
        site.decides();
        brokers.kill(0);
        if round == 1 {
            stands_without_the_log(&site.shop);
        }
        brokers.start_again(&[0]);
        let took = site.decides();
        say(format_args!(
            "round {round}: decided {} ms after the broker answered",
            took.as_millis()
        ));
        assert!(took < RETURN_MAX, "{took:?}");
    }
    let outcomes = load.end();
    say(format_args!("{outcomes}"));
    assert!(outcomes["confirmed"].as_u64() > Some(100), "{outcomes}");
    site.audited();
    site.reopen(&["--single-broker"]);
    site.audited();
}

/// Seconds of the long outage.
fn long() -> u32 {
    let long = std::env::var_os("WATERMART_TEST_LONG").is_some();
    if long { 300 } else { 60 }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_long_outage_is_survived_and_what_was_paid_before_it_is_not_expired_after_it() {
    let brokers = Brokers::start(1);
    let reserved = "20s";
    let arguments =
        ["--single-broker", "--payments-url", "manual:", "--reservation-timeout", reserved];
    let site = Site::open(&brokers.url(), &arguments);
    let load = site.selling(20, 3);
    assert!(load.end()["accepted"].as_u64() > Some(20));
    let asks = (0..60).map(|n| small_checkout(&format!("C{n}"), "k").and_wait()).collect();
    let orders: Vec<Value> =
        site.shop.ask_all(asks).into_iter().map(|answer| answer.unwrap().body).collect();
    let paid = pay_while(&site, &orders, || brokers.kill(0));
    let acknowledged = paid.iter().filter(|status| **status == 200).count();
    say(format_args!("{acknowledged} of 60 payments were taken before the broker died"));
    assert!((1..60).contains(&acknowledged));
    stands_without_the_log(&site.shop);
    let (memory, lines) = (site.memory(), site.lines_logged());
    // The load is the clock of the outage: it ends 10 s after its last checkout.
    let outcomes = site.load(20, long() - 10).end();
    assert_eq!(outcomes["accepted"], 0, "{outcomes}");
    let (memory, lines) = (site.memory() - memory, site.lines_logged() - lines);
    say(format_args!("the outage took {memory} KiB of memory and {lines} lines of log"));
    assert!(memory < 32 << 10, "{memory} KiB more");
    assert!(lines < 100, "{lines} lines");
    brokers.start_again(&[0]);
    let took = site.decides();
    say(format_args!("decided {} ms after the broker answered", took.as_millis()));
    assert!(took < RETURN_MAX, "{took:?}");
    for (order, status) in orders.iter().zip(paid) {
        let state = if status == 200 { "confirmed" } else { "cancelled" };
        ended(&site, order, state);
    }
    site.audited();
}

/// Pays all, as the provider would, and does `meanwhile` in the middle; gives each answer's status.
fn pay_while(site: &Site, orders: &[Value], meanwhile: impl FnOnce()) -> Vec<u16> {
    let pay = |order: &Value| {
        let event = json!({
            "id": format!("evt_{}", order["order_id"]), "type": "payment.authorized",
            "payment_id": order["payment"]["payment_id"], "order_id": order["order_id"],
            "amount": order["total"], "currency": "USD", "created_at": "2026-01-01T00:00:00.000Z",
            "decline_code": null,
        });
        let request = webhook(site.data.path(), &event);
        let answer = Caller::of(site.shop.url().to_owned()).raw(request.as_bytes());
        String::from_utf8(answer[9..12].to_vec()).unwrap().parse().unwrap()
    };
    let (before, after) = orders.split_at(orders.len() / 2);
    std::thread::scope(|scope| {
        let mut paid: Vec<u16> = before.iter().map(pay).collect();
        let others = scope.spawn(|| {
            let asked: Vec<_> = after.iter().map(|order| scope.spawn(|| pay(order))).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect::<Vec<u16>>()
        });
        meanwhile();
        paid.extend(others.join().unwrap());
        paid
    })
}

fn ended(site: &Site, order: &Value, state: &str) {
    let path = format!("/v1/orders/{}", order["order_id"].as_str().unwrap());
    let clock = Clock::system();
    loop {
        let order = site.shop.ask(Ask::get(&path)).body;
        if order["state"] == state {
            return;
        }
        assert!(order["state"] == "awaiting_payment", "{state} was expected: {order:#}");
        site.decides();
        assert!(clock.elapsed() < PATIENCE, "{order:#}");
    }
}
