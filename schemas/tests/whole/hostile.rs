//! Records written to do harm: they fail, quickly and within the stated memory.

use crate::samples::{all, envelope, is_enveloped};
use allocation_counter::measure;
use proptest::prelude::*;
use schemas::codec::{Codec, SchemaError};
use schemas::compiled;
use schemas::events::{Event, EventKind};
use schemas::limits::{ATTRIBUTES_MAX, DECODE_BYTES_MAX, LINES_MAX, RECORD_BYTES_MAX};
use std::sync::LazyLock;

static CODEC: LazyLock<Codec> = LazyLock::new(Codec::compiled);

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    match is_enveloped(event.kind()) {
        true => CODEC.encode(&envelope(), event, &mut bytes),
        false => CODEC.encode_bare(event, &mut bytes),
    }
    bytes
}

fn of(kind: EventKind) -> Event {
    all().swap_remove(kind as usize)
}

/// Whether it is read, having held no more than may be.
fn is_read(codec: &Codec, bytes: &[u8]) -> bool {
    let mut read = false;
    let info = measure(|| read = codec.decode(bytes).is_ok() | codec.decode_bare(bytes).is_ok());
    let most = info.bytes_max;
    assert!(most <= DECODE_BYTES_MAX as u64, "{most} bytes held for {} bytes", bytes.len());
    read
}

/// A number as Avro writes it.
fn long(number: i64) -> Vec<u8> {
    let mut rest = (number << 1 ^ number >> 63).cast_unsigned();
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    bytes.extend(u8::try_from(rest));
    bytes
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [long(bytes.len() as i64), bytes.to_vec()].concat()
}

/// The record of `event` with `to` for the last `from`.
fn with_part(event: &Event, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = encoded(event);
    let at = bytes.windows(from.len()).rposition(|part| part == from).expect("it has one");
    bytes.splice(at..at + from.len(), to.iter().copied());
    bytes
}

/// The record of `event` up to the last `tail`, then `instead` and no more.
fn with_tail(event: &Event, tail: &[u8], instead: &[u8]) -> Vec<u8> {
    let bytes = encoded(event);
    let at = bytes.windows(tail.len()).rposition(|part| part == tail).expect("it has one");
    [&bytes[..at], instead].concat()
}

#[test]
fn framing_is_checked() {
    let whole = encoded(&of(EventKind::OrderConfirmed));
    assert!(is_read(&CODEC, &whole));
    for length in 0..whole.len() {
        assert!(!is_read(&CODEC, &whole[..length]), "cut at {length}");
    }
    assert!(!is_read(&CODEC, &[&whole[..], &[0]].concat()), "a byte too many");
    assert!(!is_read(&CODEC, &[&[1], &whole[1..]].concat()), "no zero byte");
    assert!(!is_read(&CODEC, &[&[0, 0, 0, 0, 0], &whole[5..]].concat()), "no such schema");
    assert!(!is_read(&CODEC, &[&whole[..], &vec![0; RECORD_BYTES_MAX]].concat()), "too long");
}

#[test]
fn lists_are_counted_while_they_are_read() {
    let event = of(EventKind::OrderRejected);
    let product = text(b"a-product-of-a-long-name");
    let line = &[product, long(0), long(9), long(u32::MAX.into())].concat()[..];
    let list = [&[2], line, &[0]].concat();
    let with_lines = |instead: &[u8]| is_read(&CODEC, &with_tail(&event, &list, instead));
    let of_count = |count: usize| [&long(count as i64), &line.repeat(count)[..], &[0]].concat();

    assert!(with_lines(&of_count(LINES_MAX)));
    assert!(!with_lines(&of_count(LINES_MAX + 1)));
    let in_blocks = [&[2], line].concat().repeat(LINES_MAX);
    assert!(with_lines(&[&in_blocks[..], &[0]].concat()), "as many blocks");
    assert!(!with_lines(&[&in_blocks[..], &[2], line, &[0]].concat()), "one block more");
    let sized = [&long(-1)[..], &long(line.len() as i64), line, &[0]].concat();
    assert!(with_lines(&sized), "a block that says its size");
    for count in [1 << 20, 1 << 40, i64::MAX, i64::MIN, i64::MIN + 1, -1 << 40] {
        assert!(!with_lines(&[&long(count)[..], line, &[0]].concat()), "{count}");
    }
}

