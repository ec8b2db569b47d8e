//! `bench engine`: orders decided, and sold to the end, in memory, on one worker.
//!
//! - *deciding*: checkouts alone; every line reserved or refused, refused orders released; digests
//!   on, outputs dropped, no rows.
//! - *to the end*: every order paid and captured too, with rows and encoded outputs dropped at
//!   the last moment; against the [`plain`] loop of the same shards, whose parts are stated.

use super::demand::{Demand, Drawn};
use super::plain::{self, Shares};
use super::shop::{Epoch, Mesh, Source};
use super::{Bar, Figure, Found};
use processors::epoch::Finished;
use processors::outputs;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::inventory::StockRefused;
use schemas::events::orders::Reason;
use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::id::{ProductId, WarehouseId};
use sinks::clock::Clock;
use sinks::view_store::rows::Row;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
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

/// Runs the bench.
///
/// # Errors
/// A worker cannot be started.
#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
pub(crate) fn run(rounds: u16, clock: &Clock) -> Result<Found, String> {
    let mut deciding = Vec::new();
    let (mut ends, mut plains, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut shares = [const { Vec::new() }; 4];
    let mut outcome = Counts::default();
    for round in 0..u64::from(rounds) {
        let (seconds, counts) = decide(round, ALONE, clock)?;
        deciding.push(rate(ORDERS, seconds));
        outcome = counts;
        let mesh = to_the_end(round, clock)?;
        let parts = plain::run(round, clock);
        let plain = parts.loop_time();
        ends.push(rate(ORDERS_TO_THE_END, mesh));
        plains.push(rate(ORDERS_TO_THE_END, plain));
        ratios.push(plain.as_secs_f64() / mesh.as_secs_f64());
        let Shares { customers, products, rows, encoding } = parts;
        for (share, part) in shares.iter_mut().zip([customers, products, rows, encoding]) {
            share.push(part.as_secs_f64() * 1e6 / ORDERS_TO_THE_END as f64);
        }
    }
    let setup = BTreeMap::from([
        ("orders", format!("{ORDERS} deciding, {ORDERS_TO_THE_END} to the end")),
        ("products", PRODUCTS.to_string()),
        ("records an epoch", EPOCH_RECORDS.to_string()),
        ("deciding, accepted and rejected", format!("{} {}", outcome.accepted, outcome.rejected)),
    ]);
    let mut figures = vec![
        Figure::of("deciding alone", "orders/s", deciding, Bar::AtLeast(400_000.0)),
        Figure::of("to the end, engine", "orders/s", ends, Bar::None),
        Figure::of("to the end, plain loop", "orders/s", plains, Bar::None),
        Figure::of("to the end, engine / plain loop", "ratio", ratios, Bar::AtLeast(0.5)),
    ];
    for (part, share) in ["customers", "products", "rows", "encoding"].into_iter().zip(shares) {
        let name = format!("of the plain loop, {part}");
        figures.push(Figure::of(name, "us/order", share, Bar::None));
    }
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

struct Checkouts {
    demand: Demand,
    drawn: Vec<Drawn>,
    made: usize,
    counts: Counts,
    left: usize,
    ended: bool,
}

impl Source for Checkouts {
    fn next(&mut self) -> Option<Epoch> {
        let drawn = self.drawn[self.made..].chunks(EPOCH_RECORDS).next();
        self.ended = drawn.is_none();
        if let Some(drawn) = drawn {
            self.made += drawn.len();
            return Some(self.demand.epoch(drawn));
        }
        // What the last epoch left over wants another one.
        (std::mem::take(&mut self.left) > 0).then(Epoch::default)
    }

    fn finished(&mut self, finished: &Finished, _: Vec<Row>, left: usize) {
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
    let drawn = demand.draw(orders);
    let mut mesh = Mesh::start(workers)?;
    mesh.feed(false, &mut SetUp(Some(stock)));
    let (counts, made, left, ended) = (Counts::default(), 0, 0, false);
    let mut source = Checkouts { demand, drawn, made, counts, left, ended };
    let began = clock.elapsed();
    mesh.feed(false, &mut source);
    let took = clock.elapsed() - began;
    mesh.stop();
    Ok((took, source.counts))
}

/// The epoch before all others.
pub(crate) struct SetUp(pub(crate) Option<Epoch>);

impl Source for SetUp {
    fn next(&mut self) -> Option<Epoch> {
        self.0.take()
    }

    fn finished(&mut self, _: &Finished, _: Vec<Row>, _: usize) {}
}

/// Checkouts, and the reports that answer their payment requests.
pub(crate) struct Paid {
    demand: Demand,
    checkouts: std::vec::IntoIter<Vec<Drawn>>,
    /// Answers of the gateway, for the next epoch.
    pub(crate) answers: Vec<Event>,
    left: usize,
    codec: Codec,
    /// Lines refused as out of stock: product and units asked for.
    pub(crate) refused: Vec<(ProductId, u32)>,
    /// Units that can be promised, by product and warehouse, as last written.
    pub(crate) available: HashMap<(ProductId, WarehouseId), i64>,
}

impl Paid {
    /// The next epoch's checkouts and answers.
    pub(crate) fn next_epoch(&mut self) -> Option<Epoch> {
        let drawn = self.checkouts.next().unwrap_or_default();
        let mut epoch = self.demand.epoch(&drawn);
        for event in self.answers.drain(..) {
            let group = answered(&event);
            epoch.customers.push((group, self.demand.say(event).into_customer()));
        }
        let left = std::mem::take(&mut self.left);
        (left > 0 || !epoch.customers.is_empty()).then_some(epoch)
    }
}

impl Source for Paid {
    fn next(&mut self) -> Option<Epoch> {
        self.next_epoch()
    }

    fn finished(&mut self, finished: &Finished, rows: Vec<Row>, left: usize) {
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
        black_box(outputs::encode(&self.codec, finished, &HashMap::new()));
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
    let epochs: Vec<_> = (0..count).map(|_| demand.draw(epoch_records)).collect();
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

/// Checkouts of the bench that are all paid.
pub(crate) fn paid_by_all(seed: u64) -> (Epoch, Paid) {
    let demand = Demand::new(seed, PRODUCTS, 0.0);
    paid(demand, ORDERS_TO_THE_END, STOCK_SHARE, EPOCH_RECORDS)
}

fn to_the_end(seed: u64, clock: &Clock) -> Result<Duration, String> {
    let (stock, mut source) = paid_by_all(seed);
    let mut mesh = Mesh::start(1)?;
    mesh.feed(false, &mut SetUp(Some(stock)));
    let began = clock.elapsed();
    mesh.feed(true, &mut source);
    let took = clock.elapsed() - began;
    mesh.stop();
    Ok(took)
}

/// The gateway's answer to a request: always yes.
pub(crate) fn answer(event: &Event) -> Option<Event> {
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
