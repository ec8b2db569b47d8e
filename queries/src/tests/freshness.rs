//! Waiting for the views, and saying so where waiting does not help.

use super::shop::{Shop, actions_of, begin, order, order_id, stock, write};
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::ReadError;
use sinks::view_store::rows::OrderState;
use std::sync::{Arc, mpsc};

fn partition(topic: Topic, partition: u16) -> TopicPartition {
    TopicPartition { topic, partition }
}

/// A customer's partition that is not that of `who`.
fn another(who: &str) -> TopicPartition {
    let own = actions_of(who).partition;
    partition(Topic::CustomerActions, (own + 1) % 16)
}

#[tokio::test]
async fn a_read_after_an_action_waits_for_the_epoch_that_holds_it() {
    let own = actions_of("C1");
    let at = format!("r{}.{}.5", Topic::CustomerActions as u8, own.partition);
    for query in [format!("after={at}"), "after=e2".to_owned()] {
        let shop = Shop::open();
        shop.epoch(1, &[(own, 5)], order("C1", 1, OrderState::Requested));
        let path = format!("/v1/orders/{}?consistency=eventual&{query}&wait=30", order_id("C1", 1));
        let reading = begin(shop.reading(&path)).await;
        let views = Arc::clone(&shop.views);
        let writer = std::thread::spawn(move || {
            write(&*views, 2, &[(own, 6)], order("C1", 1, OrderState::Confirmed));
        });
        let reply = reading.await;
        writer.join().unwrap();
        assert_eq!(reply.status, 200, "{query}");
        assert_eq!(reply.json()["state"], "confirmed", "{query}");
        assert_eq!(reply.header("watermart-epoch"), "2", "{query}");
        assert_eq!(reply.header("watermart-position"), "e2", "{query}");
    }
}

#[tokio::test]
async fn a_customers_reads_see_all_that_was_acknowledged_to_them_whatever_is_held_back() {
    let paths = [
        format!("/v1/orders/{}", order_id("C1", 1)),
        "/v1/customers/C1/orders".to_owned(),
        "/v1/customers/C1/cart".to_owned(),
    ];
    for path in paths {
        let shop = Shop::open();
        let own = actions_of("C1");
        let products = partition(Topic::ProductActions, 3);
        shop.epoch(1, &[(own, 7)], order("C1", 1, OrderState::Requested));
        shop.ends(&[(own, 7), (another("C1"), 9), (products, 1)]);
        assert_eq!(shop.get(&path).await.header("watermart-epoch"), "1", "{path}");

        shop.ends(&[(own, 8)]);
        let behind = shop.get(&format!("{path}?wait=0")).await;
        assert_eq!(behind.problem(), (503, "view_behind".to_owned(), vec![]), "{path}");
        let reading = begin(shop.reading(&format!("{path}?wait=30"))).await;
        shop.epoch(2, &[(own, 8)], vec![]);
        assert_eq!(reading.await.header("watermart-epoch"), "2", "{path}");
    }
}

#[tokio::test]
async fn a_strong_read_of_stock_waits_for_every_customer_and_an_eventual_one_for_nobody() {
    let shop = Shop::open();
    let buyer = actions_of("C1");
    shop.epoch(1, &[], vec![stock("P1", "A", [10, 5, 0, 0, 5], 1)]);
    shop.ends(&[(buyer, 1)]);
    assert_eq!(shop.get("/v1/products/P1/stock").await.json()["available"], 5);

    let path = "/v1/products/P1/stock?consistency=strong&wait=30";
    let reading = begin(shop.reading(path)).await;
    shop.epoch(2, &[(buyer, 1)], vec![stock("P1", "A", [10, 3, 2, 0, 5], 1)]);
    assert_eq!(reading.await.json()["available"], 3);
}

#[tokio::test]
async fn a_read_that_cannot_in_time_says_so() {
    let shop = Shop::open();
    shop.epoch(3, &[], order("C1", 1, OrderState::Requested));
    let path = format!("/v1/orders/{}?consistency=eventual", order_id("C1", 1));
    let at_end = format!("{path}&after=e3&wait=0");
    assert_eq!(shop.get(&at_end).await.status, 200);
    let reply = shop.get(&format!("{path}&after=e4&wait=0")).await;
    assert_eq!(reply.problem(), (503, "view_behind".to_owned(), vec![]));
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.json()["detail"], "the views stand at epoch 3 and did not get there in 0 s");
}

#[tokio::test]
async fn without_the_log_strong_reads_fail_and_eventual_ones_do_not() {
    let shop = Shop::open();
    shop.epoch(1, &[], order("C1", 1, OrderState::Requested));
    *shop.log.broken.lock().unwrap() = Some(ReadError::Unavailable("disk pulled".to_owned()));
    let path = format!("/v1/orders/{}", order_id("C1", 1));
    let reply = shop.get(&format!("{path}?wait=1")).await;
    assert_eq!(reply.problem(), (503, "view_behind".to_owned(), vec![]));
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(shop.get(&format!("{path}?consistency=eventual")).await.status, 200);
}

#[tokio::test]
async fn a_strong_read_is_answered_when_the_log_comes_back_within_its_time() {
    let shop = Shop::open();
    shop.epoch(1, &[], order("C1", 1, OrderState::Requested));
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    *shop.log.gate.lock().unwrap() = Some((asked, may_go));
    let log = Arc::clone(&shop.log);
    let comes_back = std::thread::spawn(move || {
        for broken in [Some(ReadError::Unavailable("away".to_owned())), None] {
            is_asked.recv().unwrap();
            *log.broken.lock().unwrap() = broken;
            go.send(()).unwrap();
        }
    });
    let reply = shop.get(&format!("/v1/orders/{}?wait=30", order_id("C1", 1))).await;
    assert_eq!(reply.status, 200);
    comes_back.join().unwrap();
}

#[tokio::test]
async fn reads_that_wait_together_ask_the_log_once() {
    let shop = Shop::open();
    shop.epoch(1, &[], order("C1", 1, OrderState::Requested));
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    *shop.log.gate.lock().unwrap() = Some((asked, may_go));
    let path = format!("/v1/orders/{}?wait=30", order_id("C1", 1));

    let first = begin(shop.reading(&path)).await;
    is_asked.recv().unwrap();
    let mut others = Vec::new();
    for _ in 0..200 {
        others.push(begin(shop.reading(&path)).await);
    }
    // Those who came while the first request was under way may not use its answer.
    shop.ends(&[(actions_of("C1"), 1)]);
    go.send(()).unwrap();
    assert_eq!(first.await.header("watermart-epoch"), "1");
    is_asked.recv().unwrap();
    go.send(()).unwrap();
    shop.epoch(2, &[(actions_of("C1"), 1)], vec![]);
    for other in others {
        assert_eq!(other.await.header("watermart-epoch"), "2");
    }
    assert_eq!(*shop.log.asked.lock().unwrap(), 2);
}
