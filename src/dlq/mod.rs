//! `watermart dlq list|show|replay`: records that could not be used, and their way back.
//!
//! A dead letter tells where the record stands and why it was set aside; the record itself stays
//! where it is. Listing and showing read beside a running shop and change nothing. A replay appends
//! the record's bytes again, as they are, where they belong, and only if they would be applied
//! there; the letter stays, since the log is never changed.

mod arguments;
mod letters;
mod list;
mod replay;
mod show;

pub(crate) use arguments::Dlq;

use crate::cli::Global;
use crate::exit::Failure;
use crate::stdout::{Lines, until_closed};

/// Lists, shows or replays.
///
/// # Errors
/// The log cannot be read, or the record cannot be used.
pub(crate) fn run(arguments: &Dlq, global: &Global) -> Result<(), Failure> {
    let mut lines = Lines::lock();
    let written = match arguments {
        Dlq::List(list) => list::list(list, global, &mut lines),
        Dlq::Show(letter) => show::show(letter, global, &mut lines),
        Dlq::Replay(replay) => replay::replay(replay, global, &mut lines),
    };
    until_closed(written.and_then(|()| lines.flush()))
}
