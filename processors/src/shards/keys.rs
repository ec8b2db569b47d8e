//! Idempotency keys of one worker: which action an owner's key stands for, for 24 hours of log
//! time. Whether a key is known is a matter of its age, never of when it was forgotten.
//!
//! A key costs about 50 bytes: its name is 16 bytes of hash over owner and key, and keys lie in the
//! order of their age, in pieces that are given up whole.

use super::index::Index;
use crate::checkpoints::snapshot::{Kind, Snapshot};
use foldhash::fast::FixedState;
use schemas::hash::Hasher;
use schemas::id::{ActionId, Id, KeyHash};
use schemas::limits::IDEMPOTENCY_KEY_KEPT_MS;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const PIECE: usize = 1024;
/// Forgotten in one epoch: more than an epoch of many records learns, so that what is kept shrinks
/// to what must be kept, and few enough to hold nothing up.
const FORGOTTEN_MAX: usize = 40_000;

/// What a key is to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It stood for nothing: from now on for this action.
    Fresh,
    /// It stands for this very action.
    Same,
    /// It stands for another.
    Reused,
}

/// A key that is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    name: [u64; 2],
    action: ActionId,
    since: Timestamp,
}

/// The keys of all owners.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    index: Index,
    /// By age; all but the last are full.
    pieces: VecDeque<Vec<Kept>>,
    /// Number of the first key of the first piece; numbers wrap around.
    first: u32,
    /// How many keys of the first piece are forgotten.
    gone: usize,
    /// Number of the first key that was not saved yet.
    unsaved: u32,
    /// Loaded and not sorted in yet.
    loaded: Vec<Kept>,
}

impl Keys {
    pub(super) fn new(hashing: FixedState) -> Self {
        Self {
            index: Index::new(hashing),
            pieces: VecDeque::new(),
            first: 0,
            gone: 0,
            unsaved: 0,
            loaded: Vec::new(),
        }
    }

    /// What `key` of `owner` is to `action`; a fresh one is remembered.
    pub(super) fn claim(
        &mut self,
        now: Timestamp,
        owner: Id,
        key: KeyHash,
        action: ActionId,
    ) -> Key {
        let name = name(owner, key);
        let tag = self.index.tag(name);
        let known = self.index.find(tag, |number| self.get(number).name == name);
        if let Some(number) = known {
            let kept = self.get(number);
            if is_kept(kept.since, now) {
                return if kept.action == action { Key::Same } else { Key::Reused };
            }
        }
        let fresh = self.push(Kept { name, action, since: now });
        match known {
            Some(number) => self.index.replace(tag, number, fresh),
            None => self.index.insert(tag, fresh),
        }
        Key::Fresh
    }

    /// Reads where `key` of `owner` would stand, that it is near when it is claimed.
    pub(super) fn touch(&self, owner: Id, key: KeyHash) -> u32 {
        self.index.touch(self.index.tag(name(owner, key)))
    }

    /// Gives up what is over.
    pub(super) fn forget(&mut self, now: Timestamp) {
        for _ in 0..FORGOTTEN_MAX {
            let Some(piece) = self.pieces.front() else { return };
            let Some(oldest) = piece.get(self.gone) else { return };
            if is_kept(oldest.since, now) {
                return;
            }
            let (tag, number) = (self.index.tag(oldest.name), self.number(self.gone));
            // A key learned again since then has another number, and stays.
            self.index.remove(tag, number);
            self.gone += 1;
            if self.gone == PIECE {
                self.pieces.pop_front();
                (self.first, self.gone) = (self.number(PIECE), 0);
            }
        }
    }

    /// What is remembered, in no order, as text: for tests that compare runs.
    pub(super) fn dump(&self) -> impl Iterator<Item = String> {
        self.pieces.iter().flatten().skip(self.gone).map(|kept| format!("key {kept:?}"))
    }

    /// Saves the keys learned since they were last saved. That one is forgotten need not be saved:
    /// its age tells.
    pub(super) fn save(&mut self, kind: Kind, snapshot: &mut Snapshot) {
        let end = self.end();
        let places = self.pieces.iter().map(Vec::len).sum::<usize>();
        let unsaved = end.wrapping_sub(self.unsaved) as usize;
        for place in places.saturating_sub(unsaved).max(self.gone)..places {
            let kept = self.get(self.number(place));
            let [hi, lo] = kept.name.map(u64::to_be_bytes);
            snapshot.put(group(kept.name), kind, &[hi, lo].concat(), kept);
        }
        self.unsaved = end;
    }

