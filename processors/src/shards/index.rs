//! Places of an arena by what lies there: an open table of numbers, each with the 32 bits of hash
//! that stand for it. It grows without looking at the arena, looks there only where these bits
//! agree, and needs one line of memory most of the time, which can be asked for ahead ([`touch`]).
//!
//! [`touch`]: Index::touch

use foldhash::fast::FixedState;
use std::hash::{BuildHasher as _, Hash};

/// No place: the slot is free.
const FREE: u32 = u32::MAX;
const SLOTS_MIN: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    at: u32,
}

/// Places by key; the keys lie in the arena.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// A power of two of them, three quarters taken at most. A key stands in the first slot from
    /// that of its tag on that was free.
    slots: Vec<Slot>,
    taken: usize,
    hashing: FixedState,
}

/// What stands for a key in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Index {
    pub(super) fn new(hashing: FixedState) -> Self {
        let slots = vec![Slot { tag: 0, at: FREE }; SLOTS_MIN];
        Self { slots, taken: 0, hashing }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "cut out of the hash")]
    pub(super) fn tag(&self, key: impl Hash) -> Tag {
        Tag((self.hashing.hash_one(key) >> 16) as u32)
    }

    /// Reads where the tag would stand; what it gives means nothing.
    #[inline]
    pub(super) fn touch(&self, tag: Tag) -> u32 {
        self.slots[self.home(tag.0)].at
    }

    /// A place that the tag may stand for: looks at no more than the table.
    #[inline]
    pub(super) fn guess(&self, tag: Tag) -> Option<u32> {
        self.find(tag, |_| true)
    }

    /// The place under this tag of which `is` is true.
    #[inline]
    pub(super) fn find(&self, tag: Tag, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.seek(tag, is).map(|slot| self.slots[slot].at)
    }

    /// Adds a place whose key is not here yet.
    pub(super) fn insert(&mut self, tag: Tag, at: u32) {
        if (self.taken + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.taken += 1;
        self.put(Slot { tag: tag.0, at });
    }

    /// Gives the key that lay at `from` another place.
    pub(super) fn replace(&mut self, tag: Tag, from: u32, to: u32) {
        if let Some(slot) = self.seek(tag, |at| at == from) {
            self.slots[slot].at = to;
        }
    }

    /// Takes a place out, if it is here; what was driven behind it moves up.
    pub(super) fn remove(&mut self, tag: Tag, at: u32) {
        let Some(mut free) = self.seek(tag, |other| other == at) else { return };
        self.taken -= 1;
        let mask = self.slots.len() - 1;
        let mut next = (free + 1) & mask;
        while self.slots[next].at != FREE {
            let from_home = next.wrapping_sub(self.home(self.slots[next].tag)) & mask;
            if from_home >= next.wrapping_sub(free) & mask {
                self.slots[free] = self.slots[next];
                free = next;
            }
            next = (next + 1) & mask;
        }
        self.slots[free].at = FREE;
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.slots.len() - 1)
    }

    #[inline]
    fn seek(&self, tag: Tag, is: impl Fn(u32) -> bool) -> Option<usize> {
        let mut place = self.home(tag.0);
        loop {
            let slot = self.slots[place];
            if slot.at == FREE {
                return None;
            }
            if slot.tag == tag.0 && is(slot.at) {
                return Some(place);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    fn put(&mut self, slot: Slot) {
        let mut place = self.home(slot.tag);
        while self.slots[place].at != FREE {
            place = (place + 1) & (self.slots.len() - 1);
        }
        self.slots[place] = slot;
    }

    fn grow(&mut self) {
        let more = vec![Slot { tag: 0, at: FREE }; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, more) {
            if slot.at != FREE {
                self.put(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few homes, so that keys drive each other away, also around the end of the table.
        #[test]
        fn finds_what_a_list_would(steps in prop::collection::vec((0u32..24, 0u8..3), 1..400)) {
            let mut index = Index::new(FixedState::with_seed(1));
            let mut list: Vec<(u32, u32)> = Vec::new();
            for (number, (key, what)) in (0..).zip(steps) {
                let tag = Tag(key.wrapping_mul(0x5555_5555) | 13);
                let known = list.iter().position(|(other, _)| *other == key);
                match (what, known) {
                    (0, Some(at)) => index.remove(tag, list.swap_remove(at).1),
                    (1, Some(at)) => {
                        index.replace(tag, list[at].1, number);
                        list[at].1 = number;
                    }
                    (_, Some(_)) => {}
                    (_, None) => {
                        index.insert(tag, number);
                        list.push((key, number));
                    }
                }
                for (key, at) in &list {
                    let tag = Tag(key.wrapping_mul(0x5555_5555) | 13);
                    prop_assert_eq!(index.find(tag, |other| other == *at), Some(*at));
                }
                prop_assert_eq!(index.taken, list.len());
                prop_assert_eq!(index.find(Tag(13), |_| false), None);
            }
        }
    }
}
