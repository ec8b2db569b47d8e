//! Requests against the whole router, over the log and the views that a shop on one machine has;
//! doubles only where the log must fail.

mod admission;
mod batches;
mod decisions;
mod faults;
mod hostile;
mod identity;
mod shop;
mod webhooks;
