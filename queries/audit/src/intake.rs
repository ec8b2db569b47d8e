//! What was asked: which record each effect began with, what became of each record, and which
//! action each idempotency key stands for.

use crate::asked::difference;
use crate::carts::Others;
use crate::deadlines::Deadlines;
use crate::epoch::{Epoch, Input, Output};
use crate::orders::Orders;
use crate::verdicts::{Example, Invariant, Place, Verdicts};
use schemas::codec::DecodeError;
use schemas::events::dead_letters::DeadLetter;
use schemas::events::orders::Reason;
use schemas::events::{Event, EventKind};
use schemas::id::{ActionId, CustomerId, EventId, Id, KeyHash, OrderId};
use schemas::limits::IDEMPOTENCY_KEY_KEPT_MS;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::view_store::rows::OrderState;
use std::collections::{HashMap, HashSet};

/// Around the end of a key's time the audit does not judge, in milliseconds.
const KEY_MARGIN_MS: i64 = 60_000;

/// A record of an input topic that a plan took.
#[derive(Clone, Copy, Debug)]
struct Asked {
    place: Place,
    /// Whether anything came of it.
    applied: bool,
    /// `now` of the one effect that its key allows.
    effect: Option<Timestamp>,
}

/// A record that has had no effect yet.
struct Pending {
    place: Place,
    epoch: u64,
    /// Whether the cart had that quantity already.
    stands_so: bool,
    event: Event,
}

/// Whose idempotency keys: a customer's and a product's ids may be the same text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Customer(Id),
    Product(Id),
}

/// How the records of one input topic were used up.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    consumed: u64,
    applied: u64,
    deduplicated: u64,
    dead: u64,
    not_judged: u64,
}

#[derive(Default)]
pub(crate) struct Intake {
    asked: HashMap<EventId, Asked>,
    pending: HashMap<EventId, Pending>,
    keys: HashMap<(Scope, KeyHash), (ActionId, Timestamp)>,
    /// Actions whose key stands for another action.
    reused: HashSet<EventId>,
    used: [Used; Topic::INPUTS.len()],
    /// The first record that a plan took whose schema is not known, and that is no dead letter.
    pub(crate) unknown: Option<(Place, u32)>,
}

impl Intake {
    /// Takes in what an epoch's plan took.
    pub(crate) fn take(
        &mut self,
        epoch: &mut Epoch,
        deadlines: &Deadlines,
        orders: &mut Orders,
        others: &mut Others,
        verdicts: &mut Verdicts,
    ) {
        let dead: HashSet<Place> = epoch.outputs.iter().filter_map(letter).collect();
        let mut opened: HashMap<OrderId, CustomerId> = HashMap::new();
        for Input { place, event, .. } in std::mem::take(&mut epoch.inputs) {
            let used = &mut self.used[topic(place)];
            used.consumed += 1;
            if dead.contains(&place) {
                used.dead += 1;
                continue;
            }
            if let Err(DecodeError::UnknownSchema(schema)) = event {
                self.unknown.get_or_insert((place, schema));
                continue;
            }
            let Ok((envelope, event)) = event else {
                verdicts.check(Invariant::I15, false, || {
                    Example::new(place, "a dead letter", "nothing", Some(place))
                });
                continue;
            };
            let id = envelope.event_id;
            if let Some(asked) = self.asked.get_mut(&id) {
                used.deduplicated += 1;
                if !asked.applied && !self.pending.contains_key(&id) {
                    asked.place = place;
                }
                continue;
            }
            self.asked.insert(id, Asked { place, applied: false, effect: None });
            if let Event::WarehousePutRequested(put) = event {
                used.applied += 1;
                others.warehouses.insert(put.warehouse_id, put);
                continue;
            }
            if let Event::CheckoutRequested(e) = &event {
                opened.insert(e.order_id, e.customer_id);
            }
            let whose = |order: OrderId| {
                orders.all.get(&order).map(|o| o.customer).or_else(|| opened.get(&order).copied())
            };
            if let Some((scope, key, action)) = key(&event, whose) {
                self.claim(epoch.now, id, (scope, key), action);
            }
            let stands_so = if let Event::CartItemSetRequested(e) = &event {
                others.quantity(e.customer_id, e.product_id) == e.quantity
            } else {
                false
            };
            if let Event::PaymentReported(report) = &event {
                orders.hear(report, deadlines);
            }
            self.pending.insert(id, Pending { place, epoch: epoch.number, stands_so, event });
        }
    }

