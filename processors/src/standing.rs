//! Where an engine stands: whether it decides, follows, or why it can do neither.
//!
//! ```text
//! Replays --claims at once-----------------------------> Leads <--> Halts
//!    |                                                   |  ^
//!    +--> Waits --another is heard to lead--> Follows <--+  | no valid plan for a while
//!           |                                    |          |
//!           +------------------------------------+----------+
//! ```
//!
//! An engine that never claims goes from Replays to Follows, whether or not somebody leads.

/// Where an engine stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// What stands on the log is being worked through.
    #[default]
    Replays,
    /// It may claim, and has not heard yet of another process that leads.
    Waits,
    /// It follows another process that leads.
    Follows,
    /// Its claim is in force: it plans.
    Leads,
    /// Its claim is in force, and it plans nothing for this reason.
    Halts(&'static str),
}

impl Standing {
    /// Why what is asked now is decided late, or not at all.
    #[must_use]
    pub const fn not_ready(self) -> Option<&'static str> {
        match self {
            Self::Replays => Some("the log is being replayed"),
            Self::Waits => {
                Some("the log is replayed; this process leads in a moment if no other does")
            }
            Self::Halts(why) => Some(why),
            Self::Follows | Self::Leads => None,
        }
    }

    /// Whether its claim is in force.
    #[must_use]
    pub const fn has_claim(self) -> bool {
        matches!(self, Self::Leads | Self::Halts(_))
    }

    /// In a word, for `/v1/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replays => "replays",
            Self::Waits => "waits",
            Self::Follows => "follows",
            Self::Leads => "leads",
            Self::Halts(_) => "halts",
        }
    }
}
