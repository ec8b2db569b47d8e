//! Bytes that stand on somebody's log: they never change.

use crate::samples::{KEY, all, envelope, is_enveloped};
use schemas::codec::Codec;
use schemas::events::{Event, EventKind};
use schemas::hash::hash128;
use schemas::id::{CustomerId, Id, KeyHash, ProductId, action_id};
use schemas::json::to_json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(codec: &Codec, event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    match is_enveloped(event.kind()) {
        true => codec.encode(&envelope(), event, &mut bytes),
        false => codec.encode_bare(event, &mut bytes),
    }
    bytes
}

/// As JSON, with the key as it is read: the one thing that decoding does not give back.
fn as_read(event: &Event) -> serde_json::Value {
    let mut shown = to_json(None, event);
    if let Some(key) = shown.get_mut("idempotency_key") {
        assert_eq!(key, KEY);
        let KeyHash([hi, lo]) = KeyHash::of(KEY);
        *key = format!("#{hi:016x}{lo:016x}").into();
    }
    shown
}

#[test]
fn every_event_has_the_bytes_it_always_had() {
    let codec = Codec::compiled();
    for event in all() {
        let kind = event.kind();
        let bytes = encoded(&codec, &event);
        let golden = fs::read_to_string(here(&format!("golden/{}.hex", kind.name())));
        assert_eq!(hex(&bytes), golden.unwrap_or_default().trim(), "{kind:?}");

        assert_eq!(codec.kind(&bytes).expect("known"), kind);
        let read = if is_enveloped(kind) {
            let (read_envelope, read) = codec.decode(&bytes).expect("golden");
            assert_eq!(read_envelope, envelope());
            assert!(codec.decode_bare(&bytes).is_err(), "{kind:?} has an envelope");
            read
        } else {
            assert!(codec.decode(&bytes).is_err(), "{kind:?} has no envelope");
            codec.decode_bare(&bytes).expect("golden")
        };
        assert_eq!(read.kind(), kind);
        assert_eq!(to_json(None, &read), as_read(&event));
    }
}

#[test]
fn every_schema_has_an_event_and_golden_bytes() {
    let files = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(here(folder)).expect("it is part of the repository");
        entries.map(|e| e.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    };
    let topics: BTreeSet<_> = EventKind::ALL.iter().map(|k| k.topic().suffix()).collect();
    assert_eq!(files("avro"), topics.iter().map(|&t| t.to_owned()).collect());
    for topic in topics {
        let kinds = EventKind::ALL.iter().filter(|k| k.topic().suffix() == topic);
        let expected = kinds.map(|k| format!("{}.avsc", k.name())).collect();
        assert_eq!(files(&format!("avro/{topic}")), expected);
    }
    let expected = EventKind::ALL.iter().map(|k| format!("{}.hex", k.name())).collect();
    assert_eq!(files("golden"), expected);
}

#[test]
fn hashes_and_ids_are_frozen() {
    let group = |text| Id::parse(text).expect("legal").group();
    let seen = [
        ("hash128", hex(&hash128(7, b"watermart, seventeen"))),
        ("inline id", hex(&Id::parse("p-1").expect("legal").to_bytes())),
        ("long id", hex(&Id::parse("a-product-of-a-long-name").expect("legal").to_bytes())),
        ("group of c-1", CustomerId::parse("c-1").expect("legal").0.group().to_string()),
        ("group of p-1", ProductId::parse("p-1").expect("legal").0.group().to_string()),
        ("group of a long id", group("a-product-of-a-long-name").to_string()),
        ("order id", action_id(1023, &[b"c-1", b"key"]).order().to_string()),
        ("other parts", action_id(0, &[b"c-1k", b"ey"]).to_string()),
        ("key", format!("{:016x?}", KeyHash::of("key").0)),
    ];
    let seen: Vec<_> = seen.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let golden = [
        "hash128: 6913ca01ba098bab08e60c504716d49a",
        "inline id: 03702d31000000000000000000000000",
        "long id: ff600c3a5451c1dcd186022a0b3cc9d2",
        "group of c-1: 616",
        "group of p-1: 806",
        "group of a long id: 610",
        "order id: ord_7zrzb43fz5tdn7tshvawxbyhaj",
        "other parts: act_000d7b70rahx6n68p7ftkwfdq3",
        "key: [2c70e12b7a0646f9, 2279f427c7b38e73]",
    ];
    assert_eq!(seen, golden);
}

#[test]
fn shown_with_the_envelope_in_front_and_ids_as_people_write_them() {
    let shown = to_json(Some(&envelope()), &all()[EventKind::PlanningDrained as usize]);
    let expected = serde_json::json!({
        "envelope": {
            "event_id": "000102030405060708090a0b0c0d0e0f",
            "occurred_at": 1_795_426_200_125_i64,
            "role": "shopper",
            "subject": "c-4711",
            "causation_id": "ffffffffffffffffffffffffffffffff",
            "correlation_id": "80569696969696965a5a5a5a5a5a5a5a",
        },
        "generation": 41,
    });
    assert_eq!(shown, expected);
}
