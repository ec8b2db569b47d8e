//! A load generator's ledger against the log: what was answered must be there, what was refused
//! must not, and nobody was told what the log does not say.
//!
//! Told by status: below 300 the action was taken; 409, 412 and 422 may have been decided on the
//! log; other 4xx leave no event; 5xx and a broken connection leave it open.
//!
//! A record that stands there twice with one event id and one time was sent once: brokers that are
//! lost in the middle of an append may take it again from the producer, which cannot know. It is
//! decided once all the same, as I15 holds the shop to.

use crate::epoch::Input;
use crate::fold::Fold;
use crate::order::bit;
use crate::verdicts::{Example, Invariant, Verdicts};
use schemas::events::Event;
use schemas::id::{CustomerId, EventId, Id, KeyHash, OrderId, ProductId, WarehouseId};
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sinks::view_store::rows::OrderState;
use std::collections::HashMap;
use std::io::{self, BufRead};

const EXAMPLES_MAX: usize = 10;

/// A line, as far as the audit reads it.
#[derive(Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    Action { asked: Asked, told: Told },
    OrderSeen { order_id: OrderId, state: String },
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Asked {
    Warehouse { warehouse_id: WarehouseId },
    Product { product_id: ProductId },
    Receipt { product_id: ProductId, idempotency_key: String },
    Checkout { customer_id: CustomerId, idempotency_key: String },
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Told {
    Answered { status: u16, id: Option<String> },
    Unknown {},
    Failed {},
}

/// What of the log an action is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Warehouse(Id),
    Product(Id),
    Receipt(Id, KeyHash),
    Checkout(Id, KeyHash),
}

/// What is known of an action, from both sides.
#[derive(Default)]
struct Known {
    /// Tries that may have put it on the log.
    may_be: usize,
    accepted: bool,
    /// It may be on the log, or not.
    open: bool,
    order: Option<OrderId>,
    /// Those on the log, as they were sent.
    on_log: Vec<(EventId, Timestamp)>,
}

/// The ledger's part of the report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LedgerReport {
    /// Actions that were asked, repetitions counted.
    pub asked: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, without a whole answer.
    pub unknown: u64,
    /// Entries that the log contradicts.
    pub differences: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// A ledger that was read.
#[derive(Default)]
pub struct Ledger {
    report: LedgerReport,
    actions: HashMap<Name, Known>,
    seen: Vec<(OrderId, String)>,
}

impl Ledger {
    /// Reads lines of JSON.
    ///
    /// # Errors
    /// It cannot be read; a line that is none names its number.
    pub fn read(lines: impl BufRead) -> io::Result<Self> {
        let mut ledger = Self::default();
        for (number, line) in (1..).zip(lines.lines()) {
            let entry: Entry = serde_json::from_str(&line?).map_err(|error| {
                let detail = format!("line {number} is no entry of a ledger: {error}");
                io::Error::new(io::ErrorKind::InvalidData, detail)
            })?;
            match entry {
                Entry::Action { asked, told } => ledger.action(&asked, told),
                Entry::OrderSeen { order_id, state } => ledger.seen.push((order_id, state)),
            }
        }
        Ok(ledger)
    }

    fn action(&mut self, asked: &Asked, told: Told) {
        let name = match asked {
            Asked::Warehouse { warehouse_id } => Name::Warehouse(warehouse_id.0),
            Asked::Product { product_id } => Name::Product(product_id.0),
            Asked::Receipt { product_id, idempotency_key } => {
                Name::Receipt(product_id.0, KeyHash::of(idempotency_key))
            }
            Asked::Checkout { customer_id, idempotency_key } => {
                Name::Checkout(customer_id.0, KeyHash::of(idempotency_key))
            }
        };
        self.report.asked += 1;
        let known = self.actions.entry(name).or_default();
        match told {
            Told::Answered { status, id } => {
                self.report.answered += 1;
                known.accepted |= status < 300;
                known.open |= matches!(status, 409 | 412 | 422 | 500..);
                known.may_be += usize::from(matches!(status, ..300 | 409 | 412 | 422 | 500..));
                let id = id.filter(|_| status < 300);
                known.order = id.and_then(|id| OrderId::parse(&id)).or(known.order);
            }
            Told::Unknown {} => {
                self.report.unknown += 1;
                known.open = true;
                known.may_be += 1;
            }
            // Not sent: it did not happen, whatever else was asked under its key.
            Told::Failed {} => {}
        }
    }

    /// Takes in a record of the log.
    pub(crate) fn see(&mut self, input: &Input) {
        let Ok((envelope, event)) = &input.event else { return };
        let name = if let Event::CheckoutRequested(e) = event {
            Name::Checkout(e.customer_id.0, e.idempotency_key.hash())
        } else if let Event::StockReceiptRequested(e) = event {
            Name::Receipt(e.product_id.0, e.idempotency_key.hash())
        } else if let Event::WarehousePutRequested(e) = event {
            Name::Warehouse(e.warehouse_id.0)
        } else if let Event::ProductPutRequested(e) = event {
            Name::Product(e.product_id.0)
        } else {
            return;
        };
        if let Some(known) = self.actions.get_mut(&name) {
            let sent = (envelope.event_id, envelope.occurred_at);
            if !known.on_log.contains(&sent) {
                known.on_log.push(sent);
            }
        }
    }

    /// Compares, at the end of the log.
    pub(crate) fn close(mut self, fold: &Fold, verdicts: &mut Verdicts) -> LedgerReport {
        let mut differences: Vec<Example> = Vec::new();
        let mut count = 0;
        let mut judge = |holds: bool, tell: &dyn Fn() -> Example, verdicts: &mut Verdicts| {
            verdicts.check(Invariant::I11, holds, tell);
            if !holds {
                count += 1;
                if differences.len() < EXAMPLES_MAX {
                    differences.push(tell());
                }
            }
        };
        for (name, known) in &self.actions {
            let (on_log, may_be) = (known.on_log.len(), known.may_be);
            let (expected, holds) = if known.accepted {
                (
                    "on the log, no more often than it may have been taken",
                    (1..=may_be).contains(&on_log),
                )
            } else if known.open {
                ("on the log no more often than it may have been taken", on_log <= may_be)
            } else {
                ("not on the log: it was refused or never sent", on_log == 0)
            };
            let found = format!("{on_log} times");
            judge(holds, &|| Example::new(shown(name), expected, &found, None), verdicts);
            if let Some(id) = known.order {
                let planned = fold.orders.all.contains_key(&id) || on_log > 0;
                judge(planned, &|| Example::new(id, "an order", "none", None), verdicts);
            }
        }
        for (id, state) in &self.seen {
            let passed = fold.orders.all.get(id).map_or(0, |order| order.passed);
            let holds = state_of(state).is_some_and(|state| passed & bit(state) != 0);
            let expected = format!("an order that was {state}");
            let tell = || Example::new(id, &expected, format_args!("states {passed:b}"), None);
            judge(holds, &tell, verdicts);
        }
        self.report.differences = count;
        self.report.examples = differences;
        self.report
    }
}

fn shown(name: &Name) -> String {
    match name {
        Name::Warehouse(id) => format!("warehouse {id}"),
        Name::Product(id) => format!("product {id}"),
        Name::Receipt(id, KeyHash(key)) => format!("receipt of {id}, key {key:x?}"),
        Name::Checkout(id, KeyHash(key)) => format!("checkout of {id}, key {key:x?}"),
    }
}

fn state_of(name: &str) -> Option<OrderState> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}
