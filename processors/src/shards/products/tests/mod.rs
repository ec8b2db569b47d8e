//! Situations told as ledgers, and the laws under random ones.

mod laws;
mod ledger;
mod oracle;
mod shop;
mod waiting;
