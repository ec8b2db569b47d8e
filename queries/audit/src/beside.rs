//! The audit beside a running shop: its log is read while it is written, its views by HTTP.
//!
//! The views move on while they are read, so each answer is compared with the fold as of the very
//! epoch that it stands at. An answer names two: the epoch of the mark that was taken before its
//! rows were read, and the newest epoch that wrote one of them. What was written last at an epoch
//! which the fold has passed, and is shown at a later one, stood still in between, and is compared
//! at once. All else is held until the log has been folded up to the epoch of the answer. Rows that
//! are newer than their answer's epoch were overtaken while they were read, and are asked for again;
//! so is a list that differs, as it does not tell how old its rows are. What differs [`TRIES`] times
//! differs.
//!
//! Seen: warehouses, products, stock, reservations, carts, customers' orders, and orders with their
//! payment and timeline; of lists, also what should not be there. Not seen: refused actions, which
//! nobody can list; a safety stock that is wanted and not there; an order's region and way of
//! payment; of a customer's list more than its order; rows of what was first heard of after the
//! reading began; whether the store keeps what it shows. Records are read as soon as they are written, before they are synced.

use crate::asks::{Ask, Part};
use crate::epoch::Input;
use crate::fold::Fold;
use crate::ledger::Ledger;
use crate::report::{Report, ViewReport};
use crate::stream::Stream;
use crate::verdicts::{Example, Invariant, Verdicts};
use crate::{AuditError, conclude};
use serde_json::Value;
use sinks::event_log::EventLog;
use sinks::schema_registry::Schemas;
use sinks::view_store::rows::View;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How often what differs is asked for.
const TRIES: u32 = 10;
/// Asked for together.
const BATCH: usize = 1_000;
/// Answers that wait for the fold: with their bodies, at most about a hundred megabytes.
const HELD_MAX: usize = 5_000;
/// How long the log may stand still short of an epoch that the views have.
const LOOKS_MAX: u32 = 1_500;
/// Of each look.
const LOOK: Duration = Duration::from_millis(20);

/// What a running shop answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `Watermart-Epoch`.
    pub epoch: u64,
    /// The epoch in `ETag`: the newest that wrote a row of it; of a list, the read's own.
    pub written: u64,
    /// The body.
    pub body: Value,
}

/// The read side of a running shop.
pub trait Shop {
    /// Gets all of these paths; an answer for each, in their order.
    ///
    /// # Errors
    /// The shop does not answer, in words.
    fn get(&self, paths: Vec<String>) -> Result<Vec<Answer>, String>;
}

/// Something to be asked.
struct Next {
    ask: Ask,
    tries: u32,
    /// Whether the page behind it is asked for already.
    followed: bool,
}

/// An answer that waits for the fold.
struct Held {
    next: Next,
    answer: Answer,
    /// Of a page behind that is still to be asked for.
    cursor: Option<String>,
}

impl Next {
    const fn first(ask: Ask) -> Self {
        Self { ask, tries: 0, followed: false }
    }
}

struct Beside<'a> {
    shop: &'a dyn Shop,
    stream: Stream<'a>,
    fold: Fold,
    verdicts: Verdicts,
    ledger: Option<Ledger>,
    asks: VecDeque<Next>,
    held: Vec<Held>,
    reports: Vec<ViewReport>,
}

/// Audits a running shop: `log` is that of [`EventLog`]s that others write.
///
/// # Errors
/// The log cannot be read, or the shop does not answer.
pub fn audit_beside(
    log: &dyn EventLog,
    schemas: &Schemas,
    shop: &dyn Shop,
    ledger: Option<Ledger>,
) -> Result<Report, AuditError> {
    let mut fold = Fold::default();
    fold.stock.open = Some(BTreeSet::new());
    fold.orders.of_customers = Some(BTreeSet::new());
    let seen = View::ALL.iter().filter(|view| **view != View::Rejections);
    let report = |view: &View| ViewReport { name: view.name(), rows: 0, differences: 0 };
    let mut beside = Beside {
        shop,
        stream: Stream::beside(log, schemas)?,
        fold,
        verdicts: Verdicts::default(),
        ledger,
        asks: VecDeque::new(),
        held: Vec::new(),
        reports: seen.map(report).collect(),
    };
    beside.read()?;
    let Beside { stream, fold, verdicts, ledger, reports, .. } = beside;
    let epoch = fold.deadlines.epoch();
    let decided = stream.decided().min(epoch);
    Ok(conclude(fold, verdicts, ledger, (stream.read, decided), (Some(epoch), reports)))
}

