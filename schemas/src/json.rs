//! Events as people read them, for `topics tail` and `explain`.

use crate::envelope::Envelope;
use crate::events::Event;
use serde_json::{Map, Value};

/// `{"envelope": {..}, ..body}`, fields named as in the schema. Times are milliseconds, event ids
/// are hex, and an idempotency key that was read is `#` and its hash in hex.
#[must_use]
pub fn to_json(envelope: Option<&Envelope>, event: &Event) -> Value {
    let mut shown = Map::new();
    if let Some(envelope) = envelope {
        shown.insert("envelope".to_owned(), ids_in_hex(serialized(envelope)));
    }
    if let Value::Object(body) = ids_in_hex(serialized(event)) {
        shown.extend(body);
    }
    Value::Object(shown)
}

fn serialized(part: &impl serde::Serialize) -> Value {
    serde_json::to_value(part).expect("the keys of an event's maps are text: JSON takes it all")
}

/// The fields that are `fixed(16)` on the log come as lists of numbers.
fn ids_in_hex(mut record: Value) -> Value {
    for name in ["event_id", "causation_id", "correlation_id", "claim_id", "previous"] {
        let Some(Value::Array(bytes)) = record.get(name) else { continue };
        let hex = bytes.iter().map(|byte| format!("{:02x}", byte.as_u64().unwrap_or(0))).collect();
        record[name] = Value::String(hex);
    }
    record
}
