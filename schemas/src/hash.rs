//! The frozen hash: the same value on every machine, in every build, for ever.
//!
//! Key groups, output order and digests rest on it, so it is our own code with golden values
//! rather than a library's, which may change with a version. It is no defence against chosen
//! keys: what an attacker may choose is first taken through SHA-256 (see [`crate::id`]).

const K: u64 = 0x9e37_79b9_7f4a_7c15;
const M: u64 = 0xd6e8_feb8_6659_fd93;

/// Mixes one word so that every input bit reaches every output bit.
#[inline]
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 32)).wrapping_mul(M);
    let x = (x ^ (x >> 32)).wrapping_mul(M);
    x ^ (x >> 32)
}

/// A running hash over words and bytes; the order of what goes in matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hasher(u64);

impl Hasher {
    /// Starts a hash of the kind named by `seed`, so that equal data of two kinds differ.
    #[inline]
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(K)))
    }

    /// Takes in one word: one widening multiplication, whose halves are folded together.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is cut out of the product")]
    pub const fn word(self, x: u64) -> Self {
        let product = (self.0 ^ x) as u128 * M as u128;
        Self(product as u64 ^ (product >> 64) as u64)
    }

    /// Takes in bytes and their count.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let mut hash = self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = hash.word(u64::from_le_bytes(word));
        }
        hash
    }

    /// The value so far.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u64 {
        mix(self.0)
    }
}

/// 16 bytes of hash of words: see [`hash128`].
#[inline]
#[must_use]
pub fn hash128_of_words(seed: u64, words: &[u64]) -> [u8; 16] {
    let half = |seed| words.iter().fold(Hasher::new(seed), |hash, word| hash.word(*word)).finish();
    (u128::from(half(seed)) << 64 | u128::from(half(!seed))).to_be_bytes()
}

/// 16 bytes of hash: two independent passes, for ids that nobody chooses (outputs' event ids,
/// the chain of plans).
#[must_use]
pub fn hash128(seed: u64, bytes: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&Hasher::new(seed).bytes(bytes).finish().to_be_bytes());
    out[8..].copy_from_slice(&Hasher::new(!seed).bytes(bytes).finish().to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_frozen() {
        assert_eq!(mix(1), 0x4179_b061_e0c0_e0d0);
        assert_eq!(Hasher::new(0).bytes(b"watermart").finish(), 0x606f_49f5_ee7c_898a);
    }
}
