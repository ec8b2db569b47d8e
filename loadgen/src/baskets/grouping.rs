//! Rows put together to baskets. A row that no shop could sell is left out and counted.

use super::{Basket, Baskets, LeftOut, Row};
use crate::PriceIs;
use schemas::id::{CustomerId, ProductId};
use schemas::limits::{PRICE_MAX, QUANTITY_MAX};
use std::collections::{BTreeMap, HashMap};

/// How rows become lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) price_is: PriceIs,
    pub(crate) quantity_max: u32,
}

/// Puts rows together.
#[derive(Debug)]
pub(crate) struct Grouping {
    rules: Rules,
    by_name: HashMap<String, usize>,
    baskets: Vec<Basket>,
    /// How often each unit price was paid.
    paid: BTreeMap<ProductId, BTreeMap<i64, u64>>,
    left_out: LeftOut,
}

impl Grouping {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            by_name: HashMap::new(),
            baskets: Vec::new(),
            paid: BTreeMap::new(),
            left_out: LeftOut::default(),
        }
    }

    /// Adds a row to its basket. A product named twice in a basket is one line.
    pub(crate) fn take(&mut self, row: Row) {
        let ids = CustomerId::parse(&row.customer).zip(ProductId::parse(&row.product));
        let Some((customer_id, product_id)) = ids else {
            self.left_out.ids += 1;
            return;
        };
        let Some(quantity) = whole(row.quantity, self.rules.quantity_max) else {
            self.left_out.quantities += 1;
            return;
        };
        let units = match self.rules.price_is {
            PriceIs::Line => f64::from(quantity),
            PriceIs::Unit => 1.0,
        };
        // What was given away says nothing of what the product costs.
        if let Some(price) = minor_units(row.price / units) {
            *self.paid.entry(product_id).or_default().entry(price).or_default() += 1;
        }
        let next = self.baskets.len();
        let place = *self.by_name.entry(row.basket).or_insert(next);
        if place == next {
            let lines = BTreeMap::new();
            self.baskets.push(Basket { customer_id, time: row.time, lines });
        }
        let basket = &mut self.baskets[place];
        basket.time = basket.time.min(row.time);
        let line = basket.lines.entry(product_id).or_default();
        *line = line.saturating_add(quantity).min(QUANTITY_MAX);
    }

    /// The baskets by time; those of one time stay in the file's order.
    pub(crate) fn finish(self) -> Baskets {
        let Self { mut baskets, paid, mut left_out, .. } = self;
        let prices: BTreeMap<ProductId, i64> =
            paid.iter().filter_map(|(&id, paid)| Some((id, most_frequent(paid)?))).collect();
        for basket in &mut baskets {
            let before = basket.lines.len();
            basket.lines.retain(|product_id, _| prices.contains_key(product_id));
            left_out.prices += (before - basket.lines.len()) as u64;
        }
        baskets.retain(|basket| !basket.lines.is_empty());
        baskets.sort_by_key(|basket| basket.time);
        Baskets { baskets, prices, left_out }
    }
}

/// Of prices paid equally often, the lowest.
fn most_frequent(paid: &BTreeMap<i64, u64>) -> Option<i64> {
    let by_count = |&(price, times): &(&i64, &u64)| (*times, std::cmp::Reverse(*price));
    paid.iter().max_by_key(by_count).map(|(&price, _)| price)
}

fn whole(quantity: f64, max: u32) -> Option<u32> {
    let legal = quantity >= 1.0 && quantity <= f64::from(max) && quantity.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to max"
    )]
    legal.then_some(quantity as u32)
}

/// Rounded to the nearest minor unit, from 1 on; else `None`.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn minor_units(price: f64) -> Option<i64> {
    const MAX: f64 = PRICE_MAX as f64;
    let minor = (price * 100.0).round();
    (1.0..=MAX).contains(&minor).then_some(minor as i64)
}
