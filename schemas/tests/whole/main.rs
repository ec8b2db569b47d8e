//! The contract as a whole: what stands on the log, checked from outside.

mod allocations;
mod compatibility;
mod cross_check;
mod golden;
mod hostile;
mod learning;
mod round_trip;
mod samples;
