//! What will be asked and when, made before the run. The same seed gives the same schedule, on any
//! machine and whatever the shop does.

use crate::Options;
use crate::random::{Popularity, Random};
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, PaymentMethod, ProductId, RegionId, WarehouseId};
use schemas::limits::LINES_MAX;
use schemas::money::Currency;
use std::ops::Range;
use std::time::Duration;

/// Measured on a large shop: one product in a hundred gets a third of the lines.
const POPULARITY_SIGMA: f64 = 1.9;
const QUANTITY_MEAN: f64 = 1.3;
const QUANTITY_MAX: u32 = 50;
/// Of a hundred checkouts: so many are declined, stay unanswered, or are an earlier one repeated.
const DECLINED: u32 = 5;
const SILENT: u32 = 1;
const REPEATED: u32 = 1;
/// A repeated request repeats one of the last so many.
const REPEATED_WITHIN: u32 = 1000;
/// Where a shop of ours has warehouses and customers.
pub(crate) const REGIONS: [&str; 3] = ["eu", "us", "ap"];
/// Memory: a checkout and its body are about 600 bytes.
pub(crate) const CHECKOUTS_MAX: f64 = 10e6;

/// One checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// When it is to be sent, after the start.
    pub(crate) at: Duration,
    pub(crate) customer_id: CustomerId,
    pub(crate) region: RegionId,
    pub(crate) payment_method: PaymentMethod,
    /// Its lines, in [`Schedule::lines`].
    pub(crate) lines: Range<usize>,
    /// Its idempotency key's number: its own, or that of the checkout it repeats.
    pub(crate) key: usize,
}

/// All checkouts of a run by time, and their lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) checkouts: Vec<Checkout>,
    pub(crate) lines: Vec<OrderLine>,
}

/// The currency of all we sell.
pub(crate) fn currency() -> Currency {
    Currency::parse("USD").expect("three capital letters")
}

/// Product `n` of a filled shop.
pub(crate) fn product(n: u32) -> ProductId {
    ProductId::parse(&format!("p{n}")).expect("a letter and digits are an id")
}

/// What product `n` costs, 1.00 to 500.99: the same whatever the seed, since the shop outlives it.
#[must_use]
pub fn price(n: u32) -> i64 {
    100 + i64::from(Random::seeded(u64::from(n)).below(50_000))
}

/// The warehouse in `region`.
pub(crate) fn warehouse(region: &str) -> WarehouseId {
    WarehouseId::parse(&format!("w-{region}")).expect("letters and a dash are an id")
}

pub(crate) fn region(name: &str) -> RegionId {
    RegionId::parse(name).expect("our regions are ids")
}

pub(crate) fn payment_method(token: &str) -> PaymentMethod {
    PaymentMethod::parse(token).expect("the sandbox's tokens are ids")
}

impl Schedule {
    /// The profile `steady`: Poisson arrivals at a rate for some seconds.
    pub(crate) fn steady(options: &Options, seconds: f64) -> Self {
        let mut random = Random::seeded(options.seed);
        let popularity = Popularity::lognormal(options.products, POPULARITY_SIGMA, &mut random);
        let mut schedule = Self::default();
        let mut at = random.exponential() / options.rate;
        while at < seconds {
            let at_time = Duration::from_secs_f64(at);
            let kind = random.below(100);
            let number = schedule.checkouts.len();
            if kind < REPEATED && number > 0 {
                let recent = u32::try_from(number).unwrap_or(u32::MAX).min(REPEATED_WITHIN);
                let earlier = number - 1 - random.below(recent) as usize;
                let repeated = Checkout { at: at_time, ..schedule.checkouts[earlier].clone() };
                schedule.checkouts.push(repeated);
            } else {
                let token = match kind.saturating_sub(REPEATED) {
                    n if n < DECLINED => "tok_decline",
                    n if n < DECLINED + SILENT => "tok_silent",
                    _ => "tok_ok",
                };
                let customer = format!("c{}", random.below(options.customers));
                let region_name = REGIONS[random.below(3) as usize];
                let lines = schedule.add_lines(options, &popularity, &mut random);
                schedule.checkouts.push(Checkout {
                    at: at_time,
                    customer_id: CustomerId::parse(&customer).expect("a letter and digits"),
                    region: region(region_name),
                    payment_method: payment_method(token),
                    lines,
                    key: number,
                });
            }
            at += random.exponential() / options.rate;
        }
        schedule
    }

