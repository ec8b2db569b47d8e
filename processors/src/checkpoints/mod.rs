//! Checkpoints: state as of the end of an epoch, so that a start replays only what came after it.
//! They decide nothing: whoever loses all of them replays the log from its beginning.
//!
//! ```text
//! opener: "behind this epoch" --> workers save what changed --> keeper: files, then a manifest
//!                                                               (outputs published, rows durable)
//! start: newest manifest that fits --> workers load their key groups --> plans behind it
//! ```
//!
//! | on the store | is |
//! |---|---|
//! | `manifests/ERA-EPOCH` | what a checkpoint is made of; created once |
//! | `state/HASH` | what changed between two checkpoints, or what such files were merged into |

mod block;
mod file;
pub mod keeper;
pub mod manifest;
pub mod pace;
mod place;
pub mod restored;
mod runs;
pub mod snapshot;
