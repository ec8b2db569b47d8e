//! Ids that are learned while the codec is in use: who wrote what this build was not told of.

use crate::samples::{all, envelope};
use schemas::codec::{Codec, DecodeError};
use schemas::compiled;
use schemas::envelope::Envelope;
use schemas::events::{Event, EventKind};

/// The id that the other writer's schema has.
const OTHERS: u32 = 70_000;

fn confirmed() -> Event {
    all().swap_remove(EventKind::OrderConfirmed as usize)
}

/// The record of an [`EventKind::OrderConfirmed`], under another writer's id.
fn record() -> Vec<u8> {
    let mut bytes = Vec::new();
    Codec::compiled().encode(&envelope(), &confirmed(), &mut bytes);
    bytes[1..5].copy_from_slice(&OTHERS.to_be_bytes());
    bytes
}

fn read(codec: &Codec) -> Result<(Envelope, Event), String> {
    codec.decode(&record()).map_err(|error| error.to_string())
}

#[test]
fn an_id_is_unknown_until_it_is_learned_and_stays_what_it_was() {
    let codec = Codec::compiled();
    assert!(!codec.knows(OTHERS));
    assert!(matches!(codec.decode(&record()), Err(DecodeError::UnknownSchema(OTHERS))));

    // As registries write it: other blanks, and no namespace where it is that of the outer type.
    let text = compiled::schema(EventKind::OrderConfirmed).replace('\n', " ");
    let namespace = r#""namespace": "watermart","#;
    let (outer, inner) = text.split_once(namespace).expect("the envelope's");
    assert!(inner.contains(namespace));
    let text = format!("{outer}{namespace}{}", inner.replace(namespace, ""));
    codec.learn(OTHERS, &text);
    assert!(codec.knows(OTHERS));
    assert_eq!(read(&codec), Ok((envelope(), confirmed())));
    assert!(matches!(codec.kind(&record()), Ok(EventKind::OrderConfirmed)));

    codec.learn(OTHERS, "{}");
    assert_eq!(read(&codec), Ok((envelope(), confirmed())), "known already");
    let own = EventKind::OrderConfirmed as u32 + 1;
    codec.learn(own, "{}");
    let mut bytes = record();
    bytes[1..5].copy_from_slice(&own.to_be_bytes());
    assert!(codec.decode(&bytes).is_ok(), "what was given stays, too");
}

#[test]
fn a_codec_that_was_told_nothing_learns_all() {
    let codec = Codec::reading();
    assert_eq!(read(&codec), Err(format!("unknown schema id {OTHERS}")));
    codec.learn(OTHERS, compiled::schema(EventKind::OrderConfirmed));
    assert_eq!(read(&codec), Ok((envelope(), confirmed())));
}

#[test]
fn what_is_none_of_our_events_is_known_as_that_for_ever() {
    let unlisted = r#"{"type": "record", "name": "Other", "namespace": "watermart.orders",
        "fields": []}"#;
    let bare = r#"{"type": "record", "name": "OrderConfirmed", "fields": []}"#;
    let dotted = r#"{"type": "record", "name": "watermart.orders.OrderConfirmed", "fields": []}"#;
    for (text, why) in [
        (unlisted, "`watermart.orders.Other` is no event of this shop"),
        (bare, "`OrderConfirmed` is no event of this shop"),
        ("\"string\"", "`` is no event of this shop"),
        ("message Other {}", "not json"),
        (dotted, "the envelope is not where it belongs"),
    ] {
        let codec = Codec::compiled();
        codec.learn(OTHERS, text);
        assert!(codec.knows(OTHERS));
        let error = codec.decode(&record()).unwrap_err();
        assert!(matches!(error, DecodeError::NotOurs { id: OTHERS, .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let codec = Codec::compiled();
    codec.learn(OTHERS, &format!(r#"{{"name": "{}"}}"#, "n".repeat(1 << 20)));
    assert!(read(&codec).unwrap_err().len() < 1_000, "a dead letter is short");
}
