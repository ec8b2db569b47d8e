//! `watermart dlq replay PARTITION OFFSET`: the record's bytes, as they are, where they belong.
//!
//! Appended once more, a record is one like any other: what a second copy of it does depends on the
//! action, and is told.

use super::arguments::Replay;
use super::letters::{Letter, cause};
use crate::cli::{Global, Outside};
use crate::exit::Failure;
use crate::log::LogSource;
use crate::parts::{self, Opened};
use crate::stdout::{Ended, Lines};
use crate::topics::log::OpenLog;
use processors::inputs;
use schemas::events::EventKind;
use schemas::topic::TopicPartition;
use serde_json::json;
use sinks::event_log::{AppendError, Appended, NewRecord, Record};
use sinks::schema_registry::Schemas;

/// Actions that happen once for each idempotency key.
const BY_KEY: [EventKind; 4] = [
    EventKind::CartItemAddRequested,
    EventKind::CancellationRequested,
    EventKind::StockReceiptRequested,
    EventKind::StockAdjustmentRequested,
];

/// Appends the record again, or says what would be appended.
pub(super) fn replay(replay: &Replay, global: &Global, lines: &mut Lines) -> Result<(), Ended> {
    let at = &replay.letter.outside;
    let log = OpenLog::open(at, global)?;
    let schemas = parts::read_schemas(at, &global.data)?;
    let letter = Letter::read(&log, &schemas, &replay.letter)?;
    let place = letter.record_place(&log);
    let Some(record) = letter.record(&log)? else {
        return Err(refused(&place, "it is not kept on the log any more").into());
    };
    let (to, kind) = belongs(&schemas, &record).map_err(|why| refused(&place, &why))?;
    let appended = if replay.dry_run { None } else { Some(append(&record, to, at, global)?) };
    let name = log.name(to.topic);
    let dedup = of_a_second_copy(kind);
    if global.json {
        return lines.json(&json!({
            "dry_run": replay.dry_run, "cause": cause(letter.says.cause), "record": place,
            "type": kind.name(),
            "to": {
                "topic": name, "partition": to.partition,
                "offset": appended.map(|appended| appended.offset),
            },
            "second_copy": dedup,
        }));
    }
    let done = appended.map_or_else(
        || format!("would be appended to {name}/{}; nothing was", to.partition),
        |appended| format!("was appended again as {name}/{}@{}", to.partition, appended.offset),
    );
    lines.line(&format_args!("{place}, a {}, {done}", kind.name()))?;
    lines.line(&format_args!("replayed twice: {dedup}"))
}

/// Where the record belongs, if it would be applied there.
fn belongs(schemas: &Schemas, record: &Record) -> Result<(TopicPartition, EventKind), String> {
    let (_, event) = schemas.decode(&record.value).map_err(|error| error.to_string())?;
    Ok((inputs::place_of(&event)?, event.kind()))
}

fn refused(place: &str, why: &str) -> Failure {
    Failure::Check(format!("{place} is not appended again: it could not be used: {why}"))
}

fn append(
    record: &Record,
    partition: TopicPartition,
    at: &Outside,
    global: &Global,
) -> Result<Appended, Failure> {
    let opened = Opened::open(at, &global.data, LogSource::find, LogSource::for_callers);
    let log = opened.map_err(in_use)?.log;
    let (key, value) = (record.key.clone(), record.value.clone());
    let record = NewRecord { partition, key, value, output_id: None };
    let answer = log.append(vec![record]).wait().remove(0);
    log.close();
    answer.map_err(|error| match error {
        AppendError::NotAppended(_) | AppendError::TooLarge { .. } => {
            Failure::Unreachable(error.to_string())
        }
        AppendError::Unknown(_) => Failure::Unreachable(format!(
            "{error}; look with `watermart topics tail` whether it is there before you replay it \
             again"
        )),
    })
}

/// On files a running shop keeps everybody else out.
fn in_use(failure: Failure) -> Failure {
    let Failure::InUse(reason) = failure else { return failure };
    Failure::InUse(format!("{reason}, replay, and start it again (--dry-run needs no stop)"))
}

/// What is known of an action that stands on the log twice.
fn of_a_second_copy(action: EventKind) -> &'static str {
    if action == EventKind::CheckoutRequested {
        "nothing happens a second time: it is the same order for ever"
    } else if BY_KEY.contains(&action) {
        "nothing happens a second time within 24 h of log time, by its idempotency key; after that \
         it happens again"
    } else if action == EventKind::PaymentReported {
        "what a payment is known to have become already changes nothing"
    } else {
        "it sets a whole: what was set there since the first time is set back, unless it names a \
         version"
    }
}
