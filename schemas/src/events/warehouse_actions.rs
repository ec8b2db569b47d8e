//! Topic `warehouse-actions`.

use crate::id::{ActionId, RegionId, WarehouseId};
use serde::{Deserialize, Serialize};

/// A warehouse to be set up or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarehousePutRequested {
    /// This action.
    pub action_id: ActionId,
    /// Which.
    pub warehouse_id: WarehouseId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: RegionId,
    /// Lower is served from first.
    pub priority: u32,
}
