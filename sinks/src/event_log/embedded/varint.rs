//! Numbers of one to ten bytes, seven bits each, least first.

/// Adds `n`.
pub(super) fn put(bytes: &mut Vec<u8>, mut n: u64) {
    loop {
        let seven = n.to_le_bytes()[0] & 0x7f;
        n >>= 7;
        if n == 0 {
            bytes.push(seven);
            return;
        }
        bytes.push(seven | 0x80);
    }
}

/// Takes a number off the front; `None` if there is none of at most 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let seven = u64::from(first & 0x7f);
        if seven << shift >> shift != seven {
            return None;
        }
        n |= seven << shift;
        if first & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back() {
        for n in (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, u64::MAX >> bit]) {
            let mut bytes = Vec::new();
            put(&mut bytes, n);
            let mut rest = bytes.as_slice();
            assert_eq!((take(&mut rest), rest.len()), (Some(n), 0));
        }
    }

    #[test]
    fn what_is_cut_or_over_64_bits_is_no_number() {
        assert_eq!(take(&mut [0x80, 0x80].as_slice()), None);
        assert_eq!(take(&mut [0xff; 10].as_slice()), None);
        assert_eq!(take(&mut [].as_slice()), None);
    }
}
