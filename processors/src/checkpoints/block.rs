//! Entries of one key group, in the order of their keys: a key's length and the key, the value's
//! length and the value; no value where the key is removed.

const REMOVED: u32 = u32::MAX;

/// An entry: its kind and key, and what is under it; none: it is removed.
pub(super) type Entry<'a> = (&'a [u8], Option<&'a [u8]>);

/// Writes entries, in order.
#[derive(Default)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    entries: u64,
}

impl Builder {
    pub(super) fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.bytes.push(u8::try_from(key.len()).expect("keys are short"));
        self.bytes.extend_from_slice(key);
        let length = value
            .map_or(REMOVED, |value| u32::try_from(value.len()).expect("an entry is below 4 GiB"));
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.entries += 1;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn entries(&self) -> u64 {
        self.entries
    }
}

/// Reads entries, in order.
struct Entries<'a> {
    rest: &'a [u8],
    next: Option<Entry<'a>>,
}

impl<'a> Entries<'a> {
    fn of(block: &'a [u8]) -> Result<Self, String> {
        let mut entries = Self { rest: block, next: None };
        entries.advance()?;
        Ok(entries)
    }

    fn advance(&mut self) -> Result<(), String> {
        self.next = None;
        if self.rest.is_empty() {
            return Ok(());
        }
        let key_bytes = usize::from(self.take(1)?[0]);
        let key = self.take(key_bytes)?;
        let length = u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes were taken"));
        let value = if length == REMOVED { None } else { Some(self.take(length as usize)?) };
        self.next = Some((key, value));
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let cut = || "an entry is cut short".to_owned();
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(cut)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Calls `with` for each key of these blocks, which come from the oldest to the newest, in the
/// order of the keys, with what the newest says of it.
pub(super) fn merge(
    blocks: &[Vec<u8>],
    mut with: impl FnMut(Entry<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut all = Vec::with_capacity(blocks.len());
    for block in blocks {
        all.push(Entries::of(block)?);
    }
    while let Some(key) = all.iter().filter_map(|entries| entries.next).map(|(key, _)| key).min() {
        let mut newest = None;
        for entries in &mut all {
            if let Some((same, value)) = entries.next
                && same == key
            {
                newest = value;
                entries.advance()?;
            }
        }
        with((key, newest))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn block(entries: &BTreeMap<u8, Option<u8>>) -> Vec<u8> {
        let mut builder = Builder::default();
        for (key, value) in entries {
            builder.push(&[*key], value.as_ref().map(std::slice::from_ref));
        }
        builder.bytes
    }

    proptest! {
        #[test]
        fn the_newest_says_what_is_under_a_key(
            blocks in prop::collection::vec(
                prop::collection::btree_map(0u8..20, prop::option::of(0u8..9), 0..12), 0..6),
        ) {
            let mut expected = BTreeMap::new();
            for block in &blocks {
                expected.extend(block.clone());
            }
            let mut merged = Vec::new();
            let blocks: Vec<_> = blocks.iter().map(block).collect();
            merge(&blocks, |(key, value)| {
                merged.push((key[0], value.map(|value| value[0])));
                Ok(())
            }).unwrap();
            prop_assert_eq!(merged, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_block_that_is_cut_is_told() {
        let whole = block(&[(1, Some(2)), (3, None)].into());
        for length in 1..whole.len() {
            let cut = vec![whole[..length].to_vec()];
            let entries = merge(&cut, |_| Ok(()));
            assert!(entries.is_err() || length == 7, "{length} of {}", whole.len());
        }
    }
}
