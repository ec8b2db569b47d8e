//! Customers without products' side: a double of products answers, in the engine's rounds.
//!
//! - [`endings`]: all that can happen to one order, walked
//! - [`ledgers`]: what a shopkeeper expects
//! - [`laws`]: random histories of a few customers
//! - [`stories`]: keys, timers and digests

mod doubles;
mod endings;
mod laws;
mod ledgers;
mod stories;

use super::super::{Decided, Out};
use super::Customers;
use doubles::ProductsDouble;
use machines::message::{Cause, Context, CustomerMessage, ToCustomer};
use machines::rules::Rules;
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::view_store::rows::Row;
use std::collections::BTreeSet;

const ROUNDS: u64 = 4;
const TIMEOUT_MS: i64 = 15 * 60 * 1000;

/// A shop of some customers' shards and the double, fed an epoch at a time.
#[derive(Clone)]
struct Shop {
    shards: Vec<Customers>,
    products: ProductsDouble,
    sweep_cap: usize,
    epoch: u64,
    before: Timestamp,
    offset: u64,
    left: Vec<ToCustomer>,
    digest: u64,
    late: u64,
}

impl Shop {
    /// A shop of one shard.
    fn new(products: ProductsDouble, hash_seed: u64) -> Self {
        Self::of(vec![Customers::new(hash_seed)], products)
    }

    fn of(shards: Vec<Customers>, products: ProductsDouble) -> Self {
        let (epoch, before, offset, left, digest) = (0, Timestamp::MIN, 0, Vec::new(), 0);
        Self {
            shards,
            products,
            sweep_cap: usize::MAX,
            epoch,
            before,
            offset,
            left,
            digest,
            late: 0,
        }
    }

    /// One epoch with these records, in their order on the log. Shards see each round in turn;
    /// their messages reach the double together.
    fn decide(&mut self, now: Timestamp, records: Vec<Event>) -> Vec<Decided> {
        self.epoch += 1;
        let context = self.context(now);
        self.before = now;
        let mut inbox = std::mem::take(&mut self.left);
        for event in records {
            self.offset += 1;
            let at = TopicPartition { topic: Topic::CustomerActions, partition: 0 };
            let cause = Cause::record(now, at, self.offset);
            let cause_id = EventId(u128::from(self.offset).to_be_bytes());
            let body = CustomerMessage::Record(Box::new(event));
            inbox.push(ToCustomer { cause, cause_id, body });
        }
        let mut events = Vec::new();
        for round in 0..ROUNDS {
            let mut sent = Vec::new();
            inbox.sort_by_key(ToCustomer::sort_key);
            let shards = self.shards.len();
            for (number, shard) in self.shards.iter_mut().enumerate() {
                let mut out = Out::default();
                if round == 0 {
                    shard.sweep(&context, self.sweep_cap, &mut out);
                }
                let mine = |message: &&ToCustomer| usize::from(group(message)) % shards == number;
                for message in inbox.iter().filter(mine) {
                    shard.apply(&context, message.clone(), &mut out);
                }
                shard.end_round(&context, &mut out);
                self.digest = self.digest.wrapping_add(out.digest);
                self.late += out.late;
                events.append(&mut out.events);
                sent.append(&mut out.messages);
            }
            inbox = self.products.apply(&context, sent);
        }
        self.left = inbox;
        events
    }

    /// The rows of the epoch that was decided at `now`, by view and key.
    fn rows(&mut self, now: Timestamp) -> Vec<Row> {
        let context = self.context(now);
        let mut rows = Vec::new();
        self.shards.iter_mut().for_each(|shard| shard.take_rows(&context, &mut rows));
        rows.sort_by_key(|row| (row.view(), row.key()));
        let twice = rows
            .windows(2)
            .find(|two| (two[0].view(), two[0].key()) == (two[1].view(), two[1].key()));
        assert_eq!(twice, None, "a row was written twice");
        rows
    }

    fn context(&self, now: Timestamp) -> Context {
        let (deadline, rules) = (now.plus_ms(TIMEOUT_MS), Rules::NEWEST);
        Context { epoch: self.epoch, now, before: self.before, deadline, rules }
    }

    /// All state, however many shards hold it.
    fn dump(&self) -> BTreeSet<String> {
        let dumps = self.shards.iter().map(|shard| String::from_utf8(shard.dump()).expect("text"));
        dumps.flat_map(|dump| dump.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

/// The key group that routes a message.
fn group(message: &ToCustomer) -> u16 {
    match &message.body {
        CustomerMessage::Record(event) => match &**event {
            Event::CheckoutRequested(event) => event.customer_id.0.group(),
            Event::CartItemAddRequested(event) => event.customer_id.0.group(),
            Event::CartItemSetRequested(event) => event.customer_id.0.group(),
            Event::CancellationRequested(event) => event.order_id.group(),
            Event::PaymentReported(event) => event.order_id.group(),
            other => panic!("no action of a customer: {other:?}"),
        },
        CustomerMessage::Reserved { order, .. }
        | CustomerMessage::Refused { order, .. }
        | CustomerMessage::Revoked { order, .. } => order.group(),
        CustomerMessage::Price { customer, .. } => customer.0.group(),
    }
}
