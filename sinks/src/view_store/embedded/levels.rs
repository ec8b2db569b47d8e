//! The levels in memory, and how a scan sees them and the disk as one. An upper level's word on a
//! key is final, a deletion included.

use crate::view_store::rows::View;
use crate::view_store::{Mark, Stored, ViewError};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter;
use std::ops::Bound;
use std::sync::Arc;

/// What is above the disk, and up to which epoch all three together are complete.
pub(super) struct Levels {
    pub(super) mark: Arc<Mark>,
    pub(super) fresh: Level,
    pub(super) writing: Arc<Level>,
    pub(super) counts: Counts,
}

impl Levels {
    pub(super) fn new(mark: Arc<Mark>, counts: Counts) -> Self {
        Self { mark, fresh: Level::default(), writing: Arc::default(), counts }
    }

    /// The newest row in memory, deleted or not.
    pub(super) fn get(&self, view: View, key: &[u8]) -> Option<&Stored> {
        self.fresh.get(view, key).or_else(|| self.writing.get(view, key))
    }
}

/// Rows by view and key: of each key the newest.
#[derive(Default)]
pub(super) struct Level {
    views: [BTreeMap<Vec<u8>, Stored>; View::ALL.len()],
    len: usize,
}

impl Level {
    pub(super) fn put(&mut self, key: Vec<u8>, stored: Stored) {
        let before = self.views[stored.row.view() as usize].insert(key, stored);
        self.len += usize::from(before.is_none());
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn get(&self, view: View, key: &[u8]) -> Option<&Stored> {
        self.views[view as usize].get(key)
    }

    pub(super) fn of(&self, view: View) -> &BTreeMap<Vec<u8>, Stored> {
        &self.views[view as usize]
    }

    /// The rows of a range in key order, deleted ones too.
    pub(super) fn range(&self, view: View, range: &Range) -> impl Iterator<Item = Found> {
        let rows = self.of(view).range::<[u8], _>(range.bounds());
        rows.map(|(key, stored)| Ok((key.clone(), stored.clone())))
    }

    /// The first `limit` living rows of a range, and the deleted ones before them: all that the
    /// first `limit` rows of a scan can depend on if no level is above this one.
    pub(super) fn first_live(&self, view: View, range: &Range, limit: usize) -> Vec<Found> {
        let mut live = 0;
        self.range(view, range)
            .take_while(|row| {
                let wanted = live < limit;
                live += usize::from(is_live(row));
                wanted
            })
            .collect()
    }
}

/// Whether a reader shall see it; an error is for the reader to see.
pub(super) fn is_live(row: &Found) -> bool {
    row.as_ref().map_or(true, |(_, stored)| !stored.row.is_deleted())
}

/// Living rows on disk, view by view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts([u64; View::ALL.len()]);

impl Counts {
    pub(super) const fn of(&self, view: View) -> u64 {
        self.0[view as usize]
    }

    pub(super) const fn born(&mut self, view: View) {
        self.0[view as usize] += 1;
    }

    pub(super) const fn died(&mut self, view: View) {
        self.0[view as usize] -= 1;
    }
}

/// The keys that begin with a prefix and come behind a key; never empty by its bounds.
pub(super) struct Range {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

impl Range {
    /// `None` if no key can be in it.
    pub(super) fn new(prefix: &[u8], after: Option<&[u8]>) -> Option<Self> {
        let to = match prefix.iter().rposition(|byte| *byte != u8::MAX) {
            Some(last) => {
                let mut behind = prefix[..=last].to_vec();
                behind[last] += 1;
                Bound::Excluded(behind)
            }
            None => Bound::Unbounded,
        };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_vec()),
            Some(_) | None => Bound::Included(prefix.to_vec()),
        };
        match (&from, &to) {
            (Bound::Excluded(from), Bound::Excluded(to)) if from >= to => None,
            _ => Some(Self { from, to }),
        }
    }

    pub(super) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice))
    }
}

/// A row as read, with its key.
pub(super) type Found = Result<(Vec<u8>, Stored), ViewError>;

/// Two levels as one, in key order, deletions included: of a key that both have, the upper's.
pub(super) fn above(
    upper: impl Iterator<Item = Found>,
    lower: impl Iterator<Item = Found>,
) -> impl Iterator<Item = Found> {
    let (mut upper, mut lower) = (upper.peekable(), lower.peekable());
    iter::from_fn(move || match (upper.peek(), lower.peek()) {
        (Some(Ok((above, _))), Some(Ok((below, _)))) => match above.cmp(below) {
            Ordering::Less => upper.next(),
            Ordering::Equal => {
                lower.next();
                upper.next()
            }
            Ordering::Greater => lower.next(),
        },
        (Some(_), None) | (Some(Err(_)), Some(_)) => upper.next(),
        (None | Some(Ok(_)), _) => lower.next(),
    })
}
