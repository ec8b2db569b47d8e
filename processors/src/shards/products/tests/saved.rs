//! Shards that are saved at the end of each epoch and loaded anew, with another number of workers
//! each time: nothing shows of it.

use super::super::Products;
use super::super::saved::claim_key;
use super::laws::{Script, Shown, history, play, shown, shown_of};
use super::shop;
use crate::checkpoints::snapshot::{EVERYONE, Kind, Snapshot};
use crate::shards::Out;
use crate::shards::saved::Saved as Entry;
use machines::message::{Place, ProductMessage, SortKey, ToProduct};
use proptest::prelude::*;
use schemas::id::{OrderId, ProductId};
use schemas::time::Timestamp;
use std::collections::BTreeMap;

/// What all checkpoints so far say: by kind and key, the key group and the value.
type Saved = BTreeMap<Vec<u8>, (u16, Vec<u8>)>;

fn save(shards: &mut [Products], saved: &mut Saved) {
    for shard in shards {
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
                let kind = Kind::from_number(key[0]).unwrap();
                let entry = Entry::read(kind, value).unwrap();
                let Entry::Products(saved) = entry else { panic!("{entry:?}") };
                shard.load(saved);
            }
        }
        shard.end_load(Timestamp::MIN);
        shard.keep_changes();
        shard
    };
    (0..peers).map(load).collect()
}

/// How a message speaks of a claim.
#[derive(Clone, Copy)]
enum Spoken {
    /// Without its place: of a claim that has waited, or none.
    Without,
    /// By a place that was told in an earlier epoch, and so before the shards were loaded.
    Before,
    /// By a place that was told in this one.
    Since,
}

fn saved_as(product: ProductId, order: OrderId) -> Vec<u8> {
    [&[Kind::Claim as u8][..], &claim_key(product, order)].concat()
}

/// How each message speaks, as shards tell that were never loaded.
fn spoken(script: &Script) -> BTreeMap<SortKey, Spoken> {
    let (mut spoken, mut saved) = (BTreeMap::new(), Saved::new());
    let mut shards = [Products::new(9, 0, 1)];
    shards[0].keep_changes();
    for (context, messages) in script {
        let [shard] = &mut shards;
        for message in messages {
            let key = message.sort_key();
            if let ProductMessage::Reserve(reserve) = &message.body
                && shard.told(reserve.product, reserve.order) == Place::UNKNOWN
            {
                saved.remove(&saved_as(reserve.product, reserve.order));
            }
            let message = shop::placed_by(message.clone(), |product, order| {
                let at = shard.find(product);
                let how = if at.is_none_or(|at| shard.claims.has_waited(at, order)) {
                    Spoken::Without
                } else if saved.contains_key(&saved_as(product, order)) {
                    Spoken::Before
                } else {
                    Spoken::Since
                };
                spoken.insert(key, how);
                shard.told(product, order)
            });
            shard.apply(context, message, &mut Out::default());
        }
        shard.forget_rows();
        save(&mut shards, &mut saved);
    }
    spoken
}

fn shown_loaded_each_epoch(script: &Script) -> Shown {
    let (spoken, mut saved, mut round) = (spoken(script), Saved::new(), 0_usize);
    let placed = |products: &Products, message: ToProduct| {
        let how = spoken.get(&message.sort_key()).copied();
        shop::placed_by(message, |product, order| match how {
            Some(Spoken::Without) => Place::UNKNOWN,
            Some(Spoken::Before) => Place::RESTORED,
            Some(Spoken::Since) | None => products.told(product, order),
        })
    };
    shown_of(script, loaded(&saved, 1, 2), placed, |mut shards| {
        save(&mut shards, &mut saved);
        round += 1;
        loaded(&saved, round as u64, 1 + round % 3)
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
