//! What became of the orders: each is read once the awaited time is over. When an order reached
//! its state is in the order, so reading late changes no count.

use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerEntry, OrderState};
use crate::progress::Progress;
use crate::shop::Shop;
use crate::watch::OrderBody;
use schemas::id::OrderId;
use schemas::time::Timestamp;
use tokio::task::JoinSet;

/// Reads in flight: enough to keep the shop busy, few enough to be served in turn.
const READS_MAX: usize = 32;
/// Strong reads of an order before it counts as not readable.
const TRIES_MAX: u32 = 3;

/// Orders by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct States {
    /// Confirmed by the deadline.
    pub(crate) confirmed: u64,
    pub(crate) rejected: u64,
    pub(crate) cancelled: u64,
    /// Acknowledged, and cannot be read.
    pub(crate) unread: u64,
}

/// Reads all `orders`. One is confirmed if it was by `deadline`, by the shop's clock.
pub(crate) async fn read_all(
    shop: &Shop,
    clock: Clock,
    orders: &[OrderId],
    deadline: Timestamp,
    ledger: &Ledger,
) -> States {
    let deadline = deadline.rfc3339();
    let mut progress = Progress::start(clock, "orders read", orders.len());
    let (mut states, mut reading, mut left) = (States::default(), JoinSet::new(), orders.iter());
    let mut done = 0;
    loop {
        while reading.len() < READS_MAX
            && let Some(&order_id) = left.next()
        {
            let shop = shop.clone();
            reading.spawn(async move { (order_id, read(&shop, order_id).await) });
        }
        let Some(read) = reading.join_next().await else { return states };
        let (order_id, order) = read.expect("reading does not panic");
        done += 1;
        progress.at(done);
        let Some(OrderBody { state, updated_at }) = order else {
            states.unread += 1;
            continue;
        };
        states.count(state, updated_at <= deadline);
        ledger.note(|| LedgerEntry::OrderSeen { order_id, state, updated_at });
    }
}

impl States {
    const fn count(&mut self, state: OrderState, in_time: bool) {
        match state {
            OrderState::Confirmed
            | OrderState::PartiallyShipped
            | OrderState::Shipped
            | OrderState::Delivered
            | OrderState::Returned => self.confirmed += in_time as u64,
            OrderState::Rejected => self.rejected += 1,
            OrderState::Cancelled => self.cancelled += 1,
            OrderState::Requested | OrderState::AwaitingPayment => {}
        }
    }
}

/// An old answer that is final is as good as a new one; only the others are asked for again, with
/// all that was acknowledged in sight.
async fn read(shop: &Shop, order_id: OrderId) -> Option<OrderBody> {
    let old = read_once(shop, order_id, "eventual").await;
    if old.as_ref().is_some_and(|order| is_final(order.state)) {
        return old;
    }
    for _ in 0..TRIES_MAX {
        if let Some(order) = read_once(shop, order_id, "strong").await {
            return Some(order);
        }
    }
    None
}

const fn is_final(state: OrderState) -> bool {
    match state {
        OrderState::Requested | OrderState::AwaitingPayment => false,
        OrderState::Confirmed
        | OrderState::PartiallyShipped
        | OrderState::Shipped
        | OrderState::Delivered
        | OrderState::Returned
        | OrderState::Rejected
        | OrderState::Cancelled => true,
    }
}

async fn read_once(shop: &Shop, order_id: OrderId, consistency: &str) -> Option<OrderBody> {
    let path = format!("/v1/orders/{order_id}?consistency={consistency}&wait=10");
    let answer = shop.get(&path).await.ok().filter(|answer| answer.status == 200)?;
    serde_json::from_slice(&answer.body).ok()
}
