//! Plays the ledgers of `processors/ledgers/orders` and compares all that comes out of them.
//!
//! A line that is not indented says what happens, or asks how things stand; indented lines are
//! the answer, whole. What happens is decided at `decided`, as one epoch. After a `>` stands what
//! the payment worker is asked for.

use super::Shop;
use super::doubles::{Held, ProductsDouble, Shelf};
use crate::shards::Decided;
use schemas::events::Event;
use schemas::events::customer_actions::{
    CancellationRequested, CartItemAddRequested, CartItemSetRequested, CheckoutRequested,
    IdempotencyKey, PaymentOutcome, PaymentReported,
};
use schemas::events::lines::OrderLine;
use schemas::id::{
    ActionId, CustomerId, KeyHash, OrderId, PaymentMethod, ProductId, RegionId, action_id,
};
use schemas::money::Currency;
use schemas::time::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn every_ledger_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledgers/orders");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no ledgers");
    for path in paths {
        let written = std::fs::read_to_string(&path).unwrap();
        let played = Play::new().play(&written);
        assert!(written == played, "{}: this comes out:\n{played}", path.display());
    }
}

struct Play {
    shop: Shop,
    now: Timestamp,
    records: Vec<Event>,
    orders: BTreeMap<OrderId, String>,
}

impl Play {
    fn new() -> Self {
        let shop = Shop::new(ProductsDouble::default(), 7);
        Self { shop, now: Timestamp(0), records: Vec::new(), orders: BTreeMap::new() }
    }

    /// The ledger again, with what really comes out.
    fn play(mut self, ledger: &str) -> String {
        let mut played = String::new();
        for line in ledger.lines().filter(|line| !line.starts_with(' ')) {
            played += line;
            played += "\n";
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.first().is_none_or(|word| *word == "#") {
                continue;
            }
            for answer in self.line(&words) {
                played += &format!("    {answer}\n");
            }
        }
        assert!(self.records.is_empty(), "a ledger ends with what was decided");
        played
    }

    fn line(&mut self, words: &[&str]) -> Vec<String> {
        match words {
            ["shelf", product, available, "at", price, currency] => {
                let (available, price) = (available.parse().unwrap(), price.parse().unwrap());
                let shelf = Shelf { available, price, currency: self::currency(currency) };
                self.shop.products.shelves.insert(self::product(product), shelf);
            }
            ["lose", quantity, product] => {
                let lost = (self::product(product), quantity.parse().unwrap());
                self.shop.products.adjustments.push(lost);
            }
            ["at", minutes] => {
                let minutes: i64 = minutes.trim_end_matches('m').parse().unwrap();
                self.now = Timestamp(minutes * 60_000);
            }
            ["decided"] => {
                let records = std::mem::take(&mut self.records);
                let events = self.shop.decide(self.now, records);
                return events.iter().map(|decided| self.told(decided)).collect();
            }
            ["order", order] => return self.stands(order),
            ["stock", product] => return self.stock(product),
            ["cart", customer] => return self.cart(customer),
            words => {
                let record = self.record(words);
                self.records.push(record);
            }
        }
        Vec::new()
    }

    fn record(&mut self, words: &[&str]) -> Event {
        match words {
            ["checkout", key, customer, order, currency, "cart"] => {
                self.checkout(key, customer, order, currency, None)
            }
            ["checkout", key, customer, order, currency, items @ ..] => {
                let line = |item: &[&str]| OrderLine {
                    quantity: item[0].parse().unwrap(),
                    product_id: product(item[1]),
                    price: item[3].trim_end_matches(',').parse().unwrap(),
                };
                let lines = items.chunks(4).map(line).collect();
                self.checkout(key, customer, order, currency, Some(lines))
            }
            ["cancel", key, order] => {
                let order_id = self.order(order);
                let (action_id, idempotency_key) = (action(&["cancel", key, order]), hashed(key));
                let reason = String::new();
                CancellationRequested { action_id, order_id, idempotency_key, reason }.into()
            }
            ["add", key, customer, quantity, product] => CartItemAddRequested {
                action_id: action(&["add", key, quantity, product]),
                customer_id: self::customer(customer),
                idempotency_key: hashed(key),
                product_id: self::product(product),
                quantity: quantity.parse().unwrap(),
            }
            .into(),
            ["set", customer, quantity, product] => CartItemSetRequested {
                action_id: action(&["set", quantity, product]),
                customer_id: self::customer(customer),
                product_id: self::product(product),
                quantity: quantity.parse().unwrap(),
            }
            .into(),
            ["provider", order, outcome, amount, currency] => {
                let order_id = self.order(order);
                PaymentReported {
                    provider_event_id: "evt".to_owned(),
                    payment_id: order_id.payment(),
                    order_id,
                    outcome: self::outcome(outcome),
                    amount: amount.parse().unwrap(),
                    currency: self::currency(currency),
                    decline_code: None,
                }
                .into()
            }
            other => panic!("not a line of a ledger: {other:?}"),
        }
    }

