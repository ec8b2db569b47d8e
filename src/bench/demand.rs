//! A seeded demand for benches: a catalogue, its stock, and checkouts of the measured shape
//! (lognormal popularity with sigma 1.9, 2.5 lines in the mean).

use super::shop::{Epoch, Said};
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::lines::OrderLine;
use schemas::events::product_actions::{Listing, ProductPutRequested, StockReceiptRequested};
use schemas::events::warehouse_actions::WarehousePutRequested;
use schemas::hash::mix;
use schemas::id::{
    ActionId, CustomerId, Id, KeyHash, OrderId, PaymentMethod, ProductId, RegionId, SellerId,
    WarehouseId,
};
use schemas::money::Currency;
use std::collections::BTreeMap;

/// Warehouses in every bench.
pub(crate) const WAREHOUSES: usize = 3;
const SIGMA: f64 = 1.9;
const PRICE: i64 = 500;

/// Draws that depend on the seed alone.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// From 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.unit().max(1e-300), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

/// Lines of one order at most.
const LINES_MAX: usize = 4;

/// A checkout to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    number: u64,
    draw: u64,
    customer: CustomerId,
    lines: [(u32, u32); LINES_MAX],
    count: usize,
}

impl Drawn {
    /// Products by number, and how many of each.
    fn lines(&self) -> &[(u32, u32)] {
        &self.lines[..self.count]
    }
}

/// A catalogue with its popularity, and what shoppers will ask of it.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    draws: Draws,
    products: Vec<ProductId>,
    weights: Vec<f64>,
    total: f64,
    /// The share of lines that go to product 0, beside its own.
    hot: f64,
    orders: u64,
    offset: u64,
}

impl Demand {
    /// A demand over this many products.
    #[must_use]
    pub(crate) fn new(seed: u64, products: usize, hot: f64) -> Self {
        let mut draws = Draws(mix(seed));
        let mut total = 0.0;
        let weights = (0..products)
            .map(|_| {
                total += (SIGMA * draws.normal()).exp();
                total
            })
            .collect();
        let products = (0..products).map(product_id).collect();
        Self { draws, products, weights, total, hot, orders: 0, offset: 0 }
    }

