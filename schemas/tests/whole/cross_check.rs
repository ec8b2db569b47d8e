//! Another Avro implementation reads what we write, and we read what it writes.

use crate::samples::{all, envelope, is_enveloped};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use schemas::codec::Codec;
use schemas::compiled;
use schemas::events::{Event, EventKind};

const HEAD: usize = 5;

fn encoded(codec: &Codec, event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    match is_enveloped(event.kind()) {
        true => codec.encode(&envelope(), event, &mut bytes),
        false => codec.encode_bare(event, &mut bytes),
    }
    bytes
}

fn value_of(schema: &Schema, datum: &[u8]) -> Value {
    let mut rest = datum;
    let reader = GenericDatumReader::builder(schema).build().expect("no loose names");
    let value = reader.read_value(&mut rest).expect("by its schema");
    assert!(rest.is_empty(), "bytes are left");
    value
}

#[test]
fn each_reads_what_the_other_writes() {
    let codec = Codec::compiled();
    for event in all() {
        let schema = Schema::parse_str(compiled::schema(event.kind())).unwrap();
        let ours = encoded(&codec, &event);
        let value = value_of(&schema, &ours[HEAD..]);

        let writer = GenericDatumWriter::builder(&schema).build().expect("no loose names");
        let mut theirs = ours[..HEAD].to_vec();
        theirs.extend(writer.write_value_to_vec(value).unwrap());
        if is_enveloped(event.kind()) {
            assert_eq!(codec.decode(&theirs).unwrap(), codec.decode(&ours).unwrap());
        } else {
            assert_eq!(codec.decode_bare(&theirs).unwrap(), event);
        }
    }
}

#[test]
fn names_and_values_are_what_the_schema_says() {
    let codec = Codec::compiled();
    let event = all().swap_remove(EventKind::OrderRejected as usize);
    let schema = Schema::parse_str(compiled::schema(EventKind::OrderRejected)).unwrap();
    let Value::Record(fields) = value_of(&schema, &encoded(&codec, &event)[HEAD..]) else {
        panic!("a record")
    };

    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    assert_eq!(names, ["envelope", "order_id", "customer_id", "reason", "lines"]);
    let Value::Record(envelope_fields) = &values[0] else { panic!("a record") };
    assert_eq!(envelope_fields[0].1, Value::Fixed(16, (0..16).collect()));
    assert_eq!(envelope_fields[1].1, Value::TimestampMillis(1_795_426_200_125));
    assert_eq!(envelope_fields[2].1, Value::Enum(0, "shopper".to_owned()));
    let subject = Value::Union(1, Box::new(Value::String("c-4711".to_owned())));
    assert_eq!(envelope_fields[3].1, subject);
    assert_eq!(values[2], Value::String("c-4711".to_owned()));
    assert_eq!(values[3], Value::Enum(16, "currency_mismatch".to_owned()));
    let line = [
        ("product_id", Value::String("a-product-of-a-long-name".to_owned())),
        ("reason", Value::Enum(0, "out_of_stock".to_owned())),
        ("asked", Value::Long(9)),
        ("available", Value::Long(u32::MAX.into())),
    ];
    let line = Value::Record(line.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!(values[4], Value::Array(vec![line]));
}
