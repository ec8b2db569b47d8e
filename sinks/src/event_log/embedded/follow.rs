//! A journal that another process writes, read on while it does.
//!
//! Nobody tells of what was written, so readers look behind the end that they know. A block that is
//! just being written looks unfinished, and is looked at again later; or, if the one behind it is
//! written while this one is looked at, damaged: only what stays so is.

use super::durable::Durable;
use super::recovery::{self, Tail};
use super::{OpenError, Shared, locked};
use crate::event_log::ReadError;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// How often a reader that waits looks: each look reads about a mebibyte.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often damage is looked at before it is believed.
const LOOKS: usize = 5;

/// Where the journal ended when it was last looked at.
pub(super) struct Follow(Mutex<Tail>);

impl Follow {
    /// Reads what is there now.
    pub(super) fn begin(dir: &Path, salt: u32) -> Result<(Self, Durable), OpenError> {
        let (mut durable, mut tail) = (Durable::empty(), Tail::begin());
        look(dir, salt, &mut durable, &mut tail)?;
        Ok((Self(Mutex::new(tail)), durable))
    }
}

impl Shared {
    /// Whether something came behind what was known. Never, of a log that this process writes or
    /// that nobody does.
    pub(super) fn look_again(&self) -> Result<bool, ReadError> {
        let Some(Follow(tail)) = &self.follow else { return Ok(false) };
        let mut tail = locked(tail);
        let mut durable = locked(&self.durable);
        let before = durable.end();
        look(&self.dir, self.salt, &mut durable, &mut tail).map_err(read_error)?;
        Ok(durable.end() > before)
    }
}

fn look(dir: &Path, salt: u32, durable: &mut Durable, tail: &mut Tail) -> Result<(), OpenError> {
    let mut looks = 1;
    loop {
        let before = durable.end();
        match recovery::extend(dir, salt, durable, tail) {
            Err(OpenError::Damaged { .. }) if durable.end() > before => looks = 1,
            Err(OpenError::Damaged { .. }) if looks < LOOKS => looks += 1,
            outcome => return outcome,
        }
    }
}

fn read_error(error: OpenError) -> ReadError {
    match error {
        OpenError::Damaged { file, byte, detail } => {
            ReadError::Damaged { file: file.display().to_string(), byte, detail }
        }
        OpenError::InUse { .. } | OpenError::UnknownFormat { .. } | OpenError::Io { .. } => {
            ReadError::Unavailable(error.to_string())
        }
    }
}