#[test]
fn attributes_are_counted_while_they_are_read() {
    let event = of(EventKind::ProductPutRequested);
    let map = [&long(2)[..], &text(b"colour")].concat();
    let tail = [&long(0)[..], &long(0), &long(0)].concat();
    let with_names = |names: &[Vec<u8>]| {
        let entries = names.iter().flat_map(|name| [text(name), text(b"")].concat());
        let count = long(names.len() as i64);
        let instead: Vec<u8> = count.into_iter().chain(entries).chain(tail.clone()).collect();
        is_read(&CODEC, &with_tail(&event, &map, &instead))
    };
    let names: Vec<_> = (0..=ATTRIBUTES_MAX).map(|i| i.to_string().into_bytes()).collect();
    assert!(with_names(&names[..ATTRIBUTES_MAX]));
    assert!(!with_names(&names));
    assert!(!with_names(&vec![b"same".to_vec(); ATTRIBUTES_MAX + 1]));
    assert!(!with_names(&vec![Vec::new(); RECORD_BYTES_MAX / 2 - 1000]));
}

#[test]
fn a_long_text_costs_what_it_weighs() {
    let big = RECORD_BYTES_MAX - 1000;
    let adjusted = of(EventKind::StockAdjusted);
    let reason = text(b"broken");
    let with_reason = |instead: &[u8]| is_read(&CODEC, &with_tail(&adjusted, &reason, instead));
    assert!(with_reason(&[text(&vec![b'x'; big]), long(1)].concat()));
    assert!(!with_reason(&[text(&vec![0xff; big]), long(1)].concat()), "not UTF-8");
    for length in [-1, big as i64, i64::MAX, i64::MIN] {
        assert!(!with_reason(&long(length)), "{length} bytes of nothing");
    }
    // An error that shows the text would show six characters for each of these.
    let secured = of(EventKind::ReservationSecured);
    let controls = text(&vec![0x7f; big]);
    let product = text(b"a-product-of-a-long-name");
    assert!(!is_read(&CODEC, &with_tail(&secured, &product, &controls)));
    let cart = of(EventKind::CartChanged);
    assert!(!is_read(&CODEC, &with_tail(&cart, &text(b"EUR"), &controls)));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let requested = of(EventKind::OrderRequested);
    let product = text(b"a-product-of-a-long-name");
    let line = |quantity: i64, price: i64| {
        let from = [&product[..], &long(1_000_000), &long(10_000_000_000)].concat();
        let to = [&product[..], &long(quantity), &long(price)].concat();
        is_read(&CODEC, &with_part(&requested, &from, &to))
    };
    assert!(line(1, 0) && line(1_000_000, 10_000_000_000));
    for quantity in [0, -1, 1_000_001, i64::from(u32::MAX) + 2, i64::MIN] {
        assert!(!line(quantity, 1), "{quantity}");
    }
    for price in [-1, 10_000_000_001, i64::MAX] {
        assert!(!line(1, price), "{price}");
    }
    let cancelled = of(EventKind::OrderCancelled);
    let because = |symbol| is_read(&CODEC, &with_tail(&cancelled, &long(16), &long(symbol)));
    assert!(because(15));
    for symbol in [-1, 17, i64::MAX, i64::MIN] {
        assert!(!because(symbol), "reason {symbol}");
    }
    let letter = of(EventKind::DeadLetter);
    let place = |topic| [long(topic), long(15), long(70_000)].concat();
    let on_topic = |topic| is_read(&CODEC, &with_part(&letter, &place(2), &place(topic)));
    assert!(on_topic(255));
    for topic in [-1, 256, 1 << 31, 1 << 33] {
        assert!(!on_topic(topic), "topic {topic}");
    }
}

/// The id of the schema that [`with_field`] adds: all others are below.
const ADDED: u32 = 2000;

