//! Tests of the whole system, from outside: the shipped command, its HTTP, its files. One binary,
//! a module a situation.

mod crash;
mod journeys;
mod shop;
