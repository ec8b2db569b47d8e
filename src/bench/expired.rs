//! What a log says of reservations that were due: when each was to lapse, and when that was written.

use crate::exit::Failure;
use crate::parts;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::orders::Reason;
use schemas::id::{OrderId, ProductId};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{EventLog as _, Record};
use std::collections::{HashMap, HashSet};
use std::path::Path;

const READ_BYTES: usize = 8 << 20;

/// The story of the reservations that fell due until some moment.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// Until when, of each order.
    due: HashMap<OrderId, Timestamp>,
    /// Of each contested product: when the only unit of it is free again.
    freed: HashMap<ProductId, Timestamp>,
    ended: HashSet<OrderId>,
    /// Lapses written, or dated, before their deadlines.
    pub(super) early: u64,
    /// Refusals of contested units that were free again by then.
    pub(super) refused_in_vain: u64,
    /// From its deadline until the last lapse stood on the log.
    pub(super) written_ms: i64,
    /// When the first and the last lapse were written.
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    /// The epoch of the last.
    pub(super) epoch: u64,
}

impl Expired {
    /// Reads the log of a stopped shop. `ours` says of a customer whether its orders count, and
    /// `contested` of a product whether its only unit was taken by one of them.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn on_log(
        data: &Path,
        ours: impl Fn(&str) -> bool,
        contested: impl Fn(&str) -> bool,
    ) -> Result<Self, Failure> {
        let log = parts::read_log(data)?;
        let codec = Codec::compiled();
        let from: Vec<_> = [Topic::Orders, Topic::Inventory]
            .into_iter()
            .flat_map(TopicPartition::all)
            .map(|at| (at, 0))
            .collect();
        let unreadable = |error: &dyn std::fmt::Display| Failure::Damaged(error.to_string());
        let mut reader = log.reader(&from).map_err(|error| unreadable(&error))?;
        let (mut expired, mut records) = (Self::default(), Vec::new());
        loop {
            reader.read(READ_BYTES, &mut records).map_err(|error| unreadable(&error))?;
            if records.is_empty() {
                return Ok(expired);
            }
            for record in records.drain(..) {
                let (envelope, event) =
                    codec.decode(&record.value).map_err(|error| unreadable(&error))?;
                expired.hear(&record, envelope.occurred_at, &event, &ours, &contested);
            }
        }
    }

    /// Of one reservation with this deadline, whose lapse was written then.
    #[cfg(test)]
    pub(super) fn of_one(due: Timestamp, written: Timestamp) -> Self {
        let due = HashMap::from([(OrderId::new(0, [1; 16]), due)]);
        Self { due, to: Some(written), ..Self::default() }
    }

    /// Orders that were due, and of these, those whose end is not on the log.
    #[must_use]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.due.len(), self.due.len() - self.ended.len())
    }

    /// From the first to the last deadline.
    #[must_use]
    pub(super) fn deadlines(&self) -> Option<(Timestamp, Timestamp)> {
        Some((*self.due.values().min()?, *self.due.values().max()?))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "of all events a few tell of a lapse")]
    fn hear(
        &mut self,
        record: &Record,
        at: Timestamp,
        event: &Event,
        ours: &impl Fn(&str) -> bool,
        contested: &impl Fn(&str) -> bool,
    ) {
        match event {
            Event::OrderRequested(order) if order.customer_id.0.with_text(ours) => {
                self.due.insert(order.order_id, order.expires_at);
                for line in &order.lines {
                    if line.product_id.0.with_text(contested) {
                        self.freed.insert(line.product_id, order.expires_at);
                    }
                }
            }
            Event::ReservationExpired(lapse) => self.lapsed(lapse.order_id, at, record),
            Event::OrderCancelled(order) if order.reason == Reason::ReservationExpired => {
                self.lapsed(order.order_id, at, record);
                if self.due.contains_key(&order.order_id) {
                    self.ended.insert(order.order_id);
                }
            }
            Event::StockRefused(refused) => {
                let freed = self.freed.get(&refused.product_id);
                self.refused_in_vain += u64::from(freed.is_some_and(|freed| at >= *freed));
            }
            _ => {}
        }
    }

    fn lapsed(&mut self, order: OrderId, at: Timestamp, record: &Record) {
        let Some(due) = self.due.get(&order) else { return };
        let written = record.appended_at;
        self.early += u64::from(at < *due || written < *due);
        self.written_ms = self.written_ms.max(written.0 - due.0);
        self.from = self.from.into_iter().chain([written]).min();
        self.to = self.to.into_iter().chain([written]).max();
        self.epoch = self.epoch.max(record.output_id.map_or(0, |id| id.epoch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schemas::events::inventory::{ReservationExpired, StockRefused};
    use schemas::events::lines::OrderLine;
    use schemas::events::orders::{OrderCancelled, OrderRequested};
    use schemas::id::{CustomerId, PaymentMethod, RegionId};
    use schemas::money::Currency;
    use sinks::event_log::OutputId;

    fn order(n: u8) -> OrderId {
        OrderId::new(0, [n; 16])
    }

    fn customer(name: &str) -> CustomerId {
        CustomerId::parse(name).unwrap()
    }

    fn product() -> ProductId {
        ProductId::parse("contested1").unwrap()
    }

    fn requested(n: u8, name: &str, due: i64) -> Event {
        let line = OrderLine { product_id: product(), quantity: 1, price: 5 };
        let event = OrderRequested {
            order_id: order(n),
            customer_id: customer(name),
            lines: vec![line],
            currency: Currency::parse("USD").unwrap(),
            region: RegionId::parse("eu").unwrap(),
            payment_method: PaymentMethod::parse("tok_ok").unwrap(),
            expires_at: Timestamp(due),
        };
        event.into()
    }

    fn lapsed(n: u8) -> Event {
        ReservationExpired { product_id: product(), order_id: order(n), quantity: 1 }.into()
    }

    fn cancelled(n: u8) -> Event {
        let reason = Reason::ReservationExpired;
        OrderCancelled { order_id: order(n), customer_id: customer("r1"), reason }.into()
    }

    fn refused() -> Event {
        StockRefused {
            product_id: product(),
            order_id: order(9),
            reason: Reason::OutOfStock,
            asked: 1,
            available: 0,
        }
        .into()
    }

    /// What is found in these events, each with its epoch, its date and when it was written.
    fn heard(events: &[(u64, i64, i64, Event)]) -> Expired {
        let mut expired = Expired::default();
        for (epoch, at, written, event) in events {
            let record = Record {
                partition: TopicPartition { topic: Topic::Orders, partition: 0 },
                offset: 0,
                appended_at: Timestamp(*written),
                key: Bytes::new(),
                value: Bytes::new(),
                output_id: Some(OutputId { epoch: *epoch, n: 0 }),
            };
            let ours = |name: &str| name.starts_with('r');
            let contested = |name: &str| name.starts_with("contested");
            expired.hear(&record, Timestamp(*at), event, &ours, &contested);
        }
        expired
    }

    #[test]
    fn each_lapse_is_held_against_its_own_deadline() {
        let expired = heard(&[
            (1, 0, 0, requested(1, "r1", 100)),
            (1, 0, 0, requested(2, "r2", 200)),
            (1, 0, 0, requested(3, "other", 50)),
            (2, 60, 60, cancelled(3)),
            (3, 100, 130, lapsed(1)),
            (4, 100, 140, cancelled(1)),
        ]);
        assert_eq!(expired.counts(), (2, 1));
        assert_eq!((expired.early, expired.written_ms, expired.epoch), (0, 40, 4));
        assert_eq!((expired.from, expired.to), (Some(Timestamp(130)), Some(Timestamp(140))));
        assert_eq!(expired.deadlines(), Some((Timestamp(100), Timestamp(200))));
    }

    #[test]
    fn a_lapse_that_is_dated_or_written_before_its_deadline_is_early() {
        for (at, written, early) in [(100, 100, 0), (99, 130, 1), (100, 99, 1)] {
            let expired = heard(&[(1, 0, 0, requested(1, "r1", 100)), (2, at, written, lapsed(1))]);
            assert_eq!(expired.early, early, "dated {at}, written {written}");
        }
    }

    #[test]
    fn a_unit_is_refused_in_vain_from_its_deadline_on() {
        for (at, in_vain) in [(99, 0), (100, 1)] {
            let expired = heard(&[(1, 0, 0, requested(1, "r1", 100)), (2, at, at, refused())]);
            assert_eq!(expired.refused_in_vain, in_vain, "at {at}");
        }
    }
}
