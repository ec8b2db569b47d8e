//! The text of a short id as one number: loaded by words and judged all bytes at once, as ids are
//! half of what an event's bytes are.

/// A byte each of 1.
const ONES: u128 = u128::MAX / 0xff;
/// The highest bit of each byte.
const HIGHEST: u128 = ONES << 7;

/// Whether a byte may stand in an id.
pub(super) const fn is_legal_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// The bytes as a number, big-endian. There are 1 to 15 of them.
///
/// Two words are loaded that overlap: where they do, both say the same.
#[inline]
pub(super) fn number(text: &[u8]) -> u128 {
    let length = text.len();
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let head = u128::from(u64::from_be_bytes(*head));
        return head << (8 * (length - 8)) | u128::from(u64::from_be_bytes(*tail));
    }
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let head = u64::from(u32::from_be_bytes(*head));
        return (head << (8 * (length - 4)) | u64::from(u32::from_be_bytes(*tail))).into();
    }
    text.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)).into()
}

/// Whether each of the `length` bytes of this number is [legal](is_legal_byte).
///
/// A sum carries into a byte's highest bit, and never out of it, if the byte is at least what the
/// other summand leaves room for; no legal byte has that bit itself.
#[inline]
pub(super) const fn is_legal(number: u128, length: usize) -> bool {
    let legal = between(number, b'-', b'.')
        | between(number, b'0', b'9')
        | between(number, b'_', b'_')
        // Small letters and large ones differ by this bit.
        | between(number | ONES << 5, b'a', b'z');
    let bytes = !(u128::MAX << (8 * length));
    (number | !legal) & HIGHEST & bytes == 0
}

/// Sets the highest bit of each byte from `least` to `most`.
#[inline]
const fn between(number: u128, least: u8, most: u8) -> u128 {
    let from_least = number.wrapping_add(ONES * (0x80 - least as u128));
    let above_most = number.wrapping_add(ONES * (0x7f - most as u128));
    from_least & !above_most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_judged_together_as_each_by_itself() {
        for length in 1..=15 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = *b"aZ09.-_bYx18zA5";
                    text[at] = byte;
                    let text = &text[..length];
                    let number = number(text);
                    assert_eq!(number.to_be_bytes()[16 - length..], *text);
                    assert_eq!(is_legal(number, length), is_legal_byte(byte), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn no_two_bad_bytes_make_a_good_one() {
        for pair in 0..=u16::MAX {
            let [left, right] = pair.to_be_bytes();
            let text = [b'a', left, right, b'z'];
            let legal = is_legal_byte(left) && is_legal_byte(right);
            assert_eq!(is_legal(number(&text), 4), legal, "{text:?}");
        }
    }
}
