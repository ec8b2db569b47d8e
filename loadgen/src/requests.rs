//! The requests of a schedule, with their bodies written before the run: sending is then a slice
//! of one piece of memory, and the generator leaves the CPU to the shop.

use crate::schedule::{Checkout, Schedule, currency};
use bytes::Bytes;
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, PaymentMethod, RegionId};
use schemas::money::Currency;
use serde::Serialize;
use std::ops::Range;
use std::time::Duration;

/// A request and the checkouts it carries.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// When it goes: when the last of its checkouts is due.
    pub(crate) due: Duration,
    pub(crate) body: Bytes,
    /// Which, by their places in the schedule.
    pub(crate) checkouts: Range<usize>,
}

#[derive(Serialize)]
struct CheckoutBody<'a> {
    customer_id: CustomerId,
    items: &'a [OrderLine],
    currency: Currency,
    ship_to: ShipTo,
    payment_method: PaymentMethod,
}

#[derive(Serialize)]
struct ShipTo {
    region: RegionId,
}

/// The idempotency key with this number in the run of this name.
pub(crate) fn idempotency_key(run: &str, number: usize) -> String {
    format!("{run}-{number}")
}

/// `batch` checkouts a request to `/v1/batch`, or single bodies for `/v1/checkouts` if it is 1.
pub(crate) fn prepare(schedule: &Schedule, batch: usize, run: &str) -> Vec<Request> {
    let mut text = Vec::new();
    let mut ends = Vec::with_capacity(schedule.checkouts.len().div_ceil(batch));
    for checkouts in schedule.checkouts.chunks(batch) {
        if batch == 1 {
            checkouts.iter().for_each(|checkout| write(&mut text, &body(schedule, checkout)));
        } else {
            text.extend_from_slice(br#"{"actions":["#);
            for (n, checkout) in checkouts.iter().enumerate() {
                let comma = if n == 0 { "" } else { "," };
                let key = idempotency_key(run, checkout.key);
                let head = format!(
                    r#"{comma}{{"method":"POST","path":"/v1/checkouts","idempotency_key":"{key}","body":"#
                );
                text.extend_from_slice(head.as_bytes());
                write(&mut text, &body(schedule, checkout));
                text.push(b'}');
            }
            text.extend_from_slice(b"]}");
        }
        ends.push(text.len());
    }
    let (text, mut start) = (Bytes::from(text), 0);
    let bodies = ends.into_iter().map(|end| {
        let body = text.slice(start..end);
        start = end;
        body
    });
    let carried = schedule.checkouts.chunks(batch).enumerate();
    let carried = carried.map(|(n, chunk)| (chunk, n * batch..n * batch + chunk.len()));
    bodies
        .zip(carried)
        .map(|(body, (chunk, checkouts))| {
            let due = chunk.last().map_or(Duration::ZERO, |checkout| checkout.at);
            Request { due, body, checkouts }
        })
        .collect()
}

fn body<'a>(schedule: &'a Schedule, checkout: &Checkout) -> CheckoutBody<'a> {
    CheckoutBody {
        customer_id: checkout.customer_id,
        items: schedule.lines_of(checkout),
        currency: currency(),
        ship_to: ShipTo { region: checkout.region },
        payment_method: checkout.payment_method,
    }
}

fn write(text: &mut Vec<u8>, body: &CheckoutBody<'_>) {
    serde_json::to_writer(text, body).expect("ids and numbers are JSON, and memory takes them");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{payment_method, price, product, region};

    fn two_of_one_key() -> Schedule {
        let lines = vec![OrderLine { product_id: product(1), quantity: 2, price: 500 }];
        let checkout = |ms| Checkout {
            at: Duration::from_millis(ms),
            customer_id: CustomerId::parse("c1").unwrap(),
            region: region("eu"),
            payment_method: payment_method("tok_ok"),
            lines: 0..1,
            key: 0,
        };
        Schedule { checkouts: vec![checkout(1), checkout(9)], lines }
    }

    const BODY: &str = concat!(
        r#"{"customer_id":"c1","items":[{"product_id":"p1","quantity":2,"price":500}],"#,
        r#""currency":"USD","ship_to":{"region":"eu"},"payment_method":"tok_ok"}"#
    );

    #[test]
    fn are_single_posts_at_batch_1() {
        let requests = prepare(&two_of_one_key(), 1, "r");
        let got: Vec<_> = requests.iter().map(|r| (r.due.as_millis(), &*r.body)).collect();
        assert_eq!(got, [(1, BODY.as_bytes()), (9, BODY.as_bytes())]);
    }

    #[test]
    fn go_when_the_last_of_a_batch_is_due() {
        let requests = prepare(&two_of_one_key(), 100, "r");
        let action = format!(
            r#"{{"method":"POST","path":"/v1/checkouts","idempotency_key":"r-0","body":{BODY}}}"#
        );
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].due.as_millis(), 9);
        assert_eq!(requests[0].checkouts, 0..2);
        assert_eq!(&*requests[0].body, format!(r#"{{"actions":[{action},{action}]}}"#).as_bytes());
    }

    #[test]
    fn prices_stay_in_their_range_and_differ() {
        let prices: Vec<i64> = (0..1000).map(price).collect();
        assert!(prices.iter().all(|price| (100..50_100).contains(price)));
        assert!(prices.windows(2).any(|two| two[0] != two[1]));
    }
}
