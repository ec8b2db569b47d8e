//! The one place that asks what time it is. Everybody else is given a [`Clock`].

use schemas::time::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A wall clock and a monotonic one.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System { started: Instant },
    Manual { wall_ms: AtomicI64, started_ms: i64 },
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn system() -> Self {
        Self(Arc::new(Source::System { started: Instant::now() }))
    }

    /// A clock that moves only when told to; both its hands together.
    #[must_use]
    pub fn manual(wall: Timestamp) -> Self {
        Self(Arc::new(Source::Manual { wall_ms: AtomicI64::new(wall.0), started_ms: wall.0 }))
    }

    /// Moves a manual clock on. A system clock goes by itself: asking it to is a bug.
    pub fn advance(&self, by: Duration) {
        match &*self.0 {
            Source::System { .. } => panic!("a system clock cannot be advanced"),
            Source::Manual { wall_ms, .. } => {
                let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                wall_ms.fetch_add(ms, Ordering::SeqCst);
            }
        }
    }

    /// Wall time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Manual { wall_ms, .. } => Timestamp(wall_ms.load(Ordering::SeqCst)),
        }
    }

    /// Time since this clock was made; never goes back.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &*self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { wall_ms, started_ms } => {
                let ms = wall_ms.load(Ordering::SeqCst) - started_ms;
                Duration::from_millis(u64::try_from(ms).unwrap_or(0))
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
