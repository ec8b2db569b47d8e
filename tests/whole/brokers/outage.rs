//! The only broker is killed, for seconds and for long.

use super::{
    Brokers, PATIENCE, RETURN_MAX, Site, say, small_checkout, stands_without_the_log, told_either,
};
use crate::journeys::webhook;
use crate::shop::{Ask, Caller};
use serde_json::{Value, json};
use sinks::clock::Clock;

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_broker_killed_three_times_loses_nothing_and_decisions_return_with_it() {
    let brokers = Brokers::start(1);
    let mut site = Site::open(&brokers.url(), &["--single-broker"]);
    let load = site.selling(50);
    for round in 1..=3 {
        site.decides();
        brokers.kill(0);
        let first = (round == 1).then(|| stands_without_the_log(&site.shop));
        brokers.start_again(&[0]);
        let took = site.decides();
        let sold = site.sells();
        say(format_args!(
            "round {round}: decided {} ms after the broker answered, and an order in further {} ms",
            took.as_millis(),
            sold.as_millis()
        ));
        assert!(took < RETURN_MAX && sold < RETURN_MAX, "{took:?} {sold:?}");
        first.into_iter().for_each(told_either);
        site.takes(50);
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
    if long { 300 } else { 30 }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_long_outage_is_survived_and_what_was_paid_before_it_is_not_expired_after_it() {
    let brokers = Brokers::start(1);
    let reserved = "20s";
    let arguments =
        ["--single-broker", "--payments-url", "manual:", "--reservation-timeout", reserved];
    let site = Site::open(&brokers.url(), &arguments);
    let load = site.selling(20);
    site.takes(20);
    assert!(load.end()["accepted"].as_u64() > Some(20));
    let asks = (0..60).map(|n| small_checkout(&format!("C{n}"), "k").and_wait()).collect();
    let orders: Vec<Value> =
        site.shop.ask_all(asks).into_iter().map(|answer| answer.unwrap().body).collect();
    let paid = pay_while(&site, &orders, || brokers.kill(0));
    let acknowledged = paid.iter().filter(|told| **told == Told::Taken).count();
    say(format_args!("{acknowledged} of 60 payments were taken before the broker died"));
    assert!((20..=40).contains(&acknowledged));
    let first = stands_without_the_log(&site.shop);
    let (memory, lines) = (site.memory(), site.lines_logged());
    // The load is the clock of the outage: it ends 10 s after its last checkout.
    let outcomes = site.load(20, long() - 10).finish();
    assert_eq!(outcomes["accepted"], 0, "{outcomes}");
    let (memory, lines) = (site.memory() - memory, site.lines_logged() - lines);
    say(format_args!("the outage took {memory} KiB of memory and {lines} lines of log"));
    assert!(memory < 32 << 10, "{memory} KiB more");
    assert!(lines < 100, "{lines} lines");
    brokers.start_again(&[0]);
    let took = site.decides();
    say(format_args!("decided {} ms after the broker answered", took.as_millis()));
    assert!(took < RETURN_MAX, "{took:?}");
    told_either(first);
    for (order, told) in orders.iter().zip(paid) {
        let states: &[_] = match told {
            Told::Taken => &["confirmed"],
            Told::NotTaken => &["cancelled"],
            Told::Unknown => &["confirmed", "cancelled"],
        };
        ended(&site, order, states);
    }
    site.audited();
}

/// What the provider is told of a webhook.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Taken,
    NotTaken,
    Unknown,
}

impl Told {
    fn by(answer: &str) -> Self {
        match &answer[9..12] {
            "200" => Self::Taken,
            "503" if answer.contains("the action was not taken") => Self::NotTaken,
            "503" if answer.contains("it is not known whether") => Self::Unknown,
            _ => panic!("{answer}"),
        }
    }
}

/// Pays a third of them, as the provider would, a third while it does `meanwhile`, and a third after
/// that; gives what was told of each.
fn pay_while(site: &Site, orders: &[Value], meanwhile: impl FnOnce()) -> Vec<Told> {
    let pay = |order: &Value| {
        let event = json!({
            "id": format!("evt_{}", order["order_id"]), "type": "payment.authorized",
            "payment_id": order["payment"]["payment_id"], "order_id": order["order_id"],
            "amount": order["total"], "currency": "USD", "created_at": "2026-01-01T00:00:00.000Z",
            "decline_code": null,
        });
        let request = webhook(site.data.path(), &event);
        let answer = Caller::of(site.shop.url().to_owned()).raw(request.as_bytes());
        Told::by(&String::from_utf8(answer).unwrap())
    };
    let (before, others) = orders.split_at(orders.len() / 3);
    let (during, after) = others.split_at(others.len() / 2);
    std::thread::scope(|scope| {
        let mut paid: Vec<Told> = before.iter().map(pay).collect();
        let mut asked: Vec<_> = during.iter().map(|order| scope.spawn(|| pay(order))).collect();
        meanwhile();
        asked.extend(after.iter().map(|order| scope.spawn(|| pay(order))));
        paid.extend(asked.into_iter().map(|asked| asked.join().unwrap()));
        paid
    })
}

/// Waits until the order is in one of these states, whichever it comes to.
fn ended(site: &Site, order: &Value, states: &[&str]) {
    let path = format!("/v1/orders/{}", order["order_id"].as_str().unwrap());
    let clock = Clock::system();
    loop {
        let order = site.shop.ask(Ask::get(&path)).body;
        if states.iter().any(|state| order["state"] == *state) {
            return;
        }
        assert!(order["state"] == "awaiting_payment", "{states:?} was expected: {order:#}");
        site.decides();
        assert!(clock.elapsed() < PATIENCE, "{order:#}");
    }
}
