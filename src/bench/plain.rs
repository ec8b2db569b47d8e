//! The plain loop that the engine is measured against: the same shards, each record applied to its
//! end before the next, in log order, without epochs, timely or sorting. Rows are taken and outputs
//! encoded as often. Digests are computed all the same: they are part of the shards.
//!
//! The engine encodes on a thread of its own. So that this is no advantage, the loop's time is
//! counted as if its encoding ran beside it at no cost: the longer of the two.

use super::engine::{answer, paid_by_all};
use super::shop::context;
use machines::message::{Context, ToCustomer};
use processors::epoch::{EpochInfo, Finished};
use processors::outputs;
use processors::shards::customers::Customers;
use processors::shards::products::Products;
use processors::shards::{Decided, Out};
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::id::EventId;
use sinks::clock::Clock;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// What each part of selling to the end took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shares {
    /// Customers' decisions.
    pub(crate) customers: Duration,
    /// Products' decisions.
    pub(crate) products: Duration,
    /// Taking rows.
    pub(crate) rows: Duration,
    /// Encoding outputs.
    pub(crate) encoding: Duration,
}

impl Shares {
    /// The loop's time.
    pub(crate) fn loop_time(&self) -> Duration {
        (self.customers + self.products + self.rows).max(self.encoding)
    }
}

struct Plain<'a> {
    customers: Customers,
    products: Products,
    events: [Vec<Decided>; 2],
    codec: Codec,
    clock: &'a Clock,
    shares: Shares,
}

/// Sells to the end; what each part took.
pub(crate) fn run(seed: u64, clock: &Clock) -> Shares {
    let (stock, mut source) = paid_by_all(seed);
    let mut plain = Plain {
        customers: Customers::new(1),
        products: Products::new(1, 0, 1),
        events: [Vec::new(), Vec::new()],
        codec: Codec::compiled(),
        clock,
        shares: Shares::default(),
    };
    let mut setup = Out::default();
    for (_, message) in stock.products {
        plain.products.apply(&context(1), message, &mut setup);
    }
    plain.products.forget_rows();
    let mut epoch = 1;
    while let Some(next) = source.next_epoch() {
        epoch += 1;
        let context = context(epoch);
        for (_, message) in next.customers {
            plain.apply(&context, message);
        }
        source.answers = plain.finish(&context);
    }
    plain.shares
}

impl Plain<'_> {
    fn apply(&mut self, context: &Context, message: ToCustomer) {
        let mut to_customers = vec![message];
        while !to_customers.is_empty() {
            let began = self.clock.elapsed();
            let mut out = Out::default();
            std::mem::swap(&mut out.events, &mut self.events[0]);
            for message in to_customers.drain(..) {
                self.customers.apply(context, message, &mut out);
            }
            self.customers.end_round(context, &mut out);
            self.events[0] = out.events;
            let mid = self.clock.elapsed();
            let mut replies = Out::default();
            std::mem::swap(&mut replies.events, &mut self.events[1]);
            for message in out.messages {
                self.products.apply(context, message, &mut replies);
            }
            self.events[1] = replies.events;
            to_customers = replies.messages;
            self.shares.customers += mid - began;
            self.shares.products += self.clock.elapsed() - mid;
        }
    }

    /// Takes rows, encodes and drops all outputs, and gives the gateway's answers.
    fn finish(&mut self, context: &Context) -> Vec<Event> {
        let began = self.clock.elapsed();
        let mut rows = Vec::new();
        self.customers.take_rows(context, &mut rows);
        self.products.take_rows(context, &mut rows);
        black_box(rows);
        let mid = self.clock.elapsed();
        self.shares.rows += mid - began;
        let info = EpochInfo {
            context: *context,
            era: 0,
            hash: EventId::default(),
            applied: Arc::default(),
        };
        let events = vec![std::mem::take(&mut self.events)];
        let finished = Finished { info, events, dead: Vec::new() };
        black_box(outputs::encode(&self.codec, &finished, &HashMap::new()));
        self.shares.encoding += self.clock.elapsed() - mid;
        let decided = finished.events.iter().flatten().flatten();
        decided.filter_map(|decided| answer(&decided.event)).collect()
    }
}
