//! The request `ApiVersions` and its answer, as bytes: the third version of both.
//!
//! The answer may be anything: it is read without trust, and allocates nothing.

/// The feature whose levels tell the release.
const METADATA: &[u8] = b"metadata.version";

/// The request, framed: key 18 in version 3, the correlation 1, who asks.
pub(super) fn request() -> Vec<u8> {
    let mut body = vec![0, 18, 0, 3, 0, 0, 0, 1];
    let name = b"watermart";
    // The header's client id has its length in two bytes; then come its tagged fields, none.
    body.extend([0, 9]);
    body.extend(name);
    body.push(0);
    // Name and version of the software: compact, so with the length and one in front.
    for text in [name.as_slice(), env!("CARGO_PKG_VERSION").as_bytes()] {
        body.push(u8::try_from(text.len() + 1).expect("they are short"));
        body.extend(text);
    }
    body.push(0);
    let length = u32::try_from(body.len()).expect("it is short");
    [&length.to_be_bytes()[..], &body].concat()
}

/// What the answer says of the metadata's levels.
#[derive(Default)]
pub(super) struct Features {
    /// The newest that the broker knows.
    pub(super) known: Option<i16>,
    /// The one that the cluster uses.
    pub(super) in_force: Option<i16>,
}

/// Reads the answer; or says what is wrong with it.
pub(super) fn features(answer: &[u8]) -> Result<Features, &'static str> {
    let mut rest = Bytes(answer);
    if rest.i32().ok_or(SHORT)? != 1 {
        return Err("it answers another question");
    }
    if rest.i16().ok_or(SHORT)? != 0 {
        return Err("it does not know the question in this version");
    }
    // What requests it knows; then how long it held this one back.
    for _ in 0..rest.count().ok_or(SHORT)? {
        rest.take(6).and_then(|_| rest.skip_tagged()).ok_or(SHORT)?;
    }
    rest.take(4).ok_or(SHORT)?;
    rest.tagged_features().ok_or(SHORT)
}

const SHORT: &str = "its answer breaks off";

/// What is left of an answer. Everything is `None` where it breaks off.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Seven bits a byte, the lowest first, at most 32 of them.
    fn varint(&mut self) -> Option<usize> {
        let mut value: u64 = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(u32::try_from(value).ok()?).ok();
            }
        }
        None
    }

    /// Of a compact list or text: its length and one; 0 is none at all.
    fn count(&mut self) -> Option<usize> {
        Some(self.varint()?.saturating_sub(1))
    }

    fn skip_tagged(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Some(())
    }

    /// The tagged fields of the answer: 0 lists what is known, 2 what is in force.
    fn tagged_features(&mut self) -> Option<Features> {
        let mut found = Features::default();
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()?;
            let mut field = Bytes(self.take(length)?);
            match tag {
                // Of both pairs the upper bound: known from .. to, in force to .. from.
                0 => found.known = field.level_of_metadata(|_, second| second)?,
                2 => found.in_force = field.level_of_metadata(|first, _| first)?,
                _ => {}
            }
        }
        Some(found)
    }

    /// From a list of features with two levels each, one of the metadata's.
    fn level_of_metadata(&mut self, which: fn(i16, i16) -> i16) -> Option<Option<i16>> {
        let mut found = None;
        for _ in 0..self.count()? {
            let length = self.count()?;
            let name = self.take(length)?;
            let level = which(self.i16()?, self.i16()?);
            self.skip_tagged()?;
            if name == METADATA {
                found = Some(level);
            }
        }
        Some(found)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer with one request known, and two features.
    pub(in super::super) fn honest() -> Vec<u8> {
        let feature = |name: &[u8], first: u8, second: u8| {
            let length = u8::try_from(name.len() + 1).unwrap();
            [&[length], name, &[0, first, 0, second, 0]].concat()
        };
        let known =
            [&[3][..], &feature(b"kraft.version", 0, 1), &feature(METADATA, 7, 30)].concat();
        let in_force = [&[2][..], &feature(METADATA, 29, 29)].concat();
        let mut answer = vec![0, 0, 0, 1, 0, 0, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0, 3];
        for (tag, field) in [(0, known), (1, vec![0; 8]), (2, in_force)] {
            answer.extend([tag, u8::try_from(field.len()).unwrap()]);
            answer.extend(field);
        }
        answer
    }

    #[test]
    fn every_beginning_of_an_answer_breaks_off() {
        let whole = honest();
        assert!(features(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(features(&whole[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_any_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..60_usize) {
            let mut changed = honest();
            let place = at.min(changed.len());
            changed.splice(place.., bytes.iter().copied());
            // Whatever it says: it ends, and reads nothing beyond what came.
            for answer in [&bytes, &changed] {
                if let Ok(Features { known: Some(level), .. }) = features(answer) {
                    prop_assert!(answer.windows(2).any(|pair| pair == level.to_be_bytes()));
                }
            }
        }
    }
}