    /// Takes in a key as it was saved.
    pub(super) fn load(&mut self, key: Kept) {
        self.loaded.push(key);
    }

    /// All are loaded at this time: those that are not over lie by age from now on.
    pub(super) fn end_load(&mut self, now: Timestamp) {
        let mut loaded = std::mem::take(&mut self.loaded);
        loaded.retain(|kept| is_kept(kept.since, now));
        loaded.sort_unstable_by_key(|kept| (kept.since, kept.name));
        for kept in loaded {
            let tag = self.index.tag(kept.name);
            let number = self.push(kept);
            self.index.insert(tag, number);
        }
        self.unsaved = self.end();
    }

    /// The next key's number.
    fn end(&self) -> u32 {
        self.number(self.pieces.iter().map(Vec::len).sum())
    }

    fn push(&mut self, kept: Kept) -> u32 {
        if self.pieces.back().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push_back(Vec::with_capacity(PIECE));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let piece = self.pieces.back_mut().expect("one was pushed");
        piece.push(kept);
        let place = before + piece.len() - 1;
        self.number(place)
    }

    fn number(&self, place: usize) -> u32 {
        let place = u32::try_from(place).expect("4 billion keys do not fit in memory");
        self.first.wrapping_add(place)
    }

    fn get(&self, number: u32) -> &Kept {
        let place = number.wrapping_sub(self.first) as usize;
        &self.pieces[place / PIECE][place % PIECE]
    }
}

/// 118 bits of hash, behind the owner's key group.
fn name(owner: Id, KeyHash([hi, lo]): KeyHash) -> [u64; 2] {
    let [owner_hi, owner_lo] = owner.words();
    let [hi, lo] = [hi, lo].map(|half| Hasher::new(half).word(owner_hi).word(owner_lo).finish());
    [hi >> 10 | u64::from(owner.group()) << 54, lo]
}

const fn group([hi, _]: [u64; 2]) -> u16 {
    (hi >> 54) as u16
}

/// Whether a key as it was saved is over at this time, and so for ever.
///
/// # Errors
/// It is none that this build has written.
pub fn is_over(saved: &[u8], now: Timestamp) -> Result<bool, postcard::Error> {
    let kept: Kept = postcard::from_bytes(saved)?;
    Ok(!is_kept(kept.since, now))
}

fn is_kept(since: Timestamp, now: Timestamp) -> bool {
    since.plus_ms(IDEMPOTENCY_KEY_KEPT_MS) > now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(keys: &mut Keys, now: i64, owner: &str, key: &str, action: u16) -> Key {
        let (owner, key) = (Id::parse(owner).unwrap(), KeyHash::of(key));
        keys.claim(Timestamp(now), owner, key, ActionId::new(action, [7; 16]))
    }

    #[test]
    fn a_key_stands_for_one_action_of_one_owner_for_its_time() {
        let keys = &mut Keys::new(FixedState::with_seed(1));
        assert_eq!(claim(keys, 0, "a", "k", 1), Key::Fresh);
        assert_eq!(claim(keys, 1, "a", "k", 1), Key::Same);
        assert_eq!(claim(keys, 1, "a", "k", 2), Key::Reused);
        assert_eq!(claim(keys, 1, "b", "k", 2), Key::Fresh);
        let over = IDEMPOTENCY_KEY_KEPT_MS;
        assert_eq!(claim(keys, over - 1, "a", "k", 2), Key::Reused);
        assert_eq!(claim(keys, over, "a", "k", 2), Key::Fresh);
        keys.forget(Timestamp(over));
        assert_eq!(claim(keys, over, "a", "k", 2), Key::Same, "what was learned again stays");
    }

    #[test]
    fn what_is_over_is_given_up_piece_by_piece() {
        let keys = &mut Keys::new(FixedState::with_seed(1));
        let count = 3 * PIECE + 5;
        for number in 0..count {
            let now = i64::try_from(number).unwrap();
            assert_eq!(claim(keys, now, "a", &number.to_string(), 1), Key::Fresh);
        }
        keys.forget(Timestamp(IDEMPOTENCY_KEY_KEPT_MS + 2 * 1024 + 9));
        assert_eq!((keys.pieces.len(), keys.gone), (2, 10));
        assert_eq!(keys.dump().count(), count - 2 * PIECE - 10);
        let now = IDEMPOTENCY_KEY_KEPT_MS + 2 * 1024 + 9;
        assert_eq!(claim(keys, now, "a", "2058", 1), Key::Same);
        assert_eq!(claim(keys, now, "a", "2057", 1), Key::Fresh);
    }
}
