//! `bench engine`: orders decided, and sold to the end, in memory, on one worker.
//!
//! - *deciding*: checkouts alone; every line reserved or refused, refused orders released; digests
//!   on, outputs dropped, no rows.
//! - *to the end*: every order paid and captured too, with rows and encoded outputs dropped at
//!   the last moment; against a *plain loop* of the same shards that applies each record to its
//!   end in log order, takes rows as often and encodes the same outputs, without epochs, timely
//!   or sorting. Its digests are still computed: they are part of the shards.

use super::demand::Demand;
use super::shop::{Epoch, Mesh, Source, context};
use super::{Bar, Figure};
use machines::message::{Context, ToCustomer};
use processors::epoch::{EpochInfo, Finished};
use processors::publisher;
use processors::shards::customers::Customers;
use processors::shards::products::Products;
use processors::shards::{Decided, Out};
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::inventory::StockRefused;
use schemas::events::orders::Reason;
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::{EventId, ProductId, WarehouseId};
use sinks::clock::Clock;
use sinks::view_store::rows::Row;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// Products in the catalogue.
pub(crate) const PRODUCTS: usize = 100_000;
/// Records an epoch holds at most.
pub(crate) const EPOCH_RECORDS: usize = 10_000;
const ORDERS: usize = 1_000_000;
const ORDERS_TO_THE_END: usize = 300_000;
/// Of what will be asked for.
const STOCK_SHARE: f64 = 0.9;

const ALONE: Case = Case { orders: ORDERS, workers: 1, hot: 0.0, hot_stock: STOCK_SHARE };

type Found = (&'static str, BTreeMap<&'static str, String>, Vec<Figure>);

/// Runs the bench.
///
/// # Errors
/// A worker cannot be started.
pub(crate) fn run(rounds: u16, clock: &Clock) -> Result<Found, String> {
    let mut deciding = Vec::new();
    let (mut ends, mut plains, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut outcome = Counts::default();
    for round in 0..u64::from(rounds) {
        let (seconds, counts) = decide(round, ALONE, clock)?;
        deciding.push(rate(ORDERS, seconds));
        outcome = counts;
        let mesh = to_the_end(round, clock)?;
        let plain = plain_loop(round, clock);
        ends.push(rate(ORDERS_TO_THE_END, mesh));
        plains.push(rate(ORDERS_TO_THE_END, plain));
        ratios.push(plain.as_secs_f64() / mesh.as_secs_f64());
    }
    let setup = BTreeMap::from([
        ("orders", format!("{ORDERS} deciding, {ORDERS_TO_THE_END} to the end")),
        ("products", PRODUCTS.to_string()),
        ("records an epoch", EPOCH_RECORDS.to_string()),
        ("deciding, accepted and rejected", format!("{} {}", outcome.accepted, outcome.rejected)),
    ]);
    let figures = vec![
        Figure::of("deciding alone", "orders/s", deciding, Bar::AtLeast(400_000.0)),
        Figure::of("to the end, engine", "orders/s", ends, Bar::None),
        Figure::of("to the end, plain loop", "orders/s", plains, Bar::None),
        Figure::of("to the end, engine / plain loop", "ratio", ratios, Bar::AtLeast(0.5)),
    ];
    Ok(("engine", setup, figures))
}

/// Orders a second.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
pub(crate) fn rate(orders: usize, took: Duration) -> f64 {
    orders as f64 / took.as_secs_f64()
}

/// What became of checkouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All lines reserved.
    pub(crate) accepted: u64,
    /// Refused.
    pub(crate) rejected: u64,
}

pub(crate) struct Checkouts {
    epochs: std::vec::IntoIter<Epoch>,
    counts: Counts,
    left: usize,
    ended: bool,
}

impl Source for Checkouts {
    fn next(&mut self) -> Option<Epoch> {
        let next = self.epochs.next();
        if next.is_none() && self.left > 0 {
            // What the last epoch left over wants another one.
            self.left = 0;
            return Some(Epoch::default());
        }
        self.ended = next.is_none();
        next
    }

