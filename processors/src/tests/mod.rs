//! Tests of the engine as a whole, on the real log and views: a history with everything in it,
//! and what must not change the outcome.

mod checkpoints;
mod determinism;
mod eras;
mod gaps;
mod held;
mod history;
mod horizon;
mod mesh;
mod process;
mod rules;
mod scribe;
mod simulation;
pub(crate) mod sorting;
mod standby;
mod supervision;
mod time;
