//! The claims of all products of a shard, found by product and order, and chained by product.
//!
//! Each product has three chains: the lines that wait, in the order in which they asked; open
//! reservations, by deadline; allocations, by the time of their confirmation. A claim is in the
//! chain of its kind and in no other.

use super::arena::Arena;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use machines::reservation::Claim;
use schemas::id::OrderId;
use schemas::time::Timestamp;
use std::hash::BuildHasher;

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Claims {
    entries: Arena<Entry>,
    index: HashTable<u32>,
    hashing: FixedState,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) product: u32,
    pub(super) order: OrderId,
    claim: Option<Claim>,
    before: u32,
    behind: u32,
}

/// Ends of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    first: u32,
    last: u32,
}

/// The chains of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chains {
    pub(super) waiting: Chain,
    pub(super) reserved: Chain,
    pub(super) allocated: Chain,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Waiting,
    Reserved,
    Allocated,
}

impl Kind {
    const fn of(claim: &Claim) -> Self {
        match claim {
            Claim::Waiting(_) => Self::Waiting,
            Claim::Reserved(_) => Self::Reserved,
            Claim::Allocated { .. } => Self::Allocated,
        }
    }
}

impl Chain {
    const EMPTY: Self = Self { first: NONE, last: NONE };

    pub(super) fn first(self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    pub(super) fn last(self) -> Option<u32> {
        (self.last != NONE).then_some(self.last)
    }
}

impl Chains {
    pub(super) const EMPTY: Self =
        Self { waiting: Chain::EMPTY, reserved: Chain::EMPTY, allocated: Chain::EMPTY };

    const fn of(&mut self, kind: Kind) -> &mut Chain {
        match kind {
            Kind::Waiting => &mut self.waiting,
            Kind::Reserved => &mut self.reserved,
            Kind::Allocated => &mut self.allocated,
        }
    }
}

impl Claims {
    pub(super) fn new(hashing: FixedState) -> Self {
        Self { entries: Arena::new(), index: HashTable::new(), hashing }
    }

    fn hash(hashing: &FixedState, product: u32, order: OrderId) -> u64 {
        let [hi, lo] = order.words();
        hashing.hash_one((hi, lo ^ u64::from(product)))
    }

    pub(super) fn find(&self, product: u32, order: OrderId) -> Option<u32> {
        let hash = Self::hash(&self.hashing, product, order);
        let is = |at: &u32| {
            let entry = self.entries.get(*at);
            entry.order == order && entry.product == product
        };
        self.index.find(hash, is).copied()
    }

    pub(super) fn get(&self, at: u32) -> &Entry {
        self.entries.get(at)
    }

    /// The claim before this one in its chain.
    pub(super) fn before(&self, at: u32) -> Option<u32> {
        let before = self.entries.get(at).before;
        (before != NONE).then_some(before)
    }

    /// The claim behind this one in its chain.
    pub(super) fn behind(&self, at: u32) -> Option<u32> {
        let behind = self.entries.get(at).behind;
        (behind != NONE).then_some(behind)
    }

    pub(super) fn insert(
        &mut self,
        chains: &mut Chains,
        product: u32,
        order: OrderId,
        claim: Claim,
    ) {
        let kind = Kind::of(&claim);
        let entry = Entry { product, order, claim: Some(claim), before: NONE, behind: NONE };
        let at = self.entries.insert(entry);
        let (entries, hashing) = (&self.entries, &self.hashing);
        let rehash = |at: &u32| {
            let entry = entries.get(*at);
            Self::hash(hashing, entry.product, entry.order)
        };
        self.index.insert_unique(Self::hash(hashing, product, order), at, rehash);
        self.link(chains.of(kind), at);
    }

    /// Lets `evolve` change the claim; one that is none afterwards is forgotten.
    pub(super) fn change<R>(
        &mut self,
        chains: &mut Chains,
        at: u32,
        evolve: impl FnOnce(&mut Option<Claim>) -> R,
    ) -> R {
        let mut claim = self.entries.get_mut(at).claim.take();
        let kind = claim.as_ref().map(Kind::of);
        let done = evolve(&mut claim);
        let next = claim.as_ref().map(Kind::of);
        self.entries.get_mut(at).claim = claim;
        if kind != next {
            if let Some(kind) = kind {
                self.unlink(chains.of(kind), at);
            }
            match next {
                Some(kind) => self.link(chains.of(kind), at),
                None => self.remove(at),
            }
        }
        done
    }

    fn remove(&mut self, at: u32) {
        let Entry { product, order, .. } = self.entries.remove(at);
        let hash = Self::hash(&self.hashing, product, order);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == at) {
            found.remove();
        }
    }

    fn link(&mut self, chain: &mut Chain, at: u32) {
        let deadline = self.get(at).deadline();
        let mut before = chain.last;
        // Deadlines come in order but for orders asked again: a step or two at most.
        while before != NONE && self.get(before).deadline() > deadline {
            before = self.get(before).before;
        }
        let behind = match before {
            NONE => std::mem::replace(&mut chain.first, at),
            before => std::mem::replace(&mut self.entries.get_mut(before).behind, at),
        };
        match behind {
            NONE => chain.last = at,
            behind => self.entries.get_mut(behind).before = at,
        }
        let entry = self.entries.get_mut(at);
        (entry.before, entry.behind) = (before, behind);
    }

    fn unlink(&mut self, chain: &mut Chain, at: u32) {
        let (before, behind) = (self.get(at).before, self.get(at).behind);
        match before {
            NONE => chain.first = behind,
            before => self.entries.get_mut(before).behind = behind,
        }
        match behind {
            NONE => chain.last = before,
            behind => self.entries.get_mut(behind).before = before,
        }
    }
}

impl Entry {
    pub(super) fn claim(&self) -> &Claim {
        self.claim.as_ref().expect("an entry is without its claim only while it changes")
    }

    /// What orders a chain: only reservations stand in theirs by deadline.
    fn deadline(&self) -> Timestamp {
        match &self.claim {
            Some(Claim::Reserved(held)) => held.expires_at,
            Some(Claim::Waiting(_) | Claim::Allocated { .. }) | None => Timestamp::MIN,
        }
    }
}
