//! Customers without products' side: a double of products answers, in the engine's rounds.

mod doubles;
mod endings;
mod ledgers;
mod stories;

use super::super::{Decided, Out};
use super::Customers;
use doubles::ProductsDouble;
use machines::message::{Cause, Context, CustomerMessage, ToCustomer};
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};

const ROUNDS: u64 = 4;
const TIMEOUT_MS: i64 = 15 * 60 * 1000;

/// A shop of one customers' shard and the double, fed an epoch at a time.
#[derive(Clone)]
struct Shop {
    customers: Customers,
    products: ProductsDouble,
    epoch: u64,
    offset: u64,
    left: Vec<ToCustomer>,
    digest: u64,
}

impl Shop {
    fn new(products: ProductsDouble, hash_seed: u64) -> Self {
        let customers = Customers::new(hash_seed);
        Self { customers, products, epoch: 0, offset: 0, left: Vec::new(), digest: 0 }
    }

    /// One epoch with these records, in their order on the log.
    fn decide(&mut self, now: Timestamp, records: Vec<Event>) -> Vec<Decided> {
        self.epoch += 1;
        let context = Context { epoch: self.epoch, now, deadline: now.plus_ms(TIMEOUT_MS) };
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
            let mut out = Out::default();
            if round == 0 {
                self.customers.sweep(&context, usize::MAX, &mut out);
            }
            inbox.sort_by_key(ToCustomer::sort_key);
            for message in inbox.drain(..) {
                self.customers.apply(&context, message, &mut out);
            }
            self.customers.end_round(&context, &mut out);
            self.digest = self.digest.wrapping_add(out.digest);
            events.append(&mut out.events);
            inbox = self.products.apply(&context, out.messages);
        }
        self.left = inbox;
        events
    }
}
