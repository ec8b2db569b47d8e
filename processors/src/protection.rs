//! What keeps the engine right when a process dies, each of which a test may switch off for itself
//! and the engines that it starts: what hangs on it must then break, or it is not tested.

/// One of them.
#[cfg_attr(not(test), expect(dead_code, reason = "two are of the ports that tests make"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Hashes of manifests, files and blocks.
    Checksums,
    /// What is acknowledged is durable.
    Durability,
    /// Which plans are valid.
    Validity,
    /// Messages that are left over are part of a checkpoint.
    LoopMessages,
    /// Operators work in canonical order.
    Sort,
    /// The publisher looks what is on the log.
    Tail,
    /// A start goes on from no checkpoint that the views do not reach.
    Marks,
}

#[cfg(not(test))]
pub(crate) const fn is_off(_: Protection) -> bool {
    false
}

#[cfg(test)]
pub(crate) use switches::{here, is_off, switch_off};

#[cfg(test)]
mod switches {
    use super::Protection;
    use std::cell::Cell;

    thread_local! {
        static OFF: Cell<Option<Protection>> = const { Cell::new(None) };
    }

    /// Whether it is switched off in this thread.
    pub(crate) fn is_off(protection: Protection) -> bool {
        OFF.get() == Some(protection)
    }

    /// What is switched off in this thread: its engines' threads do without it too.
    pub(crate) fn here() -> Option<Protection> {
        OFF.get()
    }

    /// Switches one off in this thread, or none.
    pub(crate) fn switch_off(protection: Option<Protection>) {
        OFF.set(protection);
    }
}
