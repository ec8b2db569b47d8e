//! A record as it is shown: its place, its key, and its event; or its bytes and why they are none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::codec::DecodeError;
use schemas::json::to_json;
use schemas::topic::Topic;
use serde_json::{Value, json};
use sinks::event_log::{OutputId, Record};
use sinks::schema_registry::Schemas;

/// A record of a topic with this name, for a program.
pub(crate) fn as_json(name: &str, schemas: &Schemas, record: &Record) -> Value {
    let mut shown = json!({
        "topic": name,
        "partition": record.partition.partition,
        "offset": record.offset,
        "appended_at": record.appended_at.rfc3339(),
        "key": String::from_utf8_lossy(&record.key),
    });
    if let Some(id) = record.output_id {
        shown["watermart_id"] = output_id(id).into();
    }
    match decoded(schemas, record) {
        Ok((kind, event)) => {
            shown["type"] = kind.into();
            shown["event"] = event;
        }
        Err(error) => {
            shown["type"] = Value::Null;
            shown["event"] = Value::Null;
            shown["undecodable"] = error.to_string().into();
            shown["value_base64"] = STANDARD.encode(&record.value).into();
        }
    }
    shown
}

/// The same for a person, in a line.
pub(crate) fn as_text(name: &str, schemas: &Schemas, record: &Record) -> String {
    let at = record.appended_at.rfc3339();
    let place = format!("{name}/{}@{}", record.partition.partition, record.offset);
    let id = record.output_id.map_or_else(|| "-".to_owned(), output_id);
    let key = String::from_utf8_lossy(&record.key);
    let (kind, event) = decoded(schemas, record).unwrap_or_else(|error| {
        let bytes = STANDARD.encode(&record.value);
        ("undecodable", format!("{error}; base64 {bytes}").into())
    });
    let event = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
    format!("{at}  {place:<34} {id:<10} {key:<20} {kind} {event}")
}

fn output_id(OutputId { epoch, n }: OutputId) -> String {
    format!("{epoch}.{n}")
}

/// The event's name and itself.
fn decoded(schemas: &Schemas, record: &Record) -> Result<(&'static str, Value), DecodeError> {
    if record.partition.topic == Topic::Epochs {
        let event = schemas.codec.decode_bare(&record.value)?;
        return Ok((event.kind().name(), to_json(None, &event)));
    }
    let (envelope, event) = schemas.decode(&record.value)?;
    Ok((event.kind().name(), to_json(Some(&envelope), &event)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schemas::events::Event;
    use schemas::events::epochs::PlanningDrained;
    use schemas::time::Timestamp;
    use schemas::topic::TopicPartition;

    fn record(topic: Topic, value: Vec<u8>, output_id: Option<OutputId>) -> Record {
        Record {
            partition: TopicPartition { topic, partition: 0 },
            offset: 7,
            appended_at: Timestamp(0),
            key: Bytes::from_static(b"C1"),
            value: value.into(),
            output_id,
        }
    }

    #[test]
    fn bytes_that_are_no_event_are_shown_with_the_reason() {
        let schemas = Schemas::embedded();
        let id = OutputId { epoch: 5, n: 2 };
        let record = record(Topic::Orders, vec![0, 0, 0, 1, 200, 9], Some(id));
        let shown = as_json("shop.orders", &schemas, &record);
        let expected = json!({
            "topic": "shop.orders", "partition": 0, "offset": 7,
            "appended_at": "1970-01-01T00:00:00.000Z", "key": "C1", "watermart_id": "5.2",
            "type": null, "event": null,
            "undecodable": "unknown schema id 456", "value_base64": "AAAAAcgJ",
        });
        assert_eq!(shown, expected);
        let text = as_text("shop.orders", &schemas, &record);
        assert!(text.contains("shop.orders/0@7"), "{text}");
        assert!(text.ends_with("undecodable unknown schema id 456; base64 AAAAAcgJ"), "{text}");
    }

    #[test]
    fn an_event_of_the_plan_topic_has_no_envelope() {
        let schemas = Schemas::embedded();
        let mut value = Vec::new();
        let drained: Event = PlanningDrained { generation: 3 }.into();
        schemas.codec.encode_bare(&drained, &mut value);
        let shown = as_json("shop.epochs", &schemas, &record(Topic::Epochs, value, None));
        assert_eq!(shown["type"], "PlanningDrained");
        assert_eq!(shown["event"], json!({ "generation": 3 }));
        assert_eq!(shown.get("watermart_id"), None);
    }
}
