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
    Manual { began_ms: AtomicI64, passed_ms: AtomicI64 },
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
        let [began_ms, passed_ms] = [wall.0, 0].map(AtomicI64::new);
        Self(Arc::new(Source::Manual { began_ms, passed_ms }))
    }

    /// Moves a manual clock on. A system clock goes by itself: asking it to is a bug.
    pub fn advance(&self, by: Duration) {
        match &*self.0 {
            Source::System { .. } => panic!("a system clock cannot be advanced"),
            Source::Manual { passed_ms, .. } => {
                passed_ms.fetch_add(millis(by), Ordering::SeqCst);
            }
        }
    }

    /// Moves the wall hand of a manual clock alone, as somebody does who sets a clock.
    pub fn set_ahead(&self, by: Duration) {
        self.set(millis(by));
    }

    /// The same, back.
    pub fn set_back(&self, by: Duration) {
        self.set(-millis(by));
    }

    fn set(&self, by_ms: i64) {
        match &*self.0 {
            Source::System { .. } => panic!("a system clock cannot be set"),
            Source::Manual { began_ms, .. } => {
                began_ms.fetch_add(by_ms, Ordering::SeqCst);
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
            Source::Manual { began_ms, passed_ms } => {
                Timestamp(began_ms.load(Ordering::SeqCst) + passed_ms.load(Ordering::SeqCst))
            }
        }
    }

    /// Time since this clock was made; never goes back.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &*self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { passed_ms, .. } => {
                let ms = passed_ms.load(Ordering::SeqCst);
                Duration::from_millis(u64::try_from(ms).unwrap_or(0))
            }
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
