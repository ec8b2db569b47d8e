//! The wire format: a zero byte, the schema's id in four bytes (big-endian), the Avro datum.
//!
//! Every event but those on the plan topic begins with the field `envelope`; its bytes and the
//! body's follow each other, so each is coded on its own, by its half of the schema; an envelope
//! of the schema compiled in by hand. Bytes are
//! read with the schema they were written with: what it has more is skipped, what it has less
//! must have a default in the struct. What is written is always the schema compiled in, whatever
//! its id. Whoever wrote the bytes can make decoding fail, and nothing else.
//!
//! An id is *given* at the start, *learned* later, or *unknown*. Unknown says nothing of the bytes:
//! nothing may be decided by it. What an id was once said to stand for it stands for as long as
//! the codec lives.

use crate::compiled;
use crate::envelope::{Envelope, datum};
use crate::events::{Event, EventKind};
use crate::limits::RECORD_BYTES_MAX;
use crate::schema::{Schema, cut, write};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Characters of what is wrong with somebody's schema: it goes into dead letters.
const DETAIL_CHARS_MAX: usize = 300;

/// Why bytes are not an event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Too short, too long, or no zero byte in front.
    #[error("not the wire format: {0}")]
    Framing(&'static str),
    /// What the id stands for is not known here: nothing is said of the bytes.
    #[error("unknown schema id {0}")]
    UnknownSchema(u32),
    /// The id stands for something that no event can be read with, here or anywhere.
    #[error("schema id {id}: {detail}")]
    NotOurs {
        /// The id.
        id: u32,
        /// Why not.
        detail: String,
    },
    /// The bytes are not what the schema says.
    #[error("not a {kind:?}: {detail}")]
    Body {
        /// What they claim to be.
        kind: EventKind,
        /// What is wrong.
        detail: String,
    },
}

/// Why schemas cannot be coded with.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Not JSON, or not Avro.
    #[error("schema {id} of {kind:?} is not an avro schema: {detail}")]
    Malformed {
        /// Its id.
        id: u32,
        /// What it should describe.
        kind: EventKind,
        /// What is wrong.
        detail: String,
    },
    /// Not a record that begins with the envelope, or a plan event that has one.
    #[error("schema {id} of {kind:?}: the envelope is not where it belongs")]
    Envelope {
        /// Its id.
        id: u32,
        /// What it should describe.
        kind: EventKind,
    },
    /// A list whose elements may take no bytes: its count is not bounded by the record.
    #[error("schema {id} of {kind:?} has a list of nothing")]
    ListOfNothing {
        /// Its id.
        id: u32,
        /// What it should describe.
        kind: EventKind,
    },
    /// One id stands for two schemas.
    #[error("schema id {0} is given twice")]
    Twice(u32),
    /// None of those given is the one this build writes.
    #[error("the schema that this build writes {0:?} with has no id")]
    NotGiven(EventKind),
}

/// Schemas by id, ready to code with.
pub struct Codec {
    /// Of the schemas given. Sorted: the place of an id is the place of its schema.
    ids: Vec<u32>,
    schemas: Vec<Schema>,
    /// By [`EventKind`] number: the place of the schema that is written; empty: none is.
    written: Vec<usize>,
    /// What was learned later, by id; grows with the ids that records name.
    learned: RwLock<HashMap<u32, Learned>>,
}

/// A schema, or why nothing can be read with it.
type Learned = Result<Schema, String>;

impl Codec {
    /// The schemas compiled in: the id of an event is its [`EventKind`] number and one.
    #[must_use]
    pub fn compiled() -> Self {
        Self::new(
            EventKind::ALL.iter().map(|kind| {
                (u32::from(*kind as u8) + 1, *kind, compiled::schema(*kind).to_owned())
            }),
        )
        .expect("a test builds it from what is compiled in")
    }

