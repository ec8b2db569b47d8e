//! One schema, cut into the envelope's half and the body's, each coded on its own.
//!
//! It may be anybody's: a list whose count nothing bounds is refused here, so that reading stays
//! within the record's own measure.

use crate::codec::{DecodeError, SchemaError};
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

/// One schema, cut into the envelope's and the body's.
pub(crate) struct Schema {
    pub(crate) kind: EventKind,
    pub(crate) envelope: Option<EnvelopeSchema>,
    pub(crate) body: serde_avro_fast::Schema,
}

pub(crate) struct EnvelopeSchema {
    /// Whether [`datum`] knows it.
    pub(crate) is_compiled: bool,
    pub(crate) half: serde_avro_fast::Schema,
}

type Datum<'r, 's, 'de> = serde_avro_fast::de::DatumDeserializer<'r, 's, SliceRead<'de>>;

impl Schema {
    #[inline]
    pub(crate) fn read_envelope(&self, datum: &mut &[u8]) -> Result<Envelope, DecodeError> {
        let of_envelope = self.envelope.as_ref().ok_or(DecodeError::Framing("no envelope"))?;
        if of_envelope.is_compiled
            && let Some(envelope) = datum::read(datum)
        {
            return Ok(envelope);
        }
        self.read(&of_envelope.half, datum, |d| Envelope::deserialize(d))
    }

    #[inline]
    pub(crate) fn read_body(&self, mut datum: &[u8]) -> Result<Event, DecodeError> {
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

pub(crate) fn write(half: &serde_avro_fast::Schema, value: &impl Serialize, out: &mut Vec<u8>) {
    serde_avro_fast::to_datum(value, out, &mut SerializerConfig::new(half))
        .expect("the schema compiled in takes every value of the struct, as its tests show");
}

/// Cuts the first field off, if the event is to have an envelope.
pub(crate) fn cut(id: u32, kind: EventKind, mut json: Value) -> Result<Schema, SchemaError> {
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
    let own = &compiled::json(kind)["fields"][0]["type"];
    let is_compiled = json == own || compiled::lies_alike(&json.to_string(), &own.to_string());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_that_is_written_down_in_another_way_is_read_by_hand_too() {
        let kind = EventKind::OrderConfirmed;
        let is_compiled = |text: &str| {
            let schema = cut(9, kind, serde_json::from_str(text).unwrap()).unwrap();
            schema.envelope.unwrap().is_compiled
        };
        let own = compiled::schema(kind);
        let words = r#""doc": "Who acted.""#;
        assert!(own.contains(words));
        assert!(is_compiled(own));
        assert!(is_compiled(&own.replace(words, r#""doc": """#)));
        let symbols = r#"["shopper", "seller","#;
        assert!(own.contains(symbols));
        assert!(!is_compiled(&own.replace(symbols, r#"["seller", "shopper","#)));
    }
}
