//! `watermart dlq show PARTITION OFFSET`: a letter, and the record that it is about.

use super::arguments;
use super::letters::Letter;
use crate::cli::Global;
use crate::parts;
use crate::stdout::{Ended, Lines};
use crate::topics::log::OpenLog;
use crate::topics::record;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Shows it.
pub(super) fn show(
    meant: &arguments::Letter,
    global: &Global,
    lines: &mut Lines,
) -> Result<(), Ended> {
    let log = OpenLog::open(&meant.outside, global)?;
    let schemas = parts::read_schemas(&meant.outside, &global.data)?;
    let letter = Letter::read(&log, &schemas, meant)?;
    let kept = letter.record(&log)?;
    if global.json {
        let mut shown = letter.as_json(&log);
        shown["kept"] = kept.is_some().into();
        if let Some(kept) = kept {
            let name = log.name(kept.partition.topic);
            let mut record = record::as_json(&name, &schemas, &kept);
            record["value_base64"] = Value::String(STANDARD.encode(&kept.value));
            shown["record"] = record;
        }
        return lines.json(&shown);
    }
    lines.line(&letter.as_text(&log))?;
    match kept {
        Some(kept) => {
            let name = log.name(kept.partition.topic);
            lines.line(&record::as_text(&name, &schemas, &kept))?;
            lines.line(&format_args!("base64 {}", STANDARD.encode(&kept.value)))
        }
        None => lines.line(&"the record is not kept on the log any more"),
    }
}
