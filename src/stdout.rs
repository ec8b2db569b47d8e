//! Standard output, line by line, for all that a command prints there.
//!
//! Who reads it may stop reading, as `head` does: that ends the command, and is no failure of it.

use crate::exit::Failure;
use serde::Serialize;
use std::fmt;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write as _};

/// The lines, which reach the reader at [`Lines::flush`] at the latest.
pub(crate) struct Lines(BufWriter<StdoutLock<'static>>);

/// Why no more can be written.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nobody reads any more.
    Closed,
    /// Writing failed.
    Failed(Failure),
}

impl Lines {
    /// Takes standard output for itself.
    pub(crate) fn lock() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: &dyn fmt::Display) -> Result<(), Ended> {
        writeln!(self.0, "{line}").map_err(ended)
    }

    /// Writes one JSON document on a line.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<(), Ended> {
        let text = serde_json::to_string(document);
        self.line(&text.expect("what we print has text as keys, and finite numbers"))
    }

    /// Writes lines that have their ends.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Ended> {
        self.0.write_all(text.as_bytes()).map_err(ended)
    }

    /// Hands on what was written.
    pub(crate) fn flush(&mut self) -> Result<(), Ended> {
        self.0.flush().map_err(ended)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn ended(error: io::Error) -> Ended {
    if error.kind() == ErrorKind::BrokenPipe {
        return Ended::Closed;
    }
    Ended::Failed(Failure::Check(format!("could not write to standard output: {error}")))
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The end of a command that wrote until then.
pub(crate) fn until_closed(written: Result<(), Ended>) -> Result<(), Failure> {
    match written {
        Ok(()) | Err(Ended::Closed) => Ok(()),
        Err(Ended::Failed(failure)) => Err(failure),
    }
}
