//! Records to events, and what is said where that cannot be done: of a schema that cannot be had the
//! audit has no opinion, so it gives none.

use crate::AuditError;
use crate::verdicts::Place;
use schemas::codec::DecodeError;
use schemas::envelope::Envelope;
use schemas::events::Event;
use sinks::schema_registry::Schemas;
use std::collections::HashMap;

/// Decodes, and asks for a schema that is not known.
pub(crate) struct Decoding<'a> {
    schemas: &'a Schemas,
    /// Schemas that could not be had, and why: each is asked for once.
    unknown: HashMap<u32, String>,
}

impl<'a> Decoding<'a> {
    pub(crate) fn new(schemas: &'a Schemas) -> Self {
        Self { schemas, unknown: HashMap::new() }
    }

    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Result<(Envelope, Event), DecodeError> {
        self.known(|schemas| schemas.codec.decode(bytes))
    }

    /// Of the plan topic.
    pub(crate) fn decode_bare(&mut self, bytes: &[u8]) -> Result<Event, DecodeError> {
        self.known(|schemas| schemas.codec.decode_bare(bytes))
    }

    fn known<T>(
        &mut self,
        decode: impl Fn(&Schemas) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let decoded = decode(self.schemas);
        let Err(DecodeError::UnknownSchema(schema)) = decoded else { return decoded };
        if self.unknown.contains_key(&schema) {
            return decoded;
        }
        if let Err(error) = self.schemas.learn(schema) {
            self.unknown.insert(schema, error.to_string());
            return decoded;
        }
        decode(self.schemas)
    }

    /// Of what a plan took something must be said, unless it is set aside.
    pub(crate) fn said_of(&self, unknown: Option<(Place, u32)>) -> Result<(), AuditError> {
        unknown.map_or(Ok(()), |(place, schema)| Err(self.unknown(place, schema)))
    }

    /// That nothing can be said of a record that names this schema.
    pub(crate) fn unknown(&self, place: Place, schema: u32) -> AuditError {
        let detail = self.unknown.get(&schema).cloned().unwrap_or_default();
        AuditError::UnknownSchema { place, schema, detail }
    }
}
