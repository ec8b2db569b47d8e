//! Plays the ledgers under `ledgers/stock/`.
//!
//! A line that is not indented is something that happens; the indented lines below it are all
//! that comes of it: events, and behind `->` what customers are told. `stock P` and `claims P`
//! ask how things stand.

use super::super::Products;
use super::shop;
use machines::message::{Context, CustomerMessage, Place, ProductMessage, Reserve, ToCustomer};
use machines::reservation::Claim;
use schemas::events::Event;
use schemas::events::lines::Level;
use schemas::events::product_actions::{
    ProductDelistRequested, ProductPutRequested, SafetyStockSetRequested,
};
use schemas::id::{CustomerId, OrderId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn every_ledger_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledgers/stock");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = String::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let played = Ledger::new().play(&written);
        if written != played {
            let name = file.file_name().unwrap().display();
            write!(wrong, "{name}:\n{}", difference(&written, &played)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn difference(written: &str, played: &str) -> String {
    let (mut written, mut played) = (written.lines().peekable(), played.lines().peekable());
    let mut lines = String::new();
    while written.peek().is_some() || played.peek().is_some() {
        // What happens stands in both; what came of it may differ in number.
        let block = |line: &mut std::iter::Peekable<std::str::Lines<'_>>| {
            let mut block = vec![line.next().unwrap_or_default().to_owned()];
            while let Some(next) = line.next_if(|line| line.starts_with("    ")) {
                block.push(next.to_owned());
            }
            block
        };
        let (expected, found) = (block(&mut written), block(&mut played));
        if expected != found {
            writeln!(lines, "  {}", expected[0]).unwrap();
            expected[1..].iter().for_each(|line| writeln!(lines, "- {line}").unwrap());
            found[1..].iter().for_each(|line| writeln!(lines, "+ {line}").unwrap());
        }
    }
    lines
}

struct Ledger {
    products: Products,
    context: Context,
    orders: BTreeMap<OrderId, String>,
    offset: u64,
}

impl Ledger {
    fn new() -> Self {
        let (products, context) = (Products::new(1, 0, 1), shop::context(1, 0));
        Self { products, context, orders: BTreeMap::new(), offset: 0 }
    }

    fn play(mut self, ledger: &str) -> String {
        let mut played = String::new();
        for line in ledger.lines().filter(|line| !line.starts_with("    ")) {
            writeln!(played, "{line}").unwrap();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            for outcome in self.happen(&line.split(' ').collect::<Vec<_>>()) {
                writeln!(played, "    {outcome}").unwrap();
            }
        }
        played
    }

    fn happen(&mut self, words: &[&str]) -> Vec<String> {
        let body = match words {
            ["epoch", epoch, "at", seconds] => {
                let now = seconds.strip_suffix('s').unwrap().parse::<i64>().unwrap() * 1000;
                self.context = shop::context(epoch.parse().unwrap(), now);
                return Vec::new();
            }
            ["stock", of] => return self.stock(of),
            ["claims", of] => return self.claims(of),
            ["warehouse", name, region, "priority", priority] => {
                shop::set_up(name, region, priority.parse().unwrap())
            }
            ["put" | "delist" | "receive" | "adjust" | "keep", ..] => Self::action(words),
            ["reserve", quantity, of, "for", order, "in", region, rest @ ..] => {
                let quantity = quantity.parse().unwrap();
                ProductMessage::Reserve(self.reserve(quantity, of, order, region, rest))
            }
            ["price", quantity, of] => ProductMessage::AskPrice {
                product: shop::product(of),
                customer: CustomerId::parse("customer").unwrap(),
                action: shop::action("ask"),
                quantity: quantity.parse().unwrap(),
            },
            [verb, of, "for", order] => {
                let (product, order, line) = (shop::product(of), self.order(order), 0);
                let place = Place::UNKNOWN;
                match *verb {
                    "secure" => ProductMessage::Secure { product, order, line, place },
                    "release" => ProductMessage::Release { product, order, line, place },
                    "confirm" => ProductMessage::Confirm { product, order, line, place },
                    "expire" => ProductMessage::Expire { product, order, line, place },
                    verb => panic!("no such thing happens: {verb}"),
                }
            }
            words => panic!("cannot read {words:?}"),
        };
        self.offset += 1;
        let message = shop::message(self.offset, body);
        let (events, messages) = shop::apply(&mut self.products, &self.context, message);
        let told = messages.iter().map(|message| format!("-> {}", self.told(message)));
        events.iter().map(|decided| self.event(&decided.event)).chain(told).collect()
    }

    fn order(&mut self, name: &str) -> OrderId {
        let order = shop::order(name);
        self.orders.insert(order, name.to_owned());
        order
    }

    fn action(words: &[&str]) -> ProductMessage {
        match words {
            ["put", name, price, currency, rest @ ..] => {
                let max = match rest {
                    ["max", max, ..] => Some(max.parse().unwrap()),
                    _ => None,
                };
                let currency = Currency::parse(currency).unwrap();
                shop::record(ProductPutRequested {
                    action_id: shop::action("put"),
                    product_id: shop::product(name),
                    if_match: if_match(rest),
                    listing: shop::listing(price.parse().unwrap(), currency, max),
                })
            }
            ["delist", name, rest @ ..] => shop::record(ProductDelistRequested {
                action_id: shop::action("delist"),
                product_id: shop::product(name),
                if_match: if_match(rest),
            }),
            ["receive", quantity, to, "at", at, "key", key] => {
                shop::receive(to, at, quantity.parse().unwrap(), key)
            }
            ["adjust", of, "at", at, "by", change, "key", key, rest @ ..] => {
                shop::adjust(of, at, change.parse().unwrap(), key, if_match(rest))
            }
            ["keep", units, of, "at", at] => shop::record(SafetyStockSetRequested {
                action_id: shop::action("keep"),
                product_id: shop::product(of),
                warehouse_id: shop::warehouse(at),
                safety_stock: units.parse().unwrap(),
            }),
            words => panic!("cannot read {words:?}"),
        }
    }

    fn reserve(
        &mut self,
        quantity: u32,
        of: &str,
        order: &str,
        region: &str,
        rest: &[&str],
    ) -> Reserve {
        let order = self.order(order);
        let mut reserve = shop::reserve(&self.context, of, order, quantity, region);
        for (i, word) in rest.iter().enumerate() {
            match *word {
                "alone" => reserve.alone = true,
                "paid" => (reserve.price, reserve.expires_at) = (None, Timestamp::MAX),
                "price" => reserve.price = Some(rest[i + 1].parse().unwrap()),
                "currency" => reserve.currency = Currency::parse(rest[i + 1]).unwrap(),
                _ => {}
            }
        }
        reserve
    }

    fn event(&self, event: &Event) -> String {
        let name = |order: OrderId| self.orders[&order].as_str();
        match event {
            Event::ProductListed(e) => {
                format!("listed {} at {}, version {}", e.product_id, e.listing.price, e.version)
            }
            Event::ProductDelisted(e) => {
                format!("delisted {}, version {}", e.product_id, e.version)
            }
            Event::ProductActionRejected(e) => format!("rejected: {}", e.reason.as_str()),
            Event::StockReceived(e) => {
                format!("received {} at {}, version {}", e.quantity, e.warehouse_id, e.version)
            }
            Event::StockAdjusted(e) => format!(
                "adjusted {} by {} of {}, version {}",
                e.warehouse_id, e.change, e.asked, e.version
            ),
            Event::SafetyStockChanged(e) => {
                format!("kept back {} at {}, version {}", e.safety_stock, e.warehouse_id, e.version)
            }
            Event::StockReserved(e) => {
                let firm = if e.firm { "firm" } else { "soft" };
                let (order, levels) = (name(e.order_id), levels(e.levels.levels()));
                format!("reserved for {order}: {levels}, {firm}, until {}", until(e.expires_at))
            }
            Event::ReservationSecured(e) => format!("firm for {}", name(e.order_id)),
            Event::StockRefused(e) => {
                let reason = e.reason.as_str();
                format!("refused {}: {reason}, {} of {}", name(e.order_id), e.available, e.asked)
            }
            Event::StockAllocated(e) => format!("allocated {} to {}", e.quantity, name(e.order_id)),
            Event::StockReleased(e) => {
                let what = if e.allocated { "allocated" } else { "reserved" };
                format!("released {} {what} for {}", e.quantity, name(e.order_id))
            }
            Event::ReservationExpired(e) => {
                format!("expired {} for {}", e.quantity, name(e.order_id))
            }
            Event::ReservationRevoked(e) => {
                format!("revoked {} of {}", e.quantity, name(e.order_id))
            }
            Event::AllocationShorted(e) => {
                format!("short {} of {} at {}", e.quantity, name(e.order_id), e.warehouse_id)
            }
            other => panic!("not of the products: {other:?}"),
        }
    }

    fn told(&self, message: &ToCustomer) -> String {
        let name = |order: &OrderId| self.orders[order].as_str();
        match &message.body {
            CustomerMessage::Record(event) => panic!("not of the products: {event:?}"),
            CustomerMessage::Reserved { order, levels: split, .. } => {
                format!("{}: reserved {}", name(order), levels(split.levels()))
            }
            CustomerMessage::Refused { order, reason, available, .. } => {
                format!("{}: refused, {}, {available} left", name(order), reason.as_str())
            }
            CustomerMessage::Revoked { order, .. } => format!("{}: revoked", name(order)),
            CustomerMessage::Price { price: Ok((price, currency)), quantity, .. } => {
                format!("customer: {quantity} at {price} {currency}")
            }
            CustomerMessage::Price { price: Err(reason), .. } => {
                format!("customer: {}", reason.as_str())
            }
        }
    }

    fn stock(&self, of: &str) -> Vec<String> {
        let Some(product) = self.products.product(shop::product(of)) else {
            return vec!["none".to_owned()];
        };
        let level = |level: &machines::inventory::StockLevel| {
            format!(
                "{}: {} on hand = {} available + {} reserved + {} allocated + {} kept back",
                level.warehouse,
                level.on_hand,
                level.available(),
                level.reserved,
                level.allocated,
                level.safety_stock()
            )
        };
        product.stock.levels().iter().map(level).collect()
    }

    fn claims(&self, of: &str) -> Vec<String> {
        let Some(product) = self.products.product(shop::product(of)) else {
            return vec!["none".to_owned()];
        };
        let chains = &product.chains;
        let mut lines = Vec::new();
        for chain in [chains.waiting, chains.reserved, chains.allocated] {
            let mut next = chain.first();
            while let Some(at) = next {
                let entry = self.products.claims.get(at);
                let order = &self.orders[&entry.order];
                lines.push(match entry.claim() {
                    Claim::Waiting(line) => format!("{order} waits for {}", line.reserve.quantity),
                    Claim::Reserved(held) if held.soft => {
                        format!("{order} holds {}", levels(held.levels.levels()))
                    }
                    Claim::Reserved(held) => {
                        format!("{order} holds {}, firm", levels(held.levels.levels()))
                    }
                    Claim::Allocated { levels: split } => {
                        format!("{order} bought {}", levels(split.levels()))
                    }
                });
                next = self.products.claims.behind(at);
            }
        }
        lines
    }
}

fn if_match(rest: &[&str]) -> Option<u64> {
    let at = rest.iter().position(|word| *word == "version")?;
    Some(rest[at + 1].parse().unwrap())
}

fn levels(levels: &[Level]) -> String {
    let parts: Vec<_> =
        levels.iter().map(|level| format!("{} {}", level.quantity, level.warehouse_id)).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(" + ") }
}

fn until(at: Timestamp) -> String {
    if at == Timestamp::MAX { "ever".to_owned() } else { format!("{}s", at.0 / 1000) }
}
