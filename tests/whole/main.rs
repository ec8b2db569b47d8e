//! Tests of the whole system, from outside: the shipped command, its HTTP, its files. One binary,
//! a module a situation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod benches;
mod beside;
mod brokers;
mod clients;
mod cluster;
mod compose;
mod crash;
mod dlq;
mod doctor;
mod edge;
mod journeys;
mod kills;
mod problems;
mod released;
mod sabotage;
mod servers;
mod shop;
mod stdout;
mod tidy;
mod topics;
mod words;
