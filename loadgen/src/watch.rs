//! Watching one order until it is decided, as its shopper would: long polls from the position its
//! checkout was acknowledged at. Only some orders are watched, so that watching is no load.

use crate::clock::Clock;
use crate::ledger::OrderState;
use crate::shop::Shop;
use schemas::id::OrderId;
use serde::Deserialize;
use std::time::Duration;

/// One checkout in each so much intended time is watched: at most 50 a second.
pub(crate) const WATCHED_EVERY: Duration = Duration::from_millis(20);
/// Or one in so many, at full speed.
pub(crate) const WATCHED_EACH: usize = 200;
/// Given up then: the order's fate still counts, its latency is cut here.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);
/// Between polls of an order that can be read and is not decided.
const PAUSE: Duration = Duration::from_millis(5);

/// Latencies from the intended send time. An order that was given up on counts with the time
/// until then, so that a stuck shop does not look fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) readable: Duration,
    pub(crate) decision: Duration,
}

/// What we need of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct OrderBody {
    pub(crate) state: OrderState,
    pub(crate) updated_at: String,
}

/// Polls until the order has left `requested`.
pub(crate) async fn until_decided(
    shop: Shop,
    clock: Clock,
    intended: Duration,
    order_id: OrderId,
    position: String,
) -> Watched {
    let path = format!("/v1/orders/{order_id}?consistency=eventual&after={position}&wait=2");
    let mut readable = None;
    loop {
        let answer = shop.get(&path).await;
        let latency = clock.elapsed().saturating_sub(intended);
        if let Some(order) = answer.ok().filter(|answer| answer.status == 200) {
            let readable = *readable.get_or_insert(latency);
            let order: Option<OrderBody> = serde_json::from_slice(&order.body).ok();
            if order.is_some_and(|order| order.state != OrderState::Requested) {
                return Watched { readable, decision: latency };
            }
        }
        if latency > GIVEN_UP_AFTER {
            return Watched { readable: readable.unwrap_or(latency), decision: latency };
        }
        tokio::time::sleep(PAUSE).await;
    }
}
