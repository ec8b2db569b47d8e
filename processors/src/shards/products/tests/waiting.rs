//! No two orders wait for each other for ever: many orders of several lines over few products,
//! with customers that answer a round later, as the loop does.

use super::super::Products;
use super::oracle::Oracle;
use super::shop;
use machines::message::{Context, CustomerMessage, Place, ProductMessage, Reserve, ToProduct};
use proptest::prelude::*;
use schemas::id::{OrderId, ProductId};
use std::collections::BTreeMap;

const PRODUCTS: [&str; 4] = ["P1", "P2", "P3", "P4"];
const ROUNDS: u64 = 4;

/// An order of the model: when it asks, where its cause lies, and its lines.
#[derive(Clone, Debug)]
struct Asked {
    epoch: u64,
    round: u64,
    cause: u64,
    lines: BTreeMap<usize, u32>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let lines = prop::collection::btree_map(0..PRODUCTS.len(), 1..30u32, 1..4);
    // Causes are older than rounds tell: an order asked again in a later round is served behind
    // those that asked before it did, whatever it began with.
    (1..4u64, 0..ROUNDS, 0..1_000u64, lines).prop_map(|(epoch, round, cause, lines)| Asked {
        epoch,
        round,
        cause,
        lines,
    })
}

/// An order as its customer sees it.
struct Order {
    lines: Vec<ProductId>,
    reserved: usize,
    alone: bool,
    decided: Option<bool>,
}

#[derive(Default)]
struct Customers {
    orders: BTreeMap<OrderId, Order>,
    next: Vec<(u64, ProductMessage)>,
}

impl Customers {
    fn reply(&mut self, cause: u64, body: &CustomerMessage) {
        let (order_id, got) = match body {
            CustomerMessage::Reserved { order, .. } => (*order, true),
            CustomerMessage::Refused { order, .. } => (*order, false),
            other => panic!("not asked for: {other:?}"),
        };
        let order = self.orders.get_mut(&order_id).unwrap();
        order.reserved += usize::from(got);
        if order.decided.is_some() {
            return;
        }
        let (line, place) = (0, Place::UNKNOWN);
        if !got {
            order.decided = Some(false);
            self.next.extend(order.lines.iter().map(|product| {
                (cause, ProductMessage::Release { product: *product, order: order_id, line, place })
            }));
        } else if order.reserved == order.lines.len() {
            order.decided = Some(true);
            if !order.alone {
                self.next.extend(order.lines.iter().map(|product| {
                    (
                        cause,
                        ProductMessage::Secure { product: *product, order: order_id, line, place },
                    )
                }));
            }
        }
    }

    fn ask(&mut self, context: &Context, number: usize, asked: &Asked) {
        let order = shop::order(&format!("o{number}"));
        let alone = asked.lines.len() == 1;
        let cause = asked.cause * 1_000 + u64::try_from(number).unwrap();
        for (product, quantity) in &asked.lines {
            let reserve = shop::reserve(context, PRODUCTS[*product], order, *quantity, "eu");
            self.next.push((cause, ProductMessage::Reserve(Reserve { alone, ..reserve })));
        }
        let lines = asked.lines.keys().map(|product| shop::product(PRODUCTS[*product])).collect();
        self.orders.insert(order, Order { lines, reserved: 0, alone, decided: None });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_order_is_decided_and_nobody_is_refused_in_vain(
        orders in prop::collection::vec(asked(), 1..60),
        stock in 20..60u32,
    ) {
        let (mut products, mut oracle) = (Products::new(1, 0, 1), Oracle::default());
        let mut customers = Customers::default();
        let mut context = shop::context(1, 0);
        let mut set_up = vec![shop::set_up("A", "eu", 1)];
        for name in PRODUCTS {
            set_up.extend([shop::put(name, 500), shop::receive(name, "A", stock, "k")]);
        }
        for (offset, body) in (0..).zip(set_up) {
            let (events, _) = shop::apply(&mut products, &context, shop::message(offset, body));
            events.iter().for_each(|decided| oracle.event(context.now, decided));
        }
        // A wave of decisions takes two rounds, and at most every order is a wave of its own.
        let rounds = 4 * ROUNDS + 2 * u64::try_from(orders.len()).unwrap();
        for t in ROUNDS..ROUNDS + rounds {
            context.epoch = t / ROUNDS;
            for (number, asked) in orders.iter().enumerate() {
                if asked.epoch * ROUNDS + asked.round == t {
                    customers.ask(&context, number, asked);
                }
            }
            let said = std::mem::take(&mut customers.next);
            let mut round: Vec<ToProduct> =
                said.into_iter().map(|(cause, body)| shop::message(cause, body)).collect();
            round.sort_by_key(ToProduct::sort_key);
            let mut replies = Vec::new();
            for message in round {
                match &message.body {
                    ProductMessage::Reserve(reserve) => oracle.ask(*reserve),
                    ProductMessage::Release { product, order, .. } => {
                        oracle.give_up(*product, *order);
                    }
                    _ => {}
                }
                let product = super::super::product_of(&message.body);
                let (events, messages) = shop::apply(&mut products, &context, message);
                events.iter().for_each(|decided| oracle.event(context.now, decided));
                oracle.answers(&events, &messages);
                oracle.nobody_waits_in_vain(product);
                replies.extend(messages);
            }
            replies.sort_by_key(machines::message::ToCustomer::sort_key);
            for reply in replies {
                let offset = reply.cause.position().map_or(0, |(_, offset)| offset);
                customers.reply(offset, &reply.body);
            }
        }
        prop_assert_eq!(oracle.open.len(), 0, "somebody waits for ever");
        for (order, state) in &customers.orders {
            let holds = state.lines.iter().filter(|p| oracle.holds(**p, *order)).count();
            let expected = if state.decided.unwrap() { state.lines.len() } else { 0 };
            prop_assert_eq!(holds, expected, "all lines or none");
        }
        // Firm claims only grow here: who was refused cannot be served in the end either.
        for line in &oracle.refused {
            prop_assert!(oracle.available(line.product) < i64::from(line.quantity), "I7");
        }
    }
}
