//! Crockford's base 32 in small letters: 26 characters for 16 bytes.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Of a letter: its digit, or this.
const NONE: u8 = 32;
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[ALPHABET[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

pub(super) fn encode(bytes: [u8; 16]) -> [u8; 26] {
    let number = u128::from_be_bytes(bytes);
    let mut text = [0; 26];
    for (i, letter) in text.iter_mut().enumerate() {
        let shift = 125 - 5 * i;
        *letter = ALPHABET[(number >> shift) as usize & 31];
    }
    text
}

pub(super) fn decode(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 26] = text.try_into().ok()?;
    let mut number = 0u128;
    let mut seen = 0;
    // Twelve letters fit a machine word.
    for letters in text.chunks(12) {
        let mut word = 0;
        for letter in letters {
            let digit = DIGITS[usize::from(*letter)];
            seen |= digit;
            word = word << 5 | u64::from(digit & 31);
        }
        number = number << (5 * letters.len()) | u128::from(word);
    }
    if seen & NONE != 0 || text[0] > b'7' {
        return None;
    }
    Some(number.to_be_bytes())
}