    fn claim(&mut self, now: Timestamp, id: EventId, key: (Scope, KeyHash), action: ActionId) {
        let (known, since) = *self.keys.entry(key).or_insert((action, now));
        let over = since.plus_ms(IDEMPOTENCY_KEY_KEPT_MS);
        if over <= now {
            self.keys.insert(key, (action, now));
        } else if known != action && over.0 - now.0 > KEY_MARGIN_MS {
            self.reused.insert(id);
        }
    }

    /// The record that an output began with; none if a timer began it, or nothing did.
    pub(crate) fn began(&self, cause: EventId) -> Option<Place> {
        self.asked.get(&cause).map(|asked| asked.place)
    }

    /// Looks at what an output says it was caused by.
    pub(crate) fn effect(
        &mut self,
        output: &Output,
        now: Timestamp,
        orders: &Orders,
        verdicts: &mut Verdicts,
    ) {
        let place = Some(output.place);
        let (kind, cause) = (output.event.kind(), output.envelope.causation_id);
        if kind == EventKind::DeadLetter {
            verdicts.check(Invariant::I11, letter(output).is_some(), || {
                Example::new(output.place, "a record of an input topic", "none such", place)
            });
            return;
        }
        let Some(asked) = self.asked.get_mut(&cause) else {
            // A timer's cause is its order's id.
            let of_timer = orders.all.contains_key(&order_of(cause));
            verdicts.check(Invariant::I11, of_timer, || {
                Example::new(kind.name(), "caused by a record or an order's timer", cause, place)
            });
            return;
        };
        verdicts.held(Invariant::I11, 1);
        if let Some(pending) = self.pending.remove(&cause) {
            self.used[topic(pending.place)].applied += 1;
            let differs = difference(&pending.event, &output.event);
            let invariant = differs.as_ref().map_or(Invariant::I11, |differs| differs.invariant);
            verdicts.check(invariant, differs.is_none(), || {
                let (expected, found) = differs
                    .map_or_else(Default::default, |differs| (differs.expected, differs.found));
                Example::new(kind.name(), expected, found, place)
            });
        }
        let once = matches!(
            kind,
            EventKind::StockReceived | EventKind::StockAdjusted | EventKind::CartChanged
        );
        if once {
            let again = asked
                .effect
                .is_some_and(|at| now.0 - at.0 < IDEMPOTENCY_KEY_KEPT_MS - KEY_MARGIN_MS);
            verdicts.check(Invariant::I10, !again, || {
                Example::new(asked.place, "one effect", format!("{} again", kind.name()), place)
            });
            asked.effect = Some(now);
        }
        asked.applied = true;
        if self.reused.contains(&cause) {
            verdicts.check(Invariant::I10, is_refusal(&output.event), || {
                let expected = "refused: its key stands for another action";
                Example::new(asked.place, expected, kind.name(), place)
            });
        }
    }

    /// At an epoch's end: records that need no effect.
    pub(crate) fn settle(&mut self, deadlines: &Deadlines, orders: &Orders, others: &Others) {
        let epoch = deadlines.epoch();
        let used = &mut self.used;
        self.pending.retain(|_, pending| {
            let none_due =
                pending.epoch == epoch && needs_no_effect(pending, deadlines, orders, others);
            used[topic(pending.place)].deduplicated += u64::from(none_due);
            !none_due
        });
    }