    fn checkout(
        &mut self,
        key: &str,
        customer: &str,
        order: &str,
        currency: &str,
        lines: Option<Vec<OrderLine>>,
    ) -> Event {
        CheckoutRequested {
            order_id: self.order(order),
            customer_id: self::customer(customer),
            idempotency_key: hashed(key),
            lines,
            currency: self::currency(currency),
            region: RegionId::parse("eu").unwrap(),
            payment_method: PaymentMethod::parse("tok_ok").unwrap(),
        }
        .into()
    }

    fn order(&mut self, name: &str) -> OrderId {
        let mut hash = [0; 16];
        hash[16 - name.len()..].copy_from_slice(name.as_bytes());
        let order = OrderId::new(0, hash);
        self.orders.insert(order, name.to_owned());
        order
    }

    fn told(&self, decided: &Decided) -> String {
        let name = |order: OrderId| self.orders[&order].as_str();
        match &decided.event {
            Event::OrderRequested(e) => {
                let lines: Vec<_> = e.lines.iter().map(item).collect();
                format!("{} requested by {}: {}", name(e.order_id), e.customer_id, lines.join(", "))
            }
            Event::OrderRejected(e) => {
                let mut text = format!("{} rejected: {}", name(e.order_id), e.reason.as_str());
                for line in &e.lines {
                    let (of, reason) = (line.product_id, line.reason.as_str());
                    text += &format!("; {of} {reason}, {} of {}", line.available, line.asked);
                }
                text
            }
            Event::OrderAwaitingPayment(e) => format!("{} awaits payment", name(e.order_id)),
            Event::OrderConfirmed(e) => format!("{} confirmed", name(e.order_id)),
            Event::OrderCancelled(e) => {
                format!("{} cancelled: {}", name(e.order_id), e.reason.as_str())
            }
            Event::PaymentChanged(e) => {
                let sums = format!("captured {}, refunded {}", e.captured, e.refunded);
                format!("{} payment {:?}: {sums}", name(e.order_id), e.state).to_lowercase()
            }
            Event::PaymentRequested(e) => {
                let verb = format!("{:?}", e.verb).to_lowercase();
                format!("> {verb} {} {} for {}", e.amount, e.currency, name(e.order_id))
            }
            Event::CartChanged(e) => {
                let (product_id, quantity, price) = (e.product_id, e.quantity, e.price);
                let item = item(&OrderLine { product_id, quantity, price });
                format!("cart of {}: {item}, version {}", e.customer_id, e.version)
            }
            Event::CartCleared(e) => {
                format!("cart of {}: cleared, version {}", e.customer_id, e.version)
            }
            Event::CustomerActionRejected(e) => {
                let on = e.order_id.map_or(String::new(), |order| format!(" on {}", name(order)));
                format!("an action{on} is refused: {}", e.reason.as_str())
            }
            other => panic!("customers do not decide {other:?}"),
        }
    }

    fn stands(&mut self, order: &str) -> Vec<String> {
        let id = self.order(order);
        let orders = &self.shop.shards[0].orders;
        let order = &orders.get(orders.find(id).unwrap()).order;
        let mut lines = vec![format!("{:?}", order.state())];
        lines.extend(order.lines().iter().map(|line| {
            let claim = format!("{:?}", line.claim);
            let claim = claim.split(['(', ' ']).next().unwrap().to_lowercase();
            format!("{} {}: {claim}", line.quantity, line.product)
        }));
        lines
    }

    fn stock(&self, of: &str) -> Vec<String> {
        let products = &self.shop.products;
        let (mut reserved, mut allocated) = (0, 0);
        for (product, held) in products.held.values() {
            match held {
                _ if *product != self::product(of) => {}
                Held::Reserved(units) => reserved += units,
                Held::Allocated(units) => allocated += units,
            }
        }
        let available = products.shelves[&product(of)].available;
        vec![format!("{available} available, {reserved} reserved, {allocated} allocated")]
    }

    fn cart(&self, of: &str) -> Vec<String> {
        let cart = &self.shop.shards[0].carts[&customer(of)];
        cart.items().iter().map(item).collect()
    }
}

fn item(line: &OrderLine) -> String {
    format!("{} {} at {}", line.quantity, line.product_id, line.price)
}

fn action(parts: &[&str]) -> ActionId {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    action_id(0, &parts)
}

fn hashed(key: &str) -> IdempotencyKey {
    IdempotencyKey::Hash(KeyHash::of(key))
}

fn product(text: &str) -> ProductId {
    ProductId::parse(text).unwrap()
}

fn customer(text: &str) -> CustomerId {
    CustomerId::parse(text).unwrap()
}

fn currency(text: &str) -> Currency {
    Currency::parse(text).unwrap()
}

fn outcome(text: &str) -> PaymentOutcome {
    match text {
        "authorized" => PaymentOutcome::Authorized,
        "declined" => PaymentOutcome::Declined,
        "captured" => PaymentOutcome::Captured,
        "voided" => PaymentOutcome::Voided,
        "refunded" => PaymentOutcome::Refunded,
        other => panic!("no outcome: {other}"),
    }
}
