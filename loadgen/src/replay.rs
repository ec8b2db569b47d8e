//! The profile `replay`: lists what real baskets hold, receives what they ask, and sells them in
//! their order, faster than they were sold.

use crate::baskets::{self, Basket, Baskets};
use crate::clock::Clock;
use crate::ending::Ending;
use crate::fill::{self, Filler};
use crate::ledger::{Asked, Ledger};
use crate::report::Report;
use crate::requests;
use crate::run::{Pace, Run};
use crate::schedule::{Checkout, REGIONS, Schedule, payment_method, region};
use crate::shop::Shop;
use crate::steady::sell;
use crate::{Error, Options};
use schemas::events::lines::OrderLine;
use schemas::id::ProductId;
use schemas::limits::{LINES_MAX, QUANTITY_MAX};
use std::collections::BTreeMap;
use std::time::Duration;

/// Requests in flight at full speed: enough that one is always being made durable.
const IN_FLIGHT: usize = 8;

/// How a file's times become a schedule's.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    /// So many times faster.
    Times(f64),
    /// The whole in so many seconds.
    Within(f64),
    /// As fast as the shop acknowledges.
    Max,
}

/// Sells the baskets of the file.
pub(crate) async fn run(options: &Options) -> Result<Report, Error> {
    let speed = Speed::of(options)?;
    let path = options.replay.baskets.as_deref();
    let path = path.ok_or_else(|| Error::Usage("replay needs --baskets FILE".to_owned()))?;
    let baskets = baskets::read(path, options)?;
    let (schedule, split) = schedule(&baskets, speed);
    tell(&baskets, &schedule, split);
    let clock = Clock::start();
    let (shop, name) = (Shop::at(&options.url, options.query_url.as_deref()), clock.run_name());
    let ledger = Ledger::open(options.ledger.as_deref(), clock)?;
    let receipts = receipts(&schedule, options.replay.stock_factor, &name);
    let mut filler = Filler::of(&shop, clock, &ledger);
    let listings = baskets.prices.iter().map(|(&id, &price)| fill::listing(id, price));
    filler.ask("warehouses", fill::warehouses(), REGIONS.len()).await?;
    filler.ask("products", listings, baskets.prices.len()).await?;
    let all = receipts.len();
    filler.ask("receipts", receipts.into_iter(), all).await?;
    let requests = requests::prepare(&schedule, options.batch, &name);
    let (pace, window) = match speed {
        Speed::Max => (Pace::AsAcknowledged(IN_FLIGHT), None),
        Speed::Times(_) | Speed::Within(_) => {
            (Pace::Scheduled, schedule.checkouts.last().map(|checkout| checkout.at))
        }
    };
    let sale = Run {
        shop: &shop,
        clock,
        ledger: &ledger,
        schedule: &schedule,
        requests: &requests,
        name: &name,
        pace,
        batch: options.batch,
        wait: options.wait,
        server_pid: options.server_pid,
        ending: &Ending::listen()?,
    };
    let report = sell("replay", options, &sale, window).await;
    ledger.close()?;
    Ok(report)
}

impl Speed {
    fn of(options: &Options) -> Result<Self, Error> {
        let Some(text) = &options.replay.speed else {
            return Ok(options.seconds.map_or(Self::Max, Self::Within));
        };
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.parse().ok().filter(|times| (1e-3..=1e9).contains(times));
        let wrong = || Error::Usage("--speed must be max, or a number from 0.001".to_owned());
        times.map(Self::Times).ok_or_else(wrong)
    }