    fn finished(&mut self, finished: Finished, _: Vec<Row>, left: usize) {
        self.left = if self.ended { left } else { 0 };
        for decided in finished.events.iter().flatten().flatten() {
            self.counts.accepted +=
                u64::from(matches!(decided.event, Event::OrderAwaitingPayment(_)));
            self.counts.rejected += u64::from(matches!(decided.event, Event::OrderRejected(_)));
        }
    }
}

/// A case of deciding alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Checkouts.
    pub(crate) orders: usize,
    /// Timely workers.
    pub(crate) workers: usize,
    /// The share of lines on one product.
    pub(crate) hot: f64,
    /// That product's stock, as a share of what will be asked of it.
    pub(crate) hot_stock: f64,
}

/// Decides the case's checkouts; gives the time it took and what became of them.
///
/// # Errors
/// A worker cannot be started.
pub(crate) fn decide(seed: u64, case: Case, clock: &Clock) -> Result<(Duration, Counts), String> {
    let Case { orders, workers, hot, hot_stock } = case;
    let mut demand = Demand::new(seed, PRODUCTS, hot);
    let stock = demand.stock(orders, STOCK_SHARE, hot_stock);
    let epochs: Vec<_> =
        (0..orders / EPOCH_RECORDS).map(|_| demand.checkouts(EPOCH_RECORDS)).collect();
    let mut mesh = Mesh::start(workers)?;
    mesh.feed(false, &mut checkouts(vec![stock]));
    let mut source = checkouts(epochs);
    let began = clock.elapsed();
    mesh.feed(false, &mut source);
    let took = clock.elapsed() - began;
    mesh.stop();
    Ok((took, source.counts))
}

pub(crate) fn checkouts(epochs: Vec<Epoch>) -> Checkouts {
    let epochs = epochs.into_iter();
    Checkouts { epochs, counts: Counts::default(), left: 0, ended: false }
}

/// Checkouts, and the reports that answer their payment requests.
pub(crate) struct Paid {
    demand: Demand,
    checkouts: std::vec::IntoIter<Epoch>,
    answers: Vec<Event>,
    left: usize,
    codec: Codec,
    /// Lines refused as out of stock: product and units asked for.
    pub(crate) refused: Vec<(ProductId, u32)>,
    /// Units that can be promised, by product and warehouse, as last written.
    pub(crate) available: HashMap<(ProductId, WarehouseId), i64>,
}

impl Source for Paid {
    fn next(&mut self) -> Option<Epoch> {
        let mut epoch = self.checkouts.next().unwrap_or_default();
        for event in self.answers.drain(..) {
            let group = answered(&event);
            epoch.customers.push((group, self.demand.say(event).into_customer()));
        }
        let left = std::mem::take(&mut self.left);
        (left > 0 || !epoch.customers.is_empty()).then_some(epoch)
    }

    fn finished(&mut self, finished: Finished, rows: Vec<Row>, left: usize) {
        self.left = left;
        for row in &rows {
            if let Row::Stock(row) = row {
                self.available.insert((row.product_id, row.warehouse_id), row.available);
            }
        }
        for decided in finished.events.iter().flatten().flatten() {
            self.answers.extend(answer(&decided.event));
            if let Event::StockRefused(StockRefused {
                product_id,
                asked,
                reason: Reason::OutOfStock,
                ..
            }) = decided.event
            {
                self.refused.push((product_id, asked));
            }
        }
        black_box(publisher::encode(&self.codec, finished, &HashMap::new()));
    }
}

/// The set-up and the source of checkouts that are all paid.
pub(crate) fn paid(
    mut demand: Demand,
    orders: usize,
    share: f64,
    epoch_records: usize,
) -> (Epoch, Paid) {
    let stock = demand.stock(orders, share, share);
    let count = orders / epoch_records;
    let epochs: Vec<_> = (0..count).map(|_| demand.checkouts(epoch_records)).collect();
    let source = Paid {
        demand,
        checkouts: epochs.into_iter(),
        answers: Vec::new(),
        left: 0,
        codec: Codec::compiled(),
        refused: Vec::new(),
        available: HashMap::new(),
    };
    (stock, source)
}

