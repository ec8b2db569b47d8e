//! The audit: a second opinion on the log and the views.
//!
//! It folds the output topics into plain maps, epoch by epoch, judges each output against what
//! was asked and what stood there, and compares every row of the views. It decides nothing again,
//! and shares no code with the rules or the engine.
//!
//! A shop that was killed may have left half of its last epoch's outputs: what concerns several
//! keys then looks broken there until it has been started once more, which writes the rest.
//!
//! | file | holds |
//! |---|---|
//! | `plans` | the plan topic, read again |
//! | `stream`, `unsorted`, `epoch` | the log as a sequence of epochs |
//! | `pace` | whether plans come while input waits |
//! | `intake` | what was asked, by which key, and whether anything came of it |
//! | `asked` | whether an effect says what was asked |
//! | `fold` | all that follows: `stock` and `claims`, `orders`, each an `order` with its `payments`, `carts` |
//! | `deadlines` | `now`, and whether what lapsed did so in time |
//! | `rows`, `timeline`, `views` | the rows that the views must hold, compared |
//! | `beside`, `asks`, `shown` | the views of a running shop, as its HTTP shows them, compared |
//! | `ledger` | what callers were told, compared |
//! | `verdicts`, `report` | what was found |
//! | `story` | one order's story, for people |

mod asked;
mod asks;
mod beside;
mod carts;
mod claims;
mod deadlines;
mod decoding;
mod epoch;
mod error;
mod fold;
mod intake;
mod ledger;
mod order;
mod orders;
mod pace;
mod payments;
mod plans;
mod report;
mod rows;
mod shown;
mod stock;
mod story;
mod stream;
#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a hand breaks one kind of event")]
mod tests;
mod timeline;
mod unsorted;
mod verdicts;
mod views;

pub use beside::{Answer, Shop, audit_beside};
pub use error::AuditError;
pub use ledger::{Ledger, LedgerReport};
pub use report::{MoneyTotals, OrderTotals, Report, Totals, UnitTotals, ViewReport};
pub use story::{StoryLine, story};
pub use verdicts::{Example, Invariant, Place, Verdict, Verdicts};

use fold::Fold;
use sinks::event_log::EventLog;
use sinks::schema_registry::Schemas;
use sinks::view_store::{Mark, ViewStore};
use std::sync::Arc;
use stream::Stream;

/// Reads the whole log, and judges it; compares the views and the ledger, if given.
///
/// # Errors
/// Log or views cannot be read. What does not hold is no error: the report says so.
pub fn audit(
    log: &dyn EventLog,
    schemas: &Schemas,
    views: Option<&dyn ViewStore>,
    mut ledger: Option<Ledger>,
) -> Result<Report, AuditError> {
    let mut verdicts = Verdicts::default();
    let mut fold = Fold::default();
    let mut stream = Stream::open(log, schemas)?;
    let mark: Option<Arc<Mark>> = views.map(|views| Arc::clone(&views.marks().borrow()));
    let mut compared = Vec::new();
    let mut views_epoch = None;
    if let (Some(store), Some(mark)) = (views, &mark)
        && mark.epoch == 0
    {
        compared = views::compare(&fold, store, mark, &mut verdicts)?;
        views_epoch = Some(0);
    }
    let mut see = |input: &epoch::Input| {
        if let Some(ledger) = &mut ledger {
            ledger.see(input);
        }
    };
    while let Some(mut epoch) = stream.next(&mut verdicts, &mut see)? {
        let number = epoch.number;
        let at_mark = mark.as_ref().filter(|mark| mark.epoch == number);
        if let Some(mark) = at_mark {
            views::check_mark(mark, &epoch, &mut verdicts);
        }
        fold.epoch(&mut epoch, &mut verdicts);
        stream.decoding.said_of(fold.intake.unknown)?;
        if let (Some(store), Some(mark)) = (views, at_mark) {
            compared = views::compare(&fold, store, mark, &mut verdicts)?;
            views_epoch = Some(number);
        }
    }
    if let Some(mark) = mark.filter(|_| views_epoch.is_none()) {
        verdicts.check(Invariant::I12, false, || {
            let found = format!("a mark of epoch {}", mark.epoch);
            let last = fold.deadlines.epoch();
            Example::new("views", format!("a mark of an epoch up to {last}"), found, None)
        });
    }
    let (read, decided) = (stream.read, stream.decided());
    Ok(conclude(fold, verdicts, ledger, (read, decided), (views_epoch, compared)))
}

/// The last judgements, and the report. `read` records, of which the last decided epoch is known.
fn conclude(
    mut fold: Fold,
    mut verdicts: Verdicts,
    ledger: Option<Ledger>,
    (records, decided): (u64, u64),
    (views_epoch, views): (Option<u64>, Vec<ViewReport>),
) -> Report {
    fold.close(decided, &mut verdicts);
    let ledger = ledger.map(|ledger| ledger.close(&fold, &mut verdicts));
    let ok = Invariant::ALL.iter().all(|id| verdicts.of(*id).breaches == 0);
    Report {
        ok,
        epoch: fold.deadlines.epoch(),
        records,
        not_judged: fold.intake.not_judged(),
        digest: views::digest(&fold),
        invariants: verdicts.into_parts(),
        views_epoch,
        views,
        totals: Totals::of(&fold),
        ledger,
    }
}
