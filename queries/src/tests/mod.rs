//! Reads through the router, over the embedded store and a log that says what the test wants.

mod freshness;
mod lists;
mod resources;
mod running;
mod shop;
