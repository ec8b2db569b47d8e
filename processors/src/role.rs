//! What part an engine takes in planning.

use crate::planner::Timing;
use std::time::Duration;

/// What part an engine takes in planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Claims as soon as the log is replayed, which is its own.
    Leads,
    /// The same, of a log that others share.
    TakesOver,
    /// Follows whoever leads and appends nothing; claims after 3 s without a valid plan.
    StandsBy,
    /// The same, after 1 s.
    StandsByHot,
    /// Never claims and appends nothing: its outputs are not even written down.
    Follows,
    /// Never claims; publishes what is planned, on a log that is its own.
    Replays,
}

impl Role {
    /// Whether it may come to lead.
    #[must_use]
    pub const fn may_lead(self) -> bool {
        match self {
            Self::Leads | Self::TakesOver | Self::StandsBy | Self::StandsByHot => true,
            Self::Follows | Self::Replays => false,
        }
    }

    /// Without waiting whether another leads.
    pub(crate) const fn claims_at_once(self) -> bool {
        matches!(self, Self::Leads | Self::TakesOver)
    }

    /// Whether it is passive from the start.
    pub(crate) const fn stands_by(self) -> bool {
        matches!(self, Self::StandsBy | Self::StandsByHot)
    }

    /// How often it lets others hear that it leads, and how long it waits to hear them.
    pub(crate) const fn timing(self) -> Timing {
        Timing {
            // Time moves without input; and who stands by hears that this one lives, long before
            // the silence after which it would claim is up.
            heartbeat: Duration::from_millis(if matches!(self, Self::Leads) { 1_000 } else { 250 }),
            silence: Duration::from_secs(if matches!(self, Self::StandsByHot) { 1 } else { 3 }),
        }
    }
}
