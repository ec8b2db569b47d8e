//! The rules by number. A claim names the version that its plans are decided by, for ever; what a
//! version decides otherwise than the one before it stands here.

use schemas::limits::SETTLED_KEPT_MS;

/// A version of the rules that this build can decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rules {
    /// Of 0.1.0.
    V1,
    /// Fewer timers an epoch, so that very many that are due at once hold nobody up.
    V2,
    /// Settled orders leave memory a week later.
    V3,
}

impl Rules {
    /// What this build claims with.
    pub const NEWEST: Self = Self::V3;

    /// The rules of this number, if this build has them.
    #[must_use]
    pub const fn of(version: u32) -> Option<Self> {
        match version {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            3 => Some(Self::V3),
            _ => None,
        }
    }

    /// Their number.
    #[must_use]
    pub const fn version(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }

    /// Timers of untouched keys that one epoch fires at most, per key group. It changes only when an
    /// event is written: what is over is judged by its deadline.
    #[must_use]
    pub const fn sweep_cap(self) -> usize {
        match self {
            Self::V1 => 1_000,
            Self::V2 | Self::V3 => 1,
        }
    }

    /// How long a settled order stands behind its last event, in milliseconds of log time; none: for
    /// ever. What comes of it later finds [`Settled`](crate::settled::Settled).
    #[must_use]
    pub const fn settled_kept_ms(self) -> Option<i64> {
        match self {
            Self::V1 | Self::V2 => None,
            Self::V3 => Some(SETTLED_KEPT_MS),
        }
    }
}
