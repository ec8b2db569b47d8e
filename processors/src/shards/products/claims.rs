//! The claims of all products of a shard, chained by product.
//!
//! Each product has three chains: the lines that wait, in the order in which they asked; open
//! reservations, by deadline; allocations, by the time of their confirmation. A claim is in the
//! chain of its kind and in no other.
//!
//! A claim keeps its place as long as it lives, and its order is told the place with the answer:
//! whoever speaks of it later brings the place along. Without one comes only what may be about a
//! line that still waits, or waited; those alone are found by product and order. (A line that was
//! answered at once is known to customers a round later, before they can speak of it.)

use crate::shards::arena::Arena;
use crate::shards::changes::Changes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use machines::message::Place;
use machines::reservation::Claim;
use schemas::id::OrderId;
use schemas::time::Timestamp;

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Claims {
    entries: Arena<Entry>,
    /// By product and order, those that have waited.
    waited: HashMap<(u32, OrderId), u32, FixedState>,
    /// By product and order, those that were told their place before the state was restored.
    pub(super) restored: HashMap<(u32, OrderId), u32, FixedState>,
    /// Links so far.
    pub(super) links: u64,
    pub(super) unsaved: Changes,
    /// Product and order of claims that ended since they were last saved.
    pub(super) ended: Vec<(u32, OrderId)>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) product: u32,
    pub(super) order: OrderId,
    claim: Option<Claim>,
    before: u32,
    behind: u32,
    /// Its number among the links: what stands in a chain by the same deadline stands in this
    /// order.
    pub(super) linked: u64,
    /// Whether its row changed since rows were last taken.
    row_changed: bool,
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
    /// The deadline of the first reservation; [`Timestamp::MAX`] if there is none.
    pub(super) due: Timestamp,
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
    pub(super) const EMPTY: Self = Self {
        waiting: Chain::EMPTY,
        reserved: Chain::EMPTY,
        allocated: Chain::EMPTY,
        due: Timestamp::MAX,
    };

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
        Self {
            entries: Arena::new(),
            waited: HashMap::with_hasher(hashing.clone()),
            restored: HashMap::with_hasher(hashing),
            links: 0,
            unsaved: Changes::default(),
            ended: Vec::new(),
        }
    }

    /// The claim of this order on this product.
    #[inline]
    pub(super) fn find(&self, product: u32, order: OrderId, place: Place) -> Option<u32> {
        match place.number() {
            Some(at) => {
                let entry = self.entries.peek(at)?;
                (entry.order == order && entry.product == product).then_some(at)
            }
            None if place.is_restored() => self.restored.get(&(product, order)).copied(),
            None => self.waited.get(&(product, order)).copied(),
        }
    }

    /// Looks through all claims of a product: what a test knows of places.
    #[cfg(test)]
    pub(super) fn search(&self, chains: Chains, order: OrderId) -> Place {
        for chain in [chains.waiting, chains.reserved, chains.allocated] {
            let mut next = chain.first();
            while let Some(at) = next {
                if self.get(at).order == order {
                    return Place::new(at);
                }
                next = self.behind(at);
            }
        }
        Place::UNKNOWN
    }

    /// Reads what will be read when a claim is changed, or another put behind it.
    #[inline]
    pub(super) fn touch(&self, at: u32) -> u32 {
        self.entries.peek(at).map_or(0, |entry| entry.product ^ entry.behind)
    }

    /// Marks that the claim's row changed; false if that was marked already.
    pub(super) fn mark(&mut self, at: u32) -> bool {
        !std::mem::replace(&mut self.entries.get_mut(at).row_changed, true)
    }

    /// Takes the mark away; false if there is none, or no claim any more.
    pub(super) fn unmark(&mut self, at: u32) -> bool {
        self.entries.peek(at).is_some_and(|entry| entry.row_changed)
            && std::mem::replace(&mut self.entries.get_mut(at).row_changed, false)
    }

    pub(super) fn peek(&self, at: u32) -> Option<&Entry> {
        self.entries.peek(at)
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
    ) -> u32 {
        let kind = Kind::of(&claim);
        let at = self.add(product, order, claim, kind == Kind::Waiting);
        self.link(chains, kind, at);
        at
    }

    /// Adds a claim that is in no chain yet.
    pub(super) fn add(&mut self, product: u32, order: OrderId, claim: Claim, waited: bool) -> u32 {
        let at = self.entries.insert(Entry {
            product,
            order,
            claim: Some(claim),
            before: NONE,
            behind: NONE,
            linked: 0,
            row_changed: false,
        });
        if waited {
            self.waited.insert((product, order), at);
        }
        at
    }

    /// Puts a claim back into its chain. Called for all that were saved in the order in which they
    /// were linked, so that each comes to stand where it stood.
    pub(super) fn link_again(&mut self, chains: &mut Chains, at: u32, linked: u64) {
        self.links = linked - 1;
        self.link(chains, Kind::of(self.get(at).claim()), at);
    }

    /// Whether it has waited.
    pub(super) fn has_waited(&self, product: u32, order: OrderId) -> bool {
        self.waited.contains_key(&(product, order))
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
        self.unsaved.mark(at);
        if kind != next {
            if let Some(kind) = kind {
                self.unlink(chains, kind, at);
            }
            match next {
                Some(kind) => self.link(chains, kind, at),
                None => self.remove(at),
            }
        }
        done
    }

    fn remove(&mut self, at: u32) {
        let Entry { product, order, .. } = self.entries.remove(at);
        for by_name in [&mut self.waited, &mut self.restored] {
            if !by_name.is_empty() {
                by_name.remove(&(product, order));
            }
        }
        if self.unsaved.is_kept() {
            self.ended.push((product, order));
        }
    }

    fn link(&mut self, chains: &mut Chains, kind: Kind, at: u32) {
        let chain = chains.of(kind);
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
        self.links += 1;
        let linked = self.links;
        let entry = self.entries.get_mut(at);
        (entry.before, entry.behind, entry.linked) = (before, behind, linked);
        self.unsaved.mark(at);
        if kind == Kind::Reserved && before == NONE {
            chains.due = deadline;
        }
    }

    fn unlink(&mut self, chains: &mut Chains, kind: Kind, at: u32) {
        let chain = chains.of(kind);
        let (before, behind) = (self.get(at).before, self.get(at).behind);
        match before {
            NONE => chain.first = behind,
            before => self.entries.get_mut(before).behind = behind,
        }
        match behind {
            NONE => chain.last = before,
            behind => self.entries.get_mut(behind).before = before,
        }
        if kind == Kind::Reserved && before == NONE {
            chains.due = match behind {
                NONE => Timestamp::MAX,
                behind => self.get(behind).deadline(),
            };
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
