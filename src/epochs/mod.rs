//! `watermart epochs skip|drain|time`: an operator's words, which stand on the plan topic.
//!
//! A word is a record like any other: every reader of the topic knows by what stands before it
//! whether it is obeyed or says nothing, so one that comes twice, late, or to another generation
//! does no harm. What comes of it is told when it was read back.
//!
//! On files nobody else writes the log: the shop is stopped, the word said, the shop started.

mod arguments;
mod planning;
mod redo;
mod skip;
mod word;

pub(crate) use arguments::Epochs;

use crate::cli::Global;
use crate::exit::Failure;
use crate::stdout::{Lines, until_closed};

/// Says the word, and tells what comes of it.
///
/// # Errors
/// It cannot be meant, or the log does not take it.
pub(crate) fn run(arguments: &Epochs, global: &Global) -> Result<(), Failure> {
    let said = match arguments {
        Epochs::Skip(skip) => skip::skip(skip, global)?,
        Epochs::Drain(at) => planning::drain(at, global)?,
        Epochs::Time(at) => planning::time(at, global)?,
    };
    let mut lines = Lines::lock();
    until_closed(said.print(global.json, &mut lines).and_then(|()| lines.flush()))
}