    /// At the end of the log: what plans took was used up. `decided` is the last epoch that is
    /// known to have been decided.
    pub(crate) fn close(&mut self, decided: u64, verdicts: &mut Verdicts) {
        for pending in self.pending.values() {
            let used = &mut self.used[topic(pending.place)];
            // A price that was asked for may come an epoch later.
            if pending.epoch < decided {
                verdicts.check(Invariant::I15, false, || {
                    let found = format!("nothing since epoch {}", pending.epoch);
                    let key = pending.event.kind().name();
                    Example::new(key, "an effect", found, Some(pending.place))
                });
            } else {
                used.not_judged += 1;
            }
        }
        for used in self.used {
            verdicts.held(Invariant::I15, used.applied + used.deduplicated + used.dead);
        }
    }

    /// Records that were planned but whose epochs were not yet decided.
    pub(crate) fn not_judged(&self) -> u64 {
        self.used.iter().map(|used| used.not_judged).sum()
    }
}

/// The order whose id has these bytes: what a timer began is caused by its order's id.
pub(crate) fn order_of(EventId(bytes): EventId) -> OrderId {
    let number = u128::from_be_bytes(bytes);
    // An id has the group in its first ten bits, and takes the rest from the hash's 54 behind.
    let group = u16::from_be_bytes([bytes[0], bytes[1]]) >> 6;
    let tail = number & u128::from(u64::MAX);
    OrderId::new(group, ((number >> 64) << 74 | tail).to_be_bytes())
}

fn topic(place: Place) -> usize {
    Topic::INPUTS.into_iter().position(|topic| topic == place.partition.topic).unwrap_or(0)
}

fn letter(output: &Output) -> Option<Place> {
    let Event::DeadLetter(DeadLetter { topic, partition, offset, .. }) = &output.event else {
        return None;
    };
    let topic = Topic::from_number(*topic)?;
    let partition = TopicPartition { topic, partition: *partition };
    partition.input_index().map(|_| Place { partition, offset: *offset })
}

fn is_refusal(event: &Event) -> bool {
    let why = if let Event::CustomerActionRejected(e) = event {
        e.reason
    } else if let Event::ProductActionRejected(e) = event {
        e.reason
    } else if let Event::OrderRejected(e) = event {
        e.reason
    } else {
        return event.kind() == EventKind::OrderRequested;
    };
    why == Reason::IdempotencyKeyReused
}

/// The key of an action that has one, whose it is, and the action.
fn key(
    event: &Event,
    whose: impl Fn(OrderId) -> Option<CustomerId>,
) -> Option<(Scope, KeyHash, ActionId)> {
    if let Event::CheckoutRequested(e) = event {
        let scope = Scope::Customer(e.customer_id.0);
        Some((scope, e.idempotency_key.hash(), e.order_id.action()))
    } else if let Event::CartItemAddRequested(e) = event {
        Some((Scope::Customer(e.customer_id.0), e.idempotency_key.hash(), e.action_id))
    } else if let Event::CancellationRequested(e) = event {
        let customer = whose(e.order_id)?;
        Some((Scope::Customer(customer.0), e.idempotency_key.hash(), e.action_id))
    } else if let Event::StockReceiptRequested(e) = event {
        Some((Scope::Product(e.product_id.0), e.idempotency_key.hash(), e.action_id))
    } else if let Event::StockAdjustmentRequested(e) = event {
        Some((Scope::Product(e.product_id.0), e.idempotency_key.hash(), e.action_id))
    } else {
        None
    }
}

/// Whether it stands so already, so that nothing follows from the record.
fn needs_no_effect(
    pending: &Pending,
    deadlines: &Deadlines,
    orders: &Orders,
    others: &Others,
) -> bool {
    if let Event::CheckoutRequested(e) = &pending.event {
        orders.all.contains_key(&e.order_id)
    } else if let Event::CartItemSetRequested(e) = &pending.event {
        pending.stands_so || others.quantity(e.customer_id, e.product_id) == e.quantity
    } else if let Event::CancellationRequested(e) = &pending.event {
        orders.all.get(&e.order_id).is_some_and(|order| order.state == OrderState::Cancelled)
    } else if let Event::PaymentReported(e) = &pending.event {
        orders.all.get(&e.order_id).is_none_or(|order| {
            let due = (order.total(), order.currency);
            if order.is_past(deadlines) {
                order.payment.knows_late(e, due)
            } else {
                order.payment.knows(e, due)
            }
        })
    } else {
        false
    }
}
