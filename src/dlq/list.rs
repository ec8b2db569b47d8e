//! `watermart dlq list`: the newest letters, a line each.

use super::arguments::List;
use super::letters::{Letter, Newest};
use crate::cli::Global;
use crate::parts;
use crate::stdout::{Ended, Lines};
use crate::topics::log::OpenLog;
use serde_json::{Value, json};

/// Lists them, the newest last.
pub(super) fn list(list: &List, global: &Global, lines: &mut Lines) -> Result<(), Ended> {
    let log = OpenLog::open(&list.outside, global)?;
    let schemas = parts::read_schemas(&list.outside, &global.data)?;
    let Newest { letters, total } = Newest::read(&log, &schemas, list.limit.into())?;
    if global.json {
        let letters: Vec<Value> = letters.iter().map(|letter| letter.as_json(&log)).collect();
        return lines.json(&json!({ "total": total, "dead_letters": letters }));
    }
    letters.iter().try_for_each(|letter: &Letter| lines.line(&letter.as_text(&log)))?;
    lines.line(&format_args!("{} of {total} dead letters", letters.len()))
}
