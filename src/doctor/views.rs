//! The view store in the data directory. It can always be rebuilt from the log.

use super::report::{Part, Verdict};
use crate::parts;
use sinks::event_log::embedded::{FileLog, OpenError as LogError};
use sinks::view_store::ViewStore as _;
use sinks::view_store::embedded::{EmbeddedViews, FORMAT, OpenError};
use std::path::Path;

/// Looks at the views.
pub(super) fn examine(data: &Path) -> Part {
    let dir = parts::views_dir(data);
    let part = Part::new("views", "embedded:").version(format!("files, format {FORMAT}"));
    if !dir.is_dir() {
        return part.with("files", Verdict::Ok, "there are none; they are built from the log");
    }
    // Opening them beside the process that has them would only wait for its lock.
    if let Err(LogError::InUse { .. }) = FileLog::is_free(&parts::log_dir(data)) {
        return part.with("files", Verdict::Ok, "in use; /v1/status says how far they are");
    }
    match EmbeddedViews::open(&dir) {
        Ok(views) => {
            let epoch = views.marks().borrow().epoch;
            part.with("files", Verdict::Ok, format!("complete up to epoch {epoch}"))
        }
        Err(OpenError::InUse(_)) => {
            part.with("files", Verdict::Ok, "in use; /v1/status says how far they are")
        }
        Err(error) => part.with("files", Verdict::Failed, error.to_string()),
    }
}
