//! The planner's clock: monotonic, slewed to the wall clock, never trusting a jump.
//!
//! Small differences are made good at 1 % of the time that passes, so time never stands still or
//! goes back for them. A difference above 60 s that arises while the process lives is a jump of
//! the wall clock: time stands still until an operator says that it is right, or it is undone.

use schemas::time::Timestamp;
use std::time::Duration;

const JUMP_MS: i64 = 60_000;

/// Gives `planner_ms`.
#[derive(Clone, Debug)]
pub struct PlannerClock {
    at: i64,
    asked: Duration,
    jumped: bool,
}

impl PlannerClock {
    /// Starts at the wall clock.
    #[must_use]
    pub const fn new(wall: Timestamp, elapsed: Duration) -> Self {
        Self { at: wall.0, asked: elapsed, jumped: false }
    }

    /// The time now, from the wall clock and the monotonic one.
    pub fn read(&mut self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        let passed = elapsed.saturating_sub(self.asked);
        let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let expected = self.at.saturating_add(passed);
        let off = wall.0.saturating_sub(expected);
        self.jumped = off.abs() > JUMP_MS;
        if !self.jumped {
            let slew = (passed / 100).max(1);
            self.at = expected + off.clamp(-slew.min(passed), slew);
            self.asked = elapsed;
        }
        Timestamp(self.at)
    }

    /// Whether time stands still because the wall clock jumped.
    #[must_use]
    pub const fn jumped(&self) -> bool {
        self.jumped
    }

    /// An operator says that the wall clock is right: goes on from there, never back.
    pub fn accept(&mut self, wall: Timestamp, elapsed: Duration) {
        self.at = self.at.max(wall.0);
        self.asked = elapsed;
        self.jumped = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_small_difference_is_slewed_and_time_never_goes_back() {
        let mut clock = PlannerClock::new(Timestamp(0), s(0));
        assert_eq!(clock.read(Timestamp(10_000), s(10)), Timestamp(10_000));
        // The wall clock is set back by 5 s: made good by 1 % of the time that passes.
        assert_eq!(clock.read(Timestamp(15_000), s(20)), Timestamp(19_900));
        assert_eq!(clock.read(Timestamp(15_001), s(20)), Timestamp(19_900));
        assert!(!clock.jumped());
    }

    #[test]
    fn a_jump_stops_time_until_it_is_accepted_or_undone() {
        let mut clock = PlannerClock::new(Timestamp(0), s(0));
        let hour = 3_600_000;
        assert_eq!(clock.read(Timestamp(hour), s(1)), Timestamp(0));
        assert!(clock.jumped());
        assert_eq!(clock.read(Timestamp(2_000), s(2)), Timestamp(2_000));
        assert!(!clock.jumped());
        assert_eq!(clock.read(Timestamp(hour), s(3)), Timestamp(2_000));
        clock.accept(Timestamp(hour), s(3));
        assert_eq!(clock.read(Timestamp(hour + 1_000), s(4)), Timestamp(hour + 1_000));
    }
}
