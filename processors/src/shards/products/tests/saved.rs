//! Shards that are saved at the end of each epoch and loaded anew, with another number of workers
//! each time: nothing shows of it.

use super::super::Products;
use super::laws::{Script, Shown, history, play, shown, shown_of};
use super::shop;
use crate::checkpoints::snapshot::{EVERYONE, Kind, Snapshot};
use machines::message::{Place, ToProduct};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What all checkpoints so far say: by kind and key, the key group and the value.
type Saved = BTreeMap<Vec<u8>, (u16, Vec<u8>)>;

fn save(shards: Vec<Products>, saved: &mut Saved) {
    for mut shard in shards {
        let mut snapshot = Snapshot::default();
        shard.save(&mut snapshot);
        for (group, key, value) in snapshot.entries() {
            match value {
                Some(value) => saved.insert(key.to_vec(), (group, value.to_vec())),
                None => saved.remove(key),
            };
        }
    }
}

fn loaded(saved: &Saved, seed: u64, peers: usize) -> Vec<Products> {
    let load = |index| {
        let mut shard = Products::new(seed, index, peers);
        for (key, (group, value)) in saved {
            if *group == EVERYONE || usize::from(*group) % peers == index {
                shard.load(Kind::from_number(key[0]).unwrap(), value).unwrap();
            }
        }
        shard.end_load();
        shard.keep_changes();
        shard
    };
    (0..peers).map(load).collect()
}

/// As a customer speaks of a claim whose place it was told before the state was loaded; of one that
/// waited perhaps without a place.
fn placed(products: &Products, message: ToProduct) -> ToProduct {
    shop::placed_by(message, |product, order| {
        let told = products.told(product, order);
        let Some(at) = products.find(product) else { return told };
        if products.claims.has_waited(at, order) {
            Place::UNKNOWN
        } else if products.claims.restored.contains_key(&(at, order)) {
            Place::RESTORED
        } else {
            told
        }
    })
}

fn shown_loaded_each_epoch(script: &Script) -> Shown {
    let mut saved = Saved::new();
    let mut round = 0;
    let first = loaded(&saved, 1, 2);
    shown_of(script, first, placed, |shards| {
        save(shards, &mut saved);
        round += 1;
        loaded(&saved, round, 1 + round as usize % 3)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_shows_of_being_saved_and_loaded(steps in history()) {
        let (script, _) = play(&steps);
        prop_assert_eq!(&shown_loaded_each_epoch(&script), &shown(&script, 1, 1));
    }
}
