//! Tests of the whole system, from outside: the shipped command, its HTTP, its files. One binary,
//! a module a situation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod beside;
mod clients;
mod crash;
mod edge;
mod journeys;
mod problems;
mod sabotage;
mod shop;
mod tidy;