    /// Lines of different products, save the hot one: half of all lines can be for one product only
    /// if an order may name it twice.
    fn add_lines(
        &mut self,
        options: &Options,
        popularity: &Popularity,
        random: &mut Random,
    ) -> Range<usize> {
        const DRAWS_MAX: u32 = 20;
        let start = self.lines.len();
        let max = u32::try_from(LINES_MAX).unwrap_or(u32::MAX);
        for _ in 0..random.count(options.lines_mean, max) {
            let hot = options.hot > 0.0 && random.unit() < options.hot;
            let mut n = if hot { 0 } else { popularity.draw(random) };
            let mut draws = 1;
            while !hot && draws < DRAWS_MAX && self.has(start, product(n)) {
                n = popularity.draw(random);
                draws += 1;
            }
            let quantity = random.count(QUANTITY_MEAN, QUANTITY_MAX);
            self.lines.push(OrderLine { product_id: product(n), quantity, price: price(n) });
        }
        start..self.lines.len()
    }

    fn has(&self, start: usize, product_id: ProductId) -> bool {
        self.lines[start..].iter().any(|line| line.product_id == product_id)
    }

    pub(crate) fn lines_of(&self, checkout: &Checkout) -> &[OrderLine] {
        &self.lines[checkout.lines.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::options;
    use std::collections::HashSet;

    fn schedule(flags: &[&str]) -> Schedule {
        Schedule::steady(&options(flags), 20.0)
    }

    #[test]
    fn follows_from_the_seed() {
        let flags = ["steady", "--rate", "500", "--seed", "7"];
        assert_eq!(schedule(&flags), schedule(&flags));
        assert_ne!(schedule(&flags), schedule(&["steady", "--rate", "500", "--seed", "8"]));
    }

    /// Means over 40,000 arrivals and 100,000 lines; each bound is at least five deviations wide.
    #[test]
    fn has_the_measured_shape() {
        let made = schedule(&["steady", "--rate", "2000"]);
        let all = made.checkouts.len();
        assert!((39_000..=41_000).contains(&all), "{all} arrivals");
        assert!(made.checkouts.is_sorted_by_key(|checkout| checkout.at));
        let (mut seen, mut own) = (HashSet::new(), vec![]);
        for checkout in &made.checkouts {
            if seen.insert(checkout.key) {
                own.push(checkout);
            }
        }
        let repeated = all - own.len();
        assert!((300..=500).contains(&repeated), "{repeated} repeated");
        let paid_by = |token| {
            own.iter().filter(|checkout| checkout.payment_method == payment_method(token)).count()
        };
        let declined = paid_by("tok_decline");
        assert!((1_780..=2_220).contains(&declined), "{declined} declined");
        let silent = paid_by("tok_silent");
        assert!((300..=500).contains(&silent), "{silent} silent");
        assert_eq!(paid_by("tok_ok") + declined + silent, own.len());
        let lines = made.lines.len() * 100 / own.len();
        assert!((245..=255).contains(&lines), "{lines} lines per 100 orders");
        let units: u32 = made.lines.iter().map(|line| line.quantity).sum();
        let units = units as usize * 100 / made.lines.len();
        assert!((128..=132).contains(&units), "{units} units per 100 lines");
    }

    #[test]
    fn repeats_the_whole_request() {
        let made = schedule(&["steady", "--rate", "500"]);
        let (mut number, mut repeated) = (0, 0);
        for checkout in &made.checkouts {
            if checkout.key != number {
                let first = &made.checkouts[checkout.key];
                assert_eq!(*checkout, Checkout { at: checkout.at, ..first.clone() });
                repeated += 1;
            }
            number += 1;
        }
        assert!(repeated > 0);
    }

    #[test]
    fn gives_the_hot_product_its_share_of_all_lines() {
        let made = schedule(&["steady", "--rate", "2000", "--hot", "0.5", "--products", "100000"]);
        let hot = made.lines.iter().filter(|line| line.product_id == product(0)).count();
        let share = hot * 100 / made.lines.len();
        assert!((49..=51).contains(&share), "{share} % of the lines");
    }
}
