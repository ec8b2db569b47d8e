//! The audit: a second opinion on what the engine decided, with code of its own.
//!
//! It reads the log from its beginning, folds the output topics into plain maps, judges each
//! output against what stands before it, and compares the result with every row of the views it
//! knows. It does not decide again, and it may not use the engine's code. One key's events stand
//! on one partition in the order in which they were decided, so a fold needs no more order than
//! that of each partition; what concerns several keys is judged at the end.

mod inventory;
mod orders;
mod report;
#[cfg(test)]
mod tests;
mod views;

use inventory::Inventory;
use orders::Orders;
use report::Judge;
pub use report::{Breach, Invariant, Report, ViewReport};
use schemas::codec::{Codec, DecodeError};
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::event_log::{EventLog, OutputId, ReadError, Record};
use sinks::view_store::{ViewError, ViewStore};
use std::collections::{HashMap, HashSet};

const READ_BYTES: usize = 4 << 20;

/// Why the audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The views cannot be read.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// An output is not an event.
    #[error("cannot read {partition} offset {offset}: {source}")]
    Output {
        /// Its partition.
        partition: TopicPartition,
        /// Its offset.
        offset: u64,
        /// Why.
        source: DecodeError,
    },
}

/// What one output record says, and where it stands.
pub(crate) struct Output<'a> {
    /// The event.
    pub(crate) event: &'a Event,
    /// `now` of the decision.
    pub(crate) now: Timestamp,
    /// For reports: `watermart.orders/3@17`.
    pub(crate) position: String,
}

/// Judges what stands on the log, and the views if they are given.
///
/// # Errors
/// See [`AuditError`].
pub fn audit(log: &dyn EventLog, views: Option<&dyn ViewStore>) -> Result<Report, AuditError> {
    let mut audit = Audit {
        codec: Codec::compiled(),
        judge: Judge::default(),
        inventory: Inventory::default(),
        orders: Orders::default(),
        actions: HashSet::new(),
        newest: HashMap::new(),
        epoch: 0,
        records: 0,
        last_epoch: views.map(|views| views.marks().borrow().epoch),
    };
    // Actions first: an effect must have its cause among them, wherever it stands.
    audit.read(log, &Topic::INPUTS)?;
    audit.read(log, &Topic::OUTPUTS)?;
    let Audit { mut judge, inventory, orders, .. } = audit;
    inventory.judge_end(&mut judge);
    orders.judge_end(&inventory, &mut judge);
    let compared = views.map_or_else(
        || Ok(Vec::new()),
        |views| views::compare(views, &inventory, &orders, &mut judge),
    )?;
    let totals = report::Totals::of(&inventory, &orders);
    Ok(judge.report(audit.epoch, audit.records, compared, totals))
}

struct Audit {
    codec: Codec,
    judge: Judge,
    inventory: Inventory,
    orders: Orders,
    actions: HashSet<EventId>,
    newest: HashMap<TopicPartition, (OutputId, Timestamp)>,
    epoch: u64,
    records: u64,
    /// Where the views stand: the fold is taken there too.
    last_epoch: Option<u64>,
}

impl Audit {
    fn read(&mut self, log: &dyn EventLog, topics: &[Topic]) -> Result<(), AuditError> {
        let from: Vec<_> =
            topics.iter().flat_map(|t| TopicPartition::all(*t)).map(|at| (at, 0)).collect();
        let mut reader = log.reader(&from)?;
        let mut records = Vec::new();
        loop {
            reader.read(READ_BYTES, &mut records)?;
            if records.is_empty() {
                return Ok(());
            }
            for record in records.drain(..) {
                self.records += 1;
                if record.partition.topic.is_input() {
                    self.action(&record);
                } else {
                    self.output(&record)?;
                }
            }
        }
    }

    /// An action that cannot be decoded is the engine's dead letter, and nobody's cause.
    fn action(&mut self, record: &Record) {
        let Ok((envelope, event)) = self.codec.decode(&record.value) else { return };
        self.actions.insert(envelope.event_id);
        if let Event::CheckoutRequested(checkout) = &event {
            self.orders.asked(checkout.order_id);
        }
        if let Event::WarehousePutRequested(put) = event {
            self.inventory.warehouse(put);
        }
    }

    fn output(&mut self, record: &Record) -> Result<(), AuditError> {
        let Some(id) = record.output_id else { return Ok(()) };
        let at = record.partition;
        let newest = self.newest.get(&at).copied();
        // What readers skip is no breach: it is the contract of output ids.
        if newest.is_some_and(|(newest, _)| id <= newest) {
            return Ok(());
        }
        if self.last_epoch.is_some_and(|last| id.epoch > last) {
            return Ok(());
        }
        let decoded = self.codec.decode(&record.value);
        let (envelope, event) = decoded.map_err(|source| AuditError::Output {
            partition: at,
            offset: record.offset,
            source,
        })?;
        let position = format!("{at}@{}", record.offset);
        let now = envelope.occurred_at;
        let before = newest.map_or(Timestamp::MIN, |(_, now)| now);
        self.judge.check("I13", now >= before, || {
            Breach::new(&at, format!("now of at least {}", before.0), now.0, &position)
        });
        self.newest.insert(at, (id, now));
        self.epoch = self.epoch.max(id.epoch);
        let caused = self.actions.contains(&envelope.causation_id)
            || self.orders.is_order(envelope.causation_id)
            || matches!(event, Event::DeadLetter(_));
        self.judge.check("I11", caused, || {
            Breach::new(&record.partition, "a cause on the log", envelope.causation_id, &position)
        });
        let output = Output { event: &event, now, position };
        match at.topic {
            Topic::Inventory => self.inventory.take(&output, &mut self.judge),
            Topic::Orders | Topic::PaymentRequests => self.orders.take(&output, &mut self.judge),
            Topic::Epochs
            | Topic::CustomerActions
            | Topic::ProductActions
            | Topic::WarehouseActions
            | Topic::DeadLetters => {}
        }
        Ok(())
    }
}
