"""What another shop's program does: reads and writes events by the schema registry.

    registry.py write URL TOPIC SCHEMA_FILE    one event as JSON on stdin -> its record in hex
    registry.py read URL TOPIC                 records in hex on stdin -> their events, a JSON a line

It registers the schema that it writes with, under the subject of topic and record name. Bytes are
hex in the JSON.
"""

import json
import sys

from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

# A field that no build of ours has: its schema is another version of the event.
NOTE = {"name": "note", "type": "string", "default": "", "doc": "What this program adds."}
FIXED = ("event_id", "causation_id", "correlation_id")


def write(registry, context, schema_file):
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    schema["fields"].append(NOTE)
    event = json.load(sys.stdin)
    for name in FIXED:
        event["envelope"][name] = bytes.fromhex(event["envelope"][name])
    event["note"] = "from python"
    settings = {"subject.name.strategy": topic_record_subject_name_strategy}
    serializer = AvroSerializer(registry, json.dumps(schema), conf=settings)
    print(serializer(event, context).hex())


def shown(value):
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "timestamp"):
        return round(value.timestamp() * 1000)
    raise TypeError(f"{value!r} is in no event")


def read(registry, context):
    deserializer = AvroDeserializer(registry, return_record_name=True)
    for line in sys.stdin:
        print(json.dumps(deserializer(bytes.fromhex(line.strip()), context), default=shown))


def main(verb, url, topic, *rest):
    registry = SchemaRegistryClient({"url": url})
    context = SerializationContext(topic, MessageField.VALUE)
    {"write": write, "read": read}[verb](registry, context, *rest)


main(*sys.argv[1:])