fn all_paid(seed: u64) -> (Epoch, Paid) {
    let demand = Demand::new(seed, PRODUCTS, 0.0);
    paid(demand, ORDERS_TO_THE_END, STOCK_SHARE, EPOCH_RECORDS)
}

fn to_the_end(seed: u64, clock: &Clock) -> Result<Duration, String> {
    let (stock, mut source) = all_paid(seed);
    let mut mesh = Mesh::start(1)?;
    mesh.feed(false, &mut checkouts(vec![stock]));
    let began = clock.elapsed();
    mesh.feed(true, &mut source);
    let took = clock.elapsed() - began;
    mesh.stop();
    Ok(took)
}

/// The gateway's answer to a request: always yes.
fn answer(event: &Event) -> Option<Event> {
    let Event::PaymentRequested(PaymentRequested {
        payment_id,
        order_id,
        verb,
        amount,
        currency,
        ..
    }) = *event
    else {
        return None;
    };
    let outcome = match verb {
        PaymentVerb::Authorize => PaymentOutcome::Authorized,
        PaymentVerb::Capture => PaymentOutcome::Captured,
        PaymentVerb::Void => PaymentOutcome::Voided,
        PaymentVerb::Refund => PaymentOutcome::Refunded,
    };
    let provider_event_id = String::new();
    let report = PaymentReported {
        provider_event_id,
        payment_id,
        order_id,
        outcome,
        amount,
        currency,
        decline_code: None,
    };
    Some(report.into())
}

fn answered(event: &Event) -> u16 {
    if let Event::PaymentReported(report) = event { report.order_id.group() } else { 0 }
}

/// The shards without epochs: each record is applied to its end before the next.
struct Plain {
    customers: Customers,
    products: Products,
    events: [Vec<Decided>; 2],
}

impl Plain {
    fn apply(&mut self, context: &Context, message: ToCustomer) {
        let mut to_customers = vec![message];
        while !to_customers.is_empty() {
            let mut out = Out::default();
            std::mem::swap(&mut out.events, &mut self.events[0]);
            for message in to_customers.drain(..) {
                self.customers.apply(context, message, &mut out);
            }
            self.customers.end_round(context, &mut out);
            self.events[0] = out.events;
            let mut replies = Out::default();
            std::mem::swap(&mut replies.events, &mut self.events[1]);
            for message in out.messages {
                self.products.apply(context, message, &mut replies);
            }
            self.events[1] = replies.events;
            to_customers = replies.messages;
        }
    }

    /// Takes rows, encodes and drops all outputs, and gives the gateway's answers.
    fn finish(&mut self, context: &Context, codec: &Codec) -> Vec<Event> {
        let mut rows = Vec::new();
        self.customers.take_rows(context, &mut rows);
        self.products.take_rows(context, &mut rows);
        black_box(rows);
        let answers = self.events[0].iter().filter_map(|decided| answer(&decided.event)).collect();
        let info = EpochInfo {
            context: *context,
            era: 0,
            hash: EventId::default(),
            applied: Arc::default(),
        };
        let events = vec![std::mem::take(&mut self.events)];
        let finished = Finished { info, events, dead: Vec::new() };
        black_box(publisher::encode(codec, finished, &HashMap::new()));
        answers
    }
}

fn plain_loop(seed: u64, clock: &Clock) -> Duration {
    let (stock, mut source) = all_paid(seed);
    let mut plain = Plain {
        customers: Customers::new(1),
        products: Products::new(1, 0, 1),
        events: [Vec::new(), Vec::new()],
    };
    let mut setup = Out::default();
    for (_, message) in stock.products {
        plain.products.apply(&context(1), message, &mut setup);
    }
    plain.products.forget_rows();
    let began = clock.elapsed();
    let mut epoch = 1;
    while let Some(next) = source.next() {
        epoch += 1;
        let context = context(epoch);
        for (_, message) in next.customers {
            plain.apply(&context, message);
        }
        source.answers = plain.finish(&context, &source.codec);
    }
    clock.elapsed() - began
}
