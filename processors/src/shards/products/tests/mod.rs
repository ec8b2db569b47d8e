//! Situations told as ledgers, and the laws under random ones.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the messages and events it is about"
)]

mod laws;
mod ledger;
mod oracle;
mod saved;
mod shop;
mod waiting;
