//! The wire format: a zero byte, the schema's id in four bytes (big-endian), the Avro datum.
//!
//! Every event but those on the plan topic begins with the field `envelope`; its bytes and the
//! body's follow each other, so each is coded on its own, by its half of the schema; an envelope
//! of the schema compiled in by hand. Bytes are
//! read with the schema they were written with: what it has more is skipped, what it has less
//! must have a default in the struct. What is written is always the schema compiled in, whatever
//! its id. Whoever wrote the bytes can make decoding fail, and nothing else.

use crate::compiled;
use crate::envelope::{Envelope, datum};
use crate::events::{Event, EventKind};
use crate::limits::RECORD_BYTES_MAX;
use crate::topic::Topic;
use serde::{Deserialize, Serialize};
use serde_avro_fast::de::read::SliceRead;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState};
use serde_avro_fast::schema::{RegularType, SchemaKey, SchemaMut};
use serde_avro_fast::ser::SerializerConfig;
use serde_json::Value;
use std::io::BufRead as _;

/// Why bytes are not an event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Too short, too long, or no zero byte in front.
    #[error("not the wire format: {0}")]
    Framing(&'static str),
    /// The id is none of those given.
    #[error("unknown schema id {0}")]
    UnknownSchema(u32),
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

/// One schema, cut into the envelope's and the body's.
struct Schema {
    kind: EventKind,
    envelope: Option<EnvelopeSchema>,
    body: serde_avro_fast::Schema,
}

struct EnvelopeSchema {
    /// Whether [`datum`] knows it.
    is_compiled: bool,
    half: serde_avro_fast::Schema,
}

/// Schemas by id, ready to code with.
pub struct Codec {
    /// Sorted: the place of an id is the place of its schema.
    ids: Vec<u32>,
    schemas: Vec<Schema>,
    /// By [`EventKind`] number: the place of the schema that is written.
    written: Vec<usize>,
}

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
        let mut codec = Self { ids: Vec::new(), schemas: Vec::new(), written: Vec::new() };
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
        Ok(self.open(bytes)?.0.kind)
    }

    /// Reads an event with its envelope; all bytes must be used up.
    pub fn decode(&self, bytes: &[u8]) -> Result<(Envelope, Event), DecodeError> {
        let (schema, mut datum) = self.open(bytes)?;
        let envelope = schema.read_envelope(&mut datum)?;
        Ok((envelope, schema.read_body(datum)?))
    }

    /// Reads an event of the plan topic; all bytes must be used up.
    pub fn decode_bare(&self, bytes: &[u8]) -> Result<Event, DecodeError> {
        let (schema, datum) = self.open(bytes)?;
        if schema.envelope.is_some() {
            return Err(DecodeError::Framing("an envelope on the plan topic"));
        }
        schema.read_body(datum)
    }

    fn open<'a>(&self, bytes: &'a [u8]) -> Result<(&Schema, &'a [u8]), DecodeError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(DecodeError::Framing("too long"));
        }
        let [zero, a, b, c, d, datum @ ..] = bytes else {
            return Err(DecodeError::Framing("too short"));
        };
        if *zero != 0 {
            return Err(DecodeError::Framing("no zero byte in front"));
        }
        let id = u32::from_be_bytes([*a, *b, *c, *d]);
        let place = self.place(id).ok_or(DecodeError::UnknownSchema(id))?;
        Ok((&self.schemas[place], datum))
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

type Datum<'r, 's, 'de> = serde_avro_fast::de::DatumDeserializer<'r, 's, SliceRead<'de>>;

impl Schema {
    #[inline]
    fn read_envelope(&self, datum: &mut &[u8]) -> Result<Envelope, DecodeError> {
        let of_envelope = self.envelope.as_ref().ok_or(DecodeError::Framing("no envelope"))?;
        if of_envelope.is_compiled
            && let Some(envelope) = datum::read(datum)
        {
            return Ok(envelope);
        }
        self.read(&of_envelope.half, datum, |d| Envelope::deserialize(d))
    }

