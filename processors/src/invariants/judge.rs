//! Judges what the view writer is about to write: each epoch against the one before, each row
//! against what it says of itself, some against the row that they replace.

use super::{Counts, Invariant};
use crate::epoch::EpochInfo;
use schemas::events::orders::Reason;
use sinks::view_store::rows::{LineRow, LineState, OrderRow, OrderState, Row, StockRow, View};
use sinks::view_store::{ViewError, ViewStore};

/// A row's predecessor costs a look-up; every order's would cost the view writer too much.
pub const SAMPLE: u8 = 16;

/// What the view writer knows of the epochs before.
#[derive(Debug, Default)]
pub struct Judge {
    /// So far.
    pub counts: Counts,
    before: Option<EpochInfo>,
}

impl Judge {
    /// Judges an epoch's rows before they are written.
    ///
    /// # Errors
    /// The store does not tell what a row replaces.
    pub fn epoch(
        &mut self,
        info: &EpochInfo,
        rows: &[Row],
        store: &dyn ViewStore,
    ) -> Result<(), ViewError> {
        if let Some(before) = self.before.replace(info.clone()) {
            let (before, after) = (before.context, info.context);
            let grows = after.epoch > before.epoch && after.now >= before.now;
            self.counts.judge(Invariant::I13, grows, || {
                format!(
                    "epoch {} at {} follows epoch {} at {}",
                    after.epoch, after.now.0, before.epoch, before.now.0
                )
            });
        }
        for row in rows {
            match row {
                Row::Stock(level) => self.level(level),
                Row::Orders(order) => self.order(info, order, store)?,
                Row::Products(_)
                | Row::Reservations(_)
                | Row::Warehouses(_)
                | Row::Carts(_)
                | Row::Timeline(_)
                | Row::CustomerOrders(_)
                | Row::Payments(_)
                | Row::Rejections(_) => {}
            }
        }
        Ok(())
    }

    fn level(&mut self, row: &StockRow) {
        let parts = [row.available, row.reserved, row.allocated, row.safety_stock];
        let adds_up = parts.iter().sum::<i64>() == row.on_hand;
        self.counts.judge(Invariant::I1, adds_up, || format!("{row:?}"));
        let positive = row.on_hand >= 0 && parts.iter().all(|part| *part >= 0);
        self.counts.judge(Invariant::I2, positive, || format!("{row:?}"));
    }

    fn order(
        &mut self,
        info: &EpochInfo,
        row: &OrderRow,
        store: &dyn ViewStore,
    ) -> Result<(), ViewError> {
        self.counts.judge(Invariant::I6, holds_what_it_says(row), || format!("{row:?}"));
        let now = info.context.now;
        if row.reason == Some(Reason::ReservationExpired) {
            let due = row.expires_at.is_some_and(|deadline| deadline <= now);
            self.counts.judge(Invariant::I5, due, || format!("now {}: {row:?}", now.0));
        }
        let key = row.order_id.to_bytes();
        if !key[key.len() - 1].is_multiple_of(SAMPLE) {
            return Ok(());
        }
        let stored = store.get(View::Orders, &key)?.map(|stored| stored.row);
        if let Some(Row::Orders(before)) = stored {
            let detail = || format!("{before:?} becomes {row:?}");
            self.counts.judge(Invariant::I8, may_follow(&before, row), detail);
            self.counts.judge(Invariant::I13, row.version > before.version, detail);
        }
        Ok(())
    }
}

fn holds_what_it_says(order: &OrderRow) -> bool {
    let all = |state| {
        let whole = |line: &LineRow| {
            let units = line.levels.iter().map(|level| u64::from(level.quantity)).sum::<u64>();
            line.state == state && units == u64::from(line.quantity)
        };
        order.lines.iter().all(whole)
    };
    match order.state {
        OrderState::Requested => true,
        OrderState::AwaitingPayment => all(LineState::Reserved),
        OrderState::Confirmed => all(LineState::Allocated),
        OrderState::Rejected | OrderState::Cancelled => {
            let holds = |line: &LineRow| match line.state {
                LineState::Reserved | LineState::Allocated => true,
                LineState::Requested | LineState::Refused | LineState::Released => {
                    !line.levels.is_empty()
                }
            };
            !order.lines.iter().any(holds)
        }
    }
}

/// Whether an order may go from one row to the next; an epoch may take several steps.
fn may_follow(before: &OrderRow, after: &OrderRow) -> bool {
    match (before.state, after.state) {
        (OrderState::Requested, _)
        | (
            OrderState::AwaitingPayment,
            OrderState::AwaitingPayment | OrderState::Confirmed | OrderState::Cancelled,
        )
        | (OrderState::Confirmed, OrderState::Confirmed | OrderState::Cancelled)
        | (OrderState::Rejected, OrderState::Rejected)
        | (OrderState::Cancelled, OrderState::Cancelled) => true,
        // Paid too late, and all lines could be had again.
        (OrderState::Cancelled, OrderState::Confirmed) => {
            before.reason == Some(Reason::ReservationExpired)
        }
        (
            OrderState::AwaitingPayment
            | OrderState::Confirmed
            | OrderState::Rejected
            | OrderState::Cancelled,
            _,
        ) => false,
    }
}
