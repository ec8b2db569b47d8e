//! An envelope's Avro datum read and written by hand: its six fields stand before every event, and
//! finding each of them by its name took a third of the time that an event took.
//!
//! It knows the schema that is compiled in. Reading, it gives up on whatever it does not like: the
//! general reader then says whether it is an envelope. So it must never read another envelope than
//! the general reader does, and may refuse what it likes; it allocates nothing. What it writes is
//! what the general writer writes.

use super::{Envelope, Role};
use crate::id::{EventId, Id};
use crate::time::Timestamp;

/// Bytes of a number up to which it cannot overflow.
const NUMBER_BYTES_MAX: usize = 9;

/// Reads an envelope and moves `datum` past it; or leaves it where it is.
#[inline]
pub(crate) fn read(datum: &mut &[u8]) -> Option<Envelope> {
    let mut rest = *datum;
    let envelope = Envelope {
        event_id: event_id(&mut rest)?,
        occurred_at: Timestamp(long(&mut rest)?),
        role: *Role::ALL.get(usize::try_from(long(&mut rest)?).ok()?)?,
        subject: subject(&mut rest)?,
        causation_id: event_id(&mut rest)?,
        correlation_id: event_id(&mut rest)?,
    };
    *datum = rest;
    Some(envelope)
}

/// Appends an envelope to `out`.
pub(crate) fn write(envelope: &Envelope, out: &mut Vec<u8>) {
    let Envelope { event_id, occurred_at, role, subject, causation_id, correlation_id } = envelope;
    out.extend_from_slice(&event_id.0);
    write_long(occurred_at.0, out);
    write_long(*role as i64, out);
    match subject {
        None => write_long(0, out),
        Some(subject) => {
            write_long(1, out);
            subject.with_text(|text| {
                write_long(i64::try_from(text.len()).expect("an id is short"), out);
                out.extend_from_slice(text.as_bytes());
            });
        }
    }
    out.extend_from_slice(&causation_id.0);
    out.extend_from_slice(&correlation_id.0);
}

/// Seven bits a byte, the lowest first, the sign in the lowest bit.
#[expect(clippy::cast_possible_truncation, reason = "each byte is cut out of the number")]
fn write_long(number: i64, out: &mut Vec<u8>) {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while left > 0x7f {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn event_id(rest: &mut &[u8]) -> Option<EventId> {
    let (id, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(EventId(*id))
}

/// The union of null and text.
fn subject(rest: &mut &[u8]) -> Option<Option<Id>> {
    match long(rest)? {
        0 => Some(None),
        1 => {
            let length = usize::try_from(long(rest)?).ok()?;
            let (text, behind) = rest.split_at_checked(length)?;
            *rest = behind;
            Id::parse_bytes(text).map(Some)
        }
        _ => None,
    }
}

fn long(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0;
    for (index, byte) in rest.iter().take(NUMBER_BYTES_MAX).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled;
    use crate::events::EventKind;
    use proptest::prelude::*;
    use serde::Deserialize as _;
    use serde_avro_fast::de::DeserializerState;
    use serde_avro_fast::ser::SerializerConfig;
    use std::io::BufRead as _;
    use std::ops::RangeInclusive;
    use std::sync::LazyLock;

    static SCHEMA: LazyLock<serde_avro_fast::Schema> = LazyLock::new(|| {
        let whole = compiled::json(EventKind::OrderConfirmed);
        whole["fields"][0]["type"].to_string().parse().expect("a test parses each of them")
    });

    /// What the general reader makes of it: the envelope and what it leaves.
    fn general(bytes: &[u8]) -> Option<(Envelope, Vec<u8>)> {
        let mut state = DeserializerState::from_slice(bytes, &SCHEMA);
        let envelope = Envelope::deserialize(state.deserializer()).ok()?;
        Some((envelope, state.fill_buf().expect("a slice").to_vec()))
    }

    fn by_hand(bytes: &[u8]) -> Option<(Envelope, Vec<u8>)> {
        let mut rest = bytes;
        Some((read(&mut rest)?, rest.to_vec()))
    }

    fn written(envelope: &Envelope) -> Vec<u8> {
        serde_avro_fast::to_datum_vec(envelope, &mut SerializerConfig::new(&SCHEMA)).unwrap()
    }

    /// A time whose number has nine bytes: ours have six.
    const NINE_BYTES: i64 = 1 << 61;

    prop_compose! {
        fn an_envelope(times: RangeInclusive<i64>)(
            ids in any::<[[u8; 16]; 3]>(),
            at in prop_oneof![times, 0..=1i64 << 42],
            role in 0..Role::ALL.len(),
            subject in proptest::option::of("[A-Za-z0-9._-]{1,64}"),
        ) -> Envelope {
            Envelope {
                event_id: EventId(ids[0]),
                occurred_at: Timestamp(at),
                role: Role::ALL[role],
                subject: subject.and_then(|text| Id::parse(&text)),
                causation_id: EventId(ids[1]),
                correlation_id: EventId(ids[2]),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4096, failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn what_is_written_by_hand_is_the_same_and_read_by_hand(
            envelope in an_envelope(-NINE_BYTES..=NINE_BYTES),
            behind in any::<[u8; 3]>(),
        ) {
            let mut by_our_hand = Vec::new();
            write(&envelope, &mut by_our_hand);
            prop_assert_eq!(&by_our_hand, &written(&envelope));
            let bytes = [&by_our_hand[..], &behind].concat();
            prop_assert_eq!(by_hand(&bytes), Some((envelope, behind.to_vec())));
        }

        #[test]
        fn nothing_is_read_by_hand_that_the_general_reader_reads_otherwise(
            envelope in an_envelope(i64::MIN..=i64::MAX),
            damage in proptest::collection::vec((0..200usize, any::<u8>(), 0..3), 0..4),
        ) {
            let mut bytes = written(&envelope);
            for (at, byte, how) in damage {
                let at = at % bytes.len().max(1);
                match how {
                    0 if !bytes.is_empty() => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => bytes.truncate(at),
                }
            }
            if let Some(read) = by_hand(&bytes) {
                prop_assert_eq!(Some(read), general(&bytes));
            }
        }
    }
}
