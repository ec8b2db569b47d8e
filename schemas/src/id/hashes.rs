//! What requests are known by: hashes of what was asked, and under which key.

use super::{ActionId, Id};
use sha2::{Digest, Sha256};

/// What an action is known by: 16 bytes of SHA-256 over who, key, route and canonical body, with
/// the key group in front. Parts are taken in with their lengths, so no two lists of parts agree.
#[must_use]
pub fn action_id(group: u16, parts: &[&[u8]]) -> ActionId {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&sha.finalize()[..16]);
    ActionId::new(group, hash)
}

/// An idempotency key inside: 16 bytes of the SHA-256 of its text. On the log it is the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyHash(pub [u64; 2]);

impl KeyHash {
    /// The hash of `key`.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(key.as_bytes())[..16]);
        Self(Id::from_bytes(hash).0)
    }
}
