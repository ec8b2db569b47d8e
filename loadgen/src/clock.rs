//! The one place of the generator that asks what time it is.

use schemas::time::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock from the moment it was made, and the wall time of that moment. Wall times are
/// counted on from there, so they keep the order of what was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_at = Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Self { started: Instant::now(), started_at }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Wall time, `after` the start.
    pub(crate) fn wall(&self, after: Duration) -> Timestamp {
        self.started_at.plus_ms(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
    }

    /// A word for this run: its wall time. Keys carry it, so that the same schedule can be sold
    /// twice to one shop.
    pub(crate) fn run_name(&self) -> String {
        format!("{:x}", self.started_at.0)
    }
}