impl Beside<'_> {
    fn read(&mut self) -> Result<(), AuditError> {
        let first = vec!["/v1/warehouses?limit=1".to_owned()];
        for Answer { status, epoch, body, .. } in self.get(first)? {
            if status != 200 {
                return Err(AuditError::Shop(format!("it answers {status} {body}")));
            }
            if !self.reach(epoch)? {
                return Ok(());
            }
        }
        self.asks.extend(Ask::all(&self.fold).into_iter().map(Next::first));
        while !self.asks.is_empty() || !self.held.is_empty() {
            let batch = self.asks.drain(..self.asks.len().min(BATCH)).collect();
            self.ask(batch)?;
            if (self.asks.is_empty() || self.held.len() >= HELD_MAX) && !self.settle()? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn get(&self, paths: Vec<String>) -> Result<Vec<Answer>, AuditError> {
        self.shop.get(paths).map_err(AuditError::Shop)
    }

    fn ask(&mut self, batch: Vec<Next>) -> Result<(), AuditError> {
        let epoch = self.fold.deadlines.epoch();
        let answers = self.get(batch.iter().map(|next| next.ask.path(epoch)).collect())?;
        for (next, answer) in batch.into_iter().zip(answers) {
            match answer.status {
                200 => self.take(next, answer),
                404 => {
                    // It was there in an epoch that the answer is not older than.
                    let difference = Some(Example::new(&next.ask, "a row", "404", None));
                    self.count(Part { view: next.ask.view(), rows: 0, difference });
                }
                status => {
                    let (ask, body) = (next.ask, answer.body);
                    return Err(AuditError::Shop(format!("{ask}: {status} {body}")));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, next: Next, mut answer: Answer) {
        let cursor = next.ask.shorten(&mut answer.body).filter(|_| !next.followed);
        let held = self.follow(Held { next, answer, cursor });
        if held.next.ask.is_list() || held.answer.written > self.fold.deadlines.epoch() {
            self.held.push(held);
        } else {
            self.judge(held);
        }
    }

    /// Asks for the page behind, as soon as the fold knows where that begins.
    fn follow(&mut self, mut held: Held) -> Held {
        let cursor = held.cursor.as_ref();
        let behind = cursor.and_then(|c| held.next.ask.next(c, &held.answer.body, &self.fold));
        if let Some(ask) = behind {
            self.asks.push_back(Next::first(ask));
            (held.next.followed, held.cursor) = (true, None);
        }
        held
    }

    /// Folds the log up to the epochs of the answers that wait, and judges each at its own.
    fn settle(&mut self) -> Result<bool, AuditError> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|held| held.answer.epoch);
        for held in held {
            if !self.reach(held.answer.epoch)? {
                return Ok(false);
            }
            self.judge(held);
        }
        Ok(true)
    }

    fn judge(&mut self, held: Held) {
        let Held { next, answer, .. } = self.follow(held);
        let ask = &next.ask;
        let exact = answer.written <= answer.epoch && !ask.is_list();
        let overtaken = answer.written > answer.epoch;
        let parts = ask.compare(&self.fold, &answer.body);
        let holds = !overtaken && parts.iter().all(|part| part.difference.is_none());
        if !holds && !exact && next.tries + 1 < TRIES {
            self.asks.push_back(Next { tries: next.tries + 1, ..next });
            return;
        }
        parts.into_iter().for_each(|part| self.count(part));
    }

    fn count(&mut self, Part { view, rows, difference }: Part) {
        let report = self.reports.iter_mut().find(|report| report.name == view.name());
        if let Some(report) = report {
            report.rows += rows as u64;
            report.differences += u64::from(difference.is_some());
        }
        match difference {
            Some(example) => self.verdicts.check(Invariant::I12, false, || example),
            None => self.verdicts.held(Invariant::I12, 1),
        }
    }

    /// Folds the log up to this epoch; `false` if it does not get there.
    fn reach(&mut self, epoch: u64) -> Result<bool, AuditError> {
        let mut looks = 0;
        while self.fold.deadlines.epoch() < epoch {
            let ledger = &mut self.ledger;
            let mut see = |input: &Input| {
                if let Some(ledger) = ledger {
                    ledger.see(input);
                }
            };
            if let Some(mut next) = self.stream.next(&mut self.verdicts, &mut see)? {
                self.fold.epoch(&mut next, &mut self.verdicts);
                self.stream.decoding.said_of(self.fold.intake.unknown)?;
                continue;
            }
            looks += 1;
            if looks > LOOKS_MAX {
                let last = self.fold.deadlines.epoch();
                self.verdicts.check(Invariant::I12, false, || {
                    let expected = format!("an epoch up to {last}, where the log stands still");
                    Example::new("views", expected, format!("epoch {epoch}"), None)
                });
                return Ok(false);
            }
            self.stream.wait(LOOK);
        }
        Ok(true)
    }
}