    #[inline]
    fn read_body(&self, mut datum: &[u8]) -> Result<Event, DecodeError> {
        let event = self.read(&self.body, &mut datum, |d| Event::deserialize_body(self.kind, d))?;
        if !datum.is_empty() {
            let detail = format!("{} bytes too many", datum.len());
            return Err(DecodeError::Body { kind: self.kind, detail });
        }
        Ok(event)
    }

    /// Reads one half and moves `datum` past it.
    #[inline]
    fn read<'de, T>(
        &self,
        half: &serde_avro_fast::Schema,
        datum: &mut &'de [u8],
        read: impl FnOnce(Datum<'_, '_, 'de>) -> Result<T, serde_avro_fast::de::DeError>,
    ) -> Result<T, DecodeError> {
        let mut config = DeserializerConfig::new(half);
        config.max_seq_size = RECORD_BYTES_MAX;
        let mut state = DeserializerState::with_config(SliceRead::new(datum), config);
        let value = read(state.deserializer()).map_err(|e| self.unreadable(&e))?;
        let left = state.fill_buf().map_err(|e| self.unreadable(&e))?.len();
        *datum = &datum[datum.len() - left..];
        Ok(value)
    }

    #[cold]
    fn unreadable(&self, detail: &dyn std::error::Error) -> DecodeError {
        DecodeError::Body { kind: self.kind, detail: detail.to_string() }
    }
}

fn write(half: &serde_avro_fast::Schema, value: &impl Serialize, out: &mut Vec<u8>) {
    serde_avro_fast::to_datum(value, out, &mut SerializerConfig::new(half))
        .expect("the schema compiled in takes every value of the struct, as its tests show");
}

/// Cuts the first field off, if the event is to have an envelope.
fn cut(id: u32, kind: EventKind, mut json: Value) -> Result<Schema, SchemaError> {
    let misplaced = SchemaError::Envelope { id, kind };
    let Some(Value::Array(fields)) = json.get_mut("fields") else { return Err(misplaced) };
    let enveloped = fields.first().is_some_and(|field| field["name"] == "envelope");
    if enveloped == (kind.topic() == Topic::Epochs) {
        return Err(misplaced);
    }
    let first = enveloped.then(|| fields.remove(0));
    let envelope = first.map(|field| envelope(id, kind, &field["type"])).transpose()?;
    Ok(Schema { kind, envelope, body: parse(id, kind, &json)? })
}

fn envelope(id: u32, kind: EventKind, json: &Value) -> Result<EnvelopeSchema, SchemaError> {
    let is_compiled = *json == compiled::json(kind)["fields"][0]["type"];
    Ok(EnvelopeSchema { is_compiled, half: parse(id, kind, json)? })
}

fn parse(id: u32, kind: EventKind, json: &Value) -> Result<serde_avro_fast::Schema, SchemaError> {
    let malformed = |e: serde_avro_fast::schema::SchemaError| SchemaError::Malformed {
        id,
        kind,
        detail: e.to_string(),
    };
    let nodes: SchemaMut = json.to_string().parse().map_err(malformed)?;
    // Freezing refuses a record that always holds itself, so that the walk below ends.
    let schema = nodes.clone().freeze().map_err(malformed)?;
    let mut lists = nodes.nodes().iter().filter_map(|node| {
        let RegularType::Array(list) = &node.type_ else { return None };
        Some(list.items)
    });
    if lists.any(|items| is_nothing(&nodes, items)) {
        return Err(SchemaError::ListOfNothing { id, kind });
    }
    Ok(schema)
}

/// Whether values of this schema take no bytes.
fn is_nothing(nodes: &SchemaMut, key: SchemaKey) -> bool {
    match &nodes[key].type_ {
        RegularType::Null => true,
        RegularType::Fixed(fixed) => fixed.size == 0,
        RegularType::Record(record) => record.fields.iter().all(|f| is_nothing(nodes, f.type_)),
        RegularType::Boolean
        | RegularType::Int
        | RegularType::Long
        | RegularType::Float
        | RegularType::Double
        | RegularType::Bytes
        | RegularType::String
        | RegularType::Array(_)
        | RegularType::Map(_)
        | RegularType::Union(_)
        | RegularType::Enum(_) => false,
    }
}