    /// What a time after the first basket becomes, when the last comes `span_ms` after it.
    #[expect(clippy::cast_precision_loss, reason = "a thousand years in milliseconds fit 53 bits")]
    fn at(self, after_ms: i64, span_ms: i64) -> Duration {
        let after = after_ms as f64 / 1000.0;
        let seconds = match self {
            Self::Times(times) => after / times,
            Self::Within(_) if span_ms == 0 => 0.0,
            Self::Within(seconds) => after_ms as f64 / span_ms as f64 * seconds,
            Self::Max => 0.0,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// The baskets as checkouts, and how many were too long for one order: those are several.
fn schedule(from: &Baskets, speed: Speed) -> (Schedule, usize) {
    let first = from.baskets.first().map_or(0, |basket| basket.time.0);
    let span = from.baskets.last().map_or(0, |basket| basket.time.0 - first);
    let (mut schedule, mut split) = (Schedule::default(), 0);
    for (number, Basket { customer_id, time, lines }) in from.baskets.iter().enumerate() {
        let line = |(&product_id, &quantity): (&ProductId, &u32)| OrderLine {
            product_id,
            quantity,
            price: from.prices[&product_id],
        };
        let lines: Vec<OrderLine> = lines.iter().map(line).collect();
        split += usize::from(lines.len() > LINES_MAX);
        for lines in lines.chunks(LINES_MAX) {
            let start = schedule.lines.len();
            schedule.lines.extend_from_slice(lines);
            schedule.checkouts.push(Checkout {
                at: speed.at(time.0 - first, span),
                customer_id: *customer_id,
                region: region(REGIONS[number % REGIONS.len()]),
                payment_method: payment_method("tok_ok"),
                lines: start..schedule.lines.len(),
                key: schedule.checkouts.len(),
            });
        }
    }
    (schedule, split)
}

/// What is asked of each product, times `factor`, over the three warehouses as evenly as it goes.
fn receipts(schedule: &Schedule, factor: f64, run: &str) -> Vec<Asked> {
    let mut asked: BTreeMap<ProductId, u64> = BTreeMap::new();
    for line in &schedule.lines {
        *asked.entry(line.product_id).or_default() += u64::from(line.quantity);
    }
    let mut receipts = Vec::new();
    for (product_id, asked) in asked {
        let units = times(asked, factor);
        for (place, name) in (0_u64..).zip(REGIONS) {
            let mut left = units / 3 + u64::from(place < units % 3);
            while left > 0 {
                let quantity = u32::try_from(left).unwrap_or(QUANTITY_MAX).min(QUANTITY_MAX);
                let key = format!("{run}-r{}", receipts.len());
                receipts.push(fill::receipt(product_id, name, quantity, key));
                left -= u64::from(quantity);
            }
        }
    }
    receipts
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "units of a file's baskets times at most a million: positive, and saturating"
)]
fn times(units: u64, factor: f64) -> u64 {
    (units as f64 * factor).round() as u64
}

fn tell(baskets: &Baskets, schedule: &Schedule, split: usize) {
    let left_out = baskets.left_out;
    eprintln!(
        "{} baskets, {} orders, {} lines, {} products; left out rows: {} without unit count, {} \
         without price, {} with an illegal id; {split} baskets are several orders",
        baskets.baskets.len(),
        schedule.checkouts.len(),
        schedule.lines.len(),
        baskets.prices.len(),
        left_out.quantities,
        left_out.prices,
        left_out.ids,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::options;
    use schemas::id::CustomerId;
    use schemas::time::Timestamp;

    fn id(text: &str) -> ProductId {
        ProductId::parse(text).unwrap()
    }

    /// Baskets of `lines` products each, at these times.
    fn baskets(of: &[(i64, usize)]) -> Baskets {
        let lines = |count| (0..count).map(|n| (id(&format!("p{n:03}")), 2)).collect();
        let basket = |&(time, count): &(i64, usize)| Basket {
            customer_id: CustomerId::parse("c1").unwrap(),
            time: Timestamp(time),
            lines: lines(count),
        };
        let most = of.iter().map(|(_, count)| *count).max().unwrap();
        let prices = (0..most).map(|n| (id(&format!("p{n:03}")), 100)).collect();
        Baskets { baskets: of.iter().map(basket).collect(), prices, ..Baskets::default() }
    }

    fn times_at(speed: Speed) -> Vec<u128> {
        let baskets = baskets(&[(5_000, 1), (65_000, 1), (125_000, 1)]);
        schedule(&baskets, speed).0.checkouts.iter().map(|c| c.at.as_millis()).collect()
    }

    #[test]
    fn time_is_compressed() {
        assert_eq!(times_at(Speed::Times(60.0)), [0, 1000, 2000]);
        assert_eq!(times_at(Speed::Within(10.0)), [0, 5000, 10_000]);
        assert_eq!(times_at(Speed::Max), [0, 0, 0]);
    }

    #[test]
    fn the_speed_is_a_number_max_or_the_seconds() {
        let speed = |flags: &[&str]| Speed::of(&options(flags));
        assert_eq!(speed(&["replay"]).unwrap(), Speed::Max);
        assert_eq!(speed(&["replay", "--speed", "max"]).unwrap(), Speed::Max);
        assert_eq!(speed(&["replay", "--speed", "60"]).unwrap(), Speed::Times(60.0));
        assert_eq!(speed(&["replay", "--seconds", "30"]).unwrap(), Speed::Within(30.0));
        for wrong in ["fast", "0", "-1", "NaN"] {
            let flag = format!("--speed={wrong}");
            let error = speed(&["replay", &flag]).unwrap_err();
            assert_eq!(error.to_string(), "--speed must be max, or a number from 0.001");
        }
    }

    #[test]
    fn a_basket_too_long_for_one_order_is_several() {
        let (schedule, split) = schedule(&baskets(&[(0, 100), (1, 201)]), Speed::Max);
        let lines: Vec<usize> = schedule.checkouts.iter().map(|c| c.lines.len()).collect();
        assert_eq!((lines, split), (vec![100, 100, 100, 1], 1));
    }

    #[test]
    fn as_much_is_received_as_is_asked_times_the_factor() {
        let (schedule, _) = schedule(&baskets(&[(0, 1), (1, 1)]), Speed::Max);
        let key = |n| format!("r-r{n}");
        let of = |name, quantity, n| fill::receipt(id("p000"), name, quantity, key(n));
        assert_eq!(receipts(&schedule, 1.0, "r"), [of("eu", 2, 0), of("us", 1, 1), of("ap", 1, 2)]);
        assert_eq!(receipts(&schedule, 0.5, "r"), [of("eu", 1, 0), of("us", 1, 1)]);
        let many = receipts(&schedule, 1e6, "r");
        assert_eq!(many.len(), 6, "no receipt brings more than a million units");
    }
}
