//! `watermart explain ORDER_ID`: one order's story from a stopped shop's log, or from a cluster's.

use crate::audit::failure;
use crate::cli::{Explain, Global};
use crate::exit::Failure;
use crate::stdout::{Ended, Lines, until_closed};
use crate::{log, parts};
use audit::StoryLine;
use schemas::id::OrderId;

/// Prints the story, a line an event; `--json` prints the list.
pub(crate) fn run(arguments: &Explain, global: &Global) -> Result<(), Failure> {
    let text = &arguments.order_id;
    let order = OrderId::parse(text).ok_or_else(|| {
        Failure::Usage(format!("{text} is no order's id: `ord_` and 26 letters and digits"))
    })?;
    let log = log::read(&arguments.outside, &global.data, false)?;
    let schemas = parts::read_schemas(&arguments.outside, &global.data)?;
    let story = audit::story(&*log, &schemas, order).map_err(|error| failure(&error))?;
    if story.is_empty() {
        return Err(Failure::Check(format!("the log knows nothing of {order}")));
    }
    let mut lines = Lines::lock();
    until_closed(print(&story, global.json, &mut lines).and_then(|()| lines.flush()))
}

fn print(story: &[StoryLine], json: bool, lines: &mut Lines) -> Result<(), Ended> {
    if json {
        return lines.json(&story);
    }
    for StoryLine { at, epoch, event, meaning, cause, position } in story {
        let epoch = epoch.map_or_else(|| "asked".to_owned(), |epoch| format!("epoch {epoch}"));
        lines.line(&format_args!("{at}  {epoch:<12} {event:<24} {meaning}"))?;
        let cause = cause.as_ref().map_or_else(String::new, |cause| format!("; from {cause}"));
        lines.line(&format_args!("{:40}at {position}{cause}", ""))?;
    }
    Ok(())
}