/// The compiled schemas, and one more with `field` at the end of [`EventKind::OrderConfirmed`].
fn with_field(field: &str) -> Result<Codec, SchemaError> {
    let last = r#"{"name": "customer_id","#;
    let confirmed = compiled::schema(EventKind::OrderConfirmed);
    assert!(confirmed.contains(last));
    let more = confirmed.replace(last, &format!("{field}, {last}"));
    let all = EventKind::ALL.iter().zip(1000..);
    let all = all.map(|(kind, id)| (id, *kind, compiled::schema(*kind).to_owned()));
    Codec::new(all.chain([(ADDED, EventKind::OrderConfirmed, more)]))
}

fn confirmed_with(field: &[u8]) -> Vec<u8> {
    let customer = text(b"c-4711");
    let end = [field, &customer].concat();
    let bytes = with_tail(&of(EventKind::OrderConfirmed), &customer, &end);
    [&[0], &ADDED.to_be_bytes()[..], &bytes[5..]].concat()
}

#[test]
fn a_field_of_another_version_is_skipped_within_bounds() {
    let list = r#"{"name": "more", "type": {"type": "array", "items": "int"}}"#;
    let codec = with_field(list).expect("a good schema");
    let lies = |count: i64| [long(count), long(1), long(0)].concat();
    assert!(is_read(&codec, &confirmed_with(&lies(1))));
    for count in [2, 1 << 30, i64::MAX, i64::MIN, -1] {
        assert!(!is_read(&codec, &confirmed_with(&lies(count))), "{count}");
    }

    let nest = r#"{"name": "more", "type": {"type": "record", "name": "Nest", "fields":
        [{"name": "inner", "type": ["null", "Nest"]}]}}"#;
    let codec = with_field(nest).expect("a good schema");
    assert!(is_read(&codec, &confirmed_with(&[vec![2; 10], vec![0]].concat())));
    assert!(!is_read(&codec, &confirmed_with(&[vec![2; 500_000], vec![0]].concat())), "deep");
}

#[test]
fn schemas_that_cannot_be_bounded_are_refused() {
    for items in [
        r#""null""#,
        r#"{"type": "fixed", "name": "No", "size": 0}"#,
        r#"{"type": "record", "name": "No", "fields": [{"name": "no", "type": "null"}]}"#,
    ] {
        let list = format!(r#"{{"name": "more", "type": {{"type": "array", "items": {items}}}}}"#);
        let refused = with_field(&list).err();
        assert!(matches!(refused, Some(SchemaError::ListOfNothing { .. })), "{refused:?}");
    }
    let endless = r#"{"name": "more", "type": {"type": "record", "name": "E", "fields":
        [{"name": "inner", "type": "E"}]}}"#;
    assert!(matches!(with_field(endless).err(), Some(SchemaError::Malformed { .. })));
}

#[test]
fn schemas_must_fit_their_events() {
    let confirmed = compiled::schema(EventKind::OrderConfirmed);
    let claimed = compiled::schema(EventKind::GenerationClaimed);
    let error = |kind, text: &str| Codec::new([(9, kind, text.to_owned())]).err();
    let bare = error(EventKind::OrderConfirmed, claimed);
    assert!(matches!(bare, Some(SchemaError::Envelope { id: 9, .. })), "{bare:?}");
    let enveloped = error(EventKind::GenerationClaimed, confirmed);
    assert!(matches!(enveloped, Some(SchemaError::Envelope { id: 9, .. })), "{enveloped:?}");
    for text in ["", "[]", "\"string\"", "{"] {
        assert!(error(EventKind::OrderConfirmed, text).is_some(), "{text}");
    }
    let alone = error(EventKind::OrderConfirmed, confirmed);
    assert!(matches!(alone, Some(SchemaError::NotGiven(_))), "{alone:?}");
    let twice = [9, 9].map(|id| (id, EventKind::OrderConfirmed, confirmed.to_owned()));
    assert!(matches!(Codec::new(twice).err(), Some(SchemaError::Twice(9))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..Default::default() })]

    #[test]
    fn damaged_bytes_never_panic(
        kind in 0..EventKind::ALL.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut bytes = encoded(&all()[kind]);
        for (at, byte, how) in damage {
            let at = at.index(bytes.len() - 5) + 5;
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at + 1),
            }
        }
        is_read(&CODEC, &bytes);
    }
}