    /// Schemas under the ids of a registry. Among them must be, for every event, the one that is
    /// compiled in (as JSON; blanks do not matter): it is the one to write with.
    pub fn new(
        schemas: impl IntoIterator<Item = (u32, EventKind, String)>,
    ) -> Result<Self, SchemaError> {
        let mut given: Vec<_> = schemas.into_iter().collect();
        given.sort_by_key(|(id, ..)| *id);
        if let Some(pair) = given.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(SchemaError::Twice(pair[0].0));
        }
        let mut written = vec![None; EventKind::ALL.len()];
        let mut codec = Self::reading();
        for (place, (id, kind, text)) in given.iter().enumerate() {
            let malformed = |detail| SchemaError::Malformed { id: *id, kind: *kind, detail };
            let json: Value = serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
            if compiled::schema(*kind) == text || json == compiled::json(*kind) {
                written[*kind as usize] = Some(place);
            }
            codec.ids.push(*id);
            codec.schemas.push(cut(*id, *kind, json)?);
        }
        for (kind, place) in EventKind::ALL.iter().zip(written) {
            codec.written.push(place.ok_or(SchemaError::NotGiven(*kind))?);
        }
        Ok(codec)
    }

    /// A codec that only reads, and has yet to learn everything. Encoding with it is a bug.
    #[must_use]
    pub fn reading() -> Self {
        let (ids, schemas, written) = (Vec::new(), Vec::new(), Vec::new());
        Self { ids, schemas, written, learned: RwLock::default() }
    }

    /// Learns what an id stands for. Which event a schema is of is told by its record's full name;
    /// one that is none of ours, or that nothing can be read with, is known as such from then on.
    /// An id that is known stays what it was.
    pub fn learn(&self, id: u32, text: &str) {
        if self.place(id).is_some() {
            return;
        }
        let schema = learned(id, text);
        let mut all = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(id).or_insert(schema);
    }

    /// Whether it is known what the id stands for.
    #[must_use]
    pub fn knows(&self, id: u32) -> bool {
        let learned = || self.learned.read().unwrap_or_else(PoisonError::into_inner);
        self.place(id).is_some() || learned().contains_key(&id)
    }

    /// Appends `event` with its envelope to `out`.
    pub fn encode(&self, envelope: &Envelope, event: &Event, out: &mut Vec<u8>) {
        let schema = self.head(event.kind(), out);
        let of_envelope = schema.envelope.as_ref().expect("plan events are encoded bare");
        if of_envelope.is_compiled {
            datum::write(envelope, out);
        } else {
            write(&of_envelope.half, envelope, out);
        }
        write(&schema.body, event, out);
    }

    /// Appends an event of the plan topic, which has no envelope, to `out`.
    pub fn encode_bare(&self, event: &Event, out: &mut Vec<u8>) {
        let schema = self.head(event.kind(), out);
        assert!(schema.envelope.is_none(), "only plan events are encoded bare");
        write(&schema.body, event, out);
    }

    fn head(&self, kind: EventKind, out: &mut Vec<u8>) -> &Schema {
        let place = self.written[kind as usize];
        out.push(0);
        out.extend_from_slice(&self.ids[place].to_be_bytes());
        &self.schemas[place]
    }

    /// Which event the bytes claim to be, by their schema id alone.
    pub fn kind(&self, bytes: &[u8]) -> Result<EventKind, DecodeError> {
        self.with_schema(bytes, |schema, _| Ok(schema.kind))
    }

    /// Reads an event with its envelope; all bytes must be used up.
    pub fn decode(&self, bytes: &[u8]) -> Result<(Envelope, Event), DecodeError> {
        self.with_schema(bytes, |schema, mut datum| {
            let envelope = schema.read_envelope(&mut datum)?;
            Ok((envelope, schema.read_body(datum)?))
        })
    }

    /// Reads an event of the plan topic; all bytes must be used up.
    pub fn decode_bare(&self, bytes: &[u8]) -> Result<Event, DecodeError> {
        self.with_schema(bytes, |schema, datum| {
            if schema.envelope.is_some() {
                return Err(DecodeError::Framing("an envelope on the plan topic"));
            }
            schema.read_body(datum)
        })
    }

    /// Reads the datum with the schema it was written with. Only those learned are behind a lock.
    #[inline]
    fn with_schema<T>(
        &self,
        bytes: &[u8],
        read: impl FnOnce(&Schema, &[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let (id, datum) = unframed(bytes)?;
        if let Some(place) = self.place(id) {
            return read(&self.schemas[place], datum);
        }
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        match learned.get(&id) {
            Some(Ok(schema)) => read(schema, datum),
            Some(Err(detail)) => Err(DecodeError::NotOurs { id, detail: detail.clone() }),
            None => Err(DecodeError::UnknownSchema(id)),
        }
    }

    /// Ids mostly follow each other, as those of the compiled schemas do.
    fn place(&self, id: u32) -> Option<usize> {
        let guess = id.wrapping_sub(*self.ids.first()?) as usize;
        if self.ids.get(guess) == Some(&id) {
            return Some(guess);
        }
        self.ids.binary_search(&id).ok()
    }
}

/// The schema's id, and the datum behind it.
fn unframed(bytes: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(DecodeError::Framing("too long"));
    }
    let [zero, a, b, c, d, datum @ ..] = bytes else {
        return Err(DecodeError::Framing("too short"));
    };
    if *zero != 0 {
        return Err(DecodeError::Framing("no zero byte in front"));
    }
    Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum))
}

/// Whatever it is, it says so for ever: a registry never gives an id another schema.
fn learned(id: u32, text: &str) -> Learned {
    let shortened = |detail: String| detail.chars().take(DETAIL_CHARS_MAX).collect::<String>();
    let json: Value =
        serde_json::from_str(text).map_err(|error| shortened(format!("not json: {error}")))?;
    let name = compiled::full_name_of(&json);
    let kind = EventKind::ALL.iter().find(|kind| compiled::full_name(**kind) == name);
    let kind = kind.ok_or_else(|| shortened(format!("`{name}` is no event of this shop")))?;
    cut(id, *kind, json).map_err(|error| shortened(error.to_string()))
}
