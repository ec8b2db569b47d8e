//! Port: the schema registry. It gives each schema an id, which stands before every record.
//!
//! The contract, which [`conformance`] tests by these names:
//! - *registered*: registering gives every event's schema, as it is compiled in, an id of its own;
//!   again, it gives the same. Whoever registers at the same time gets the same.
//! - *by id*: what an id was given for is told for ever, by everybody who asks.
//! - *versions*: all schemas that anybody registered for an event are told, with their ids.
//! - *unknown*: an id that was never given is [`RegistryError::Unknown`]; no answer at all is
//!   [`RegistryError::Unavailable`]. Neither says anything of a record, and nothing is decided by
//!   either: only what a schema *is* may be.
//!
//! Subjects are `<topic>-<record full name>`, and each takes only what every version can read and
//! be read by (`FULL_TRANSITIVE`).

pub mod confluent;
pub mod conformance;
pub mod embedded;
mod known;
mod location;
mod schemas;
#[cfg(test)]
mod tests;

pub use location::Location;
pub use schemas::{OpenError, Schemas};

use ::schemas::events::EventKind;

/// Why the registry did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It did not answer, or not in a way that says anything; trying again may work.
    #[error("could not ask the schema registry: {0}")]
    Unavailable(String),
    /// It gave nobody this id, so far.
    #[error("the schema registry knows no schema {0}")]
    Unknown(u32),
    /// The schema does not fit the versions that are there.
    #[error(
        "cannot register the schema under {subject}: {detail}; a version there was registered by \
         another build or program: delete that version if nothing was written with it, or use the \
         build that fits"
    )]
    Incompatible {
        /// The subject.
        subject: String,
        /// What the registry says.
        detail: String,
    },
    /// The subject takes schemas that could not be read.
    #[error(
        "cannot use {subject}: its compatibility is {found}, it must be FULL_TRANSITIVE; set it \
         with PUT {url}/config/{subject} {{\"compatibility\":\"FULL_TRANSITIVE\"}}"
    )]
    Compatibility {
        /// The registry's address.
        url: String,
        /// The subject.
        subject: String,
        /// What it has.
        found: String,
    },
    /// It refuses for another reason.
    #[error("cannot use the schema registry: {0}")]
    Refused(String),
}

/// A schema that somebody registered for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: u32,
    /// The schema, as the registry writes it.
    pub text: String,
}

/// The registry. Its calls block; not for async code.
pub trait SchemaRegistry: Send + Sync {
    /// The id of this event's schema as it is compiled in, registered if it was not.
    fn register(&self, kind: EventKind) -> Result<u32, RegistryError>;

    /// Every version that is registered for this event; none if nobody registered any.
    fn versions(&self, kind: EventKind) -> Result<Vec<Version>, RegistryError>;

    /// The schema that this id stands for.
    fn schema(&self, id: u32) -> Result<String, RegistryError>;
}
