//! `watermart topics list|tail`: what stands on the log, as people and programs read it.
//!
//! Reads beside a running shop, changes nothing and takes no lock.

mod list;
pub(crate) mod log;
pub(crate) mod record;
mod tail;

use crate::cli::{Global, Topics};
use crate::exit::Failure;
use crate::stdout::{Lines, until_closed};

/// Lists, or shows records.
pub(crate) fn run(arguments: &Topics, global: &Global) -> Result<(), Failure> {
    let mut lines = Lines::lock();
    let written = match arguments {
        Topics::List(at) => list::list(at, global, &mut lines),
        Topics::Tail(tail) => tail::tail(tail, global, &mut lines),
    };
    until_closed(written.and_then(|()| lines.flush()))
}
