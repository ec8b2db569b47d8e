//! Warehouses as set up: every shard knows where they are, one shard owns the row.

use super::{DIGEST, Products};
use machines::inventory::Warehouse;
use machines::message::Cause;
use schemas::events::Event;
use schemas::hash::Hasher;
use schemas::id::WarehouseId;
use sinks::view_store::rows::WarehouseRow;
use std::collections::{BTreeMap, BTreeSet};

/// The rows that this shard owns.
#[derive(Debug)]
pub(super) struct Owned {
    index: usize,
    peers: usize,
    pub(super) rows: BTreeMap<WarehouseId, WarehouseRow>,
    /// Those that changed since they were last saved.
    pub(super) unsaved: BTreeSet<WarehouseId>,
}

impl Owned {
    pub(super) const fn new(index: usize, peers: usize) -> Self {
        Self { index, peers, rows: BTreeMap::new(), unsaved: BTreeSet::new() }
    }
}

impl Owned {
    fn owns(&self, id: WarehouseId) -> bool {
        usize::from(id.0.group()) % self.peers == self.index
    }
}

impl Products {
    /// Takes in a warehouse as it was saved.
    pub(super) fn load_warehouse(&mut self, row: WarehouseRow) {
        let (id, region, priority) = (row.warehouse_id, row.region, row.priority);
        self.warehouses.put(Warehouse { id, region, priority });
        if self.owned.owns(id) {
            self.owned.rows.insert(id, row);
        }
    }

    pub(super) fn put_warehouse(&mut self, cause: Cause, event: &Event, digest: &mut u64) {
        let Event::WarehousePutRequested(put) = event else {
            panic!("I11: {:?} is no action on a warehouse", event.kind());
        };
        let (id, region, priority) = (put.warehouse_id, put.region, put.priority);
        self.warehouses.put(Warehouse { id, region, priority });
        if !self.owned.owns(id) {
            return;
        }
        let name = put.name.clone();
        let row = WarehouseRow { warehouse_id: id, name, region, priority };
        let ([cause_hi, cause_lo], [action_hi, action_lo]) = (cause.words(), put.action_id.words());
        let hash = [cause_hi, cause_lo, action_hi, action_lo, u64::from(priority)]
            .into_iter()
            .fold(Hasher::new(DIGEST), Hasher::word)
            .bytes(row.name.as_bytes());
        *digest = digest.wrapping_add(hash.finish());
        self.owned.rows.insert(id, row);
        self.owned.unsaved.insert(id);
        self.changed.warehouses.insert(id);
    }
}