    /// The set-up: warehouses, listings, and stock of `share` of what `orders` orders will ask;
    /// of product 0, `hot_share`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a positive number of units far below the limits"
    )]
    pub(crate) fn stock(&mut self, orders: usize, share: f64, hot_share: f64) -> Epoch {
        let mut epoch = Epoch::default();
        for warehouse in 0..WAREHOUSES {
            let put = WarehousePutRequested {
                action_id: ActionId::default(),
                warehouse_id: warehouse_id(warehouse),
                name: format!("warehouse {warehouse}"),
                region: region(warehouse),
                priority: 10,
            };
            let said = self.say(put.into());
            epoch.products.push((None, said.into_product()));
        }
        let units_a_line = 1.5;
        let lines = orders as f64 * 2.5;
        let mut before = 0.0;
        for product in 0..self.weights.len() {
            let own = (self.weights[product] - before) / self.total * (1.0 - self.hot);
            before = self.weights[product];
            let asked = lines * (own + if product == 0 { self.hot } else { 0.0 }) * units_a_line;
            let share = if product == 0 { hot_share } else { share };
            let units = (asked * share / WAREHOUSES as f64).ceil() as u32;
            self.stock_product(product, units.clamp(1, 1_000_000), &mut epoch);
        }
        epoch
    }

    fn stock_product(&mut self, product: usize, units: u32, epoch: &mut Epoch) {
        let product_id = self.products[product];
        let group = Some(product_id.0.group());
        let listing = Listing {
            seller_id: SellerId(Id::parse("seller").expect("legal")),
            name: String::new(),
            description: String::new(),
            category: String::new(),
            brand: String::new(),
            price: PRICE,
            currency: usd(),
            attributes: BTreeMap::new(),
            image_urls: Vec::new(),
            order_quantity_max: None,
        };
        let put = ProductPutRequested {
            action_id: ActionId::default(),
            product_id,
            if_match: None,
            listing: Box::new(listing),
        };
        let said = self.say(put.into());
        epoch.products.push((group, said.into_product()));
        for warehouse in 0..WAREHOUSES {
            let id = self.draws.next();
            let receipt = StockReceiptRequested {
                action_id: ActionId::new(product_id.0.group(), u128::from(id).to_be_bytes()),
                product_id,
                idempotency_key: IdempotencyKey::Hash(KeyHash([id, 0])),
                warehouse_id: warehouse_id(warehouse),
                quantity: units,
                reference: String::new(),
            };
            let said = self.say(receipt.into());
            epoch.products.push((group, said.into_product()));
        }
    }

    /// This many checkouts, drawn and not made yet.
    #[must_use]
    pub(crate) fn draw(&mut self, count: usize) -> Vec<Drawn> {
        (0..count).map(|_| self.draw_one()).collect()
    }

    fn draw_one(&mut self) -> Drawn {
        self.orders += 1;
        let draw = self.draws.next();
        let customer = CustomerId(Id::parse(&format!("c{}", draw % 1_000_000)).expect("legal"));
        let mut drawn =
            Drawn { number: self.orders, draw, customer, lines: [(0, 0); LINES_MAX], count: 0 };
        // 1 to 4 lines, 2.5 in the mean.
        for _ in 0..1 + draw / 1_000_000 % 4 {
            let product = u32::try_from(self.product()).expect("products are counted in u32");
            let quantity = 1 + u32::from(self.draws.unit() < 0.5);
            if drawn.lines().iter().all(|(other, _)| *other != product) {
                drawn.lines[drawn.count] = (product, quantity);
                drawn.count += 1;
            }
        }
        drawn
    }

    /// An epoch of these checkouts, made as the input reader makes them: shortly before they are
    /// decided.
    #[must_use]
    pub(crate) fn epoch(&mut self, drawn: &[Drawn]) -> Epoch {
        let mut epoch = Epoch::default();
        epoch.customers.reserve_exact(drawn.len());
        for drawn in drawn {
            let checkout = self.checkout(drawn);
            let group = checkout.order_id.group();
            epoch.customers.push((group, self.say(checkout.into()).into_customer()));
        }
        epoch
    }

    fn checkout(&self, drawn: &Drawn) -> CheckoutRequested {
        let Drawn { number, draw, customer, .. } = *drawn;
        let hash = u128::from(mix(number)) << 64 | u128::from(number);
        let line = |(product, quantity): &(u32, u32)| OrderLine {
            product_id: self.products[*product as usize],
            quantity: *quantity,
            price: PRICE,
        };
        CheckoutRequested {
            order_id: OrderId::new(customer.0.group(), hash.to_be_bytes()),
            customer_id: customer,
            idempotency_key: IdempotencyKey::Hash(KeyHash([number, draw])),
            lines: Some(drawn.lines().iter().map(line).collect()),
            currency: usd(),
            region: region(usize::try_from(draw % 3).unwrap_or(0)),
            payment_method: PaymentMethod(Id::parse("tok_ok").expect("legal")),
        }
    }

    fn product(&mut self) -> usize {
        if self.hot > 0.0 && self.draws.unit() < self.hot {
            return 0;
        }
        let at = self.draws.unit() * self.total;
        self.weights.partition_point(|weight| *weight < at).min(self.weights.len() - 1)
    }

    /// Puts an event behind all others.
    pub(crate) fn say(&mut self, event: schemas::events::Event) -> Said {
        self.offset += 1;
        Said { offset: self.offset, event }
    }
}

fn product_id(product: usize) -> ProductId {
    ProductId(Id::parse(&format!("p{product}")).expect("a legal id"))
}

fn warehouse_id(warehouse: usize) -> WarehouseId {
    WarehouseId(Id::parse(&format!("w{warehouse}")).expect("a legal id"))
}

fn region(number: usize) -> RegionId {
    RegionId(Id::parse(&format!("r{number}")).expect("a legal id"))
}

fn usd() -> Currency {
    Currency::parse("USD").expect("three capital letters")
}
