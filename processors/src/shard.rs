//! What the operator asks of a shard, and how customers and products answer.
//!
//! Canonical order is made here: whatever the order in which messages arrive, a shard is applied to
//! them in the order of their keys, and no two keys are equal.

use crate::checkpoints::snapshot::Snapshot;
use crate::epoch::EpochInput;
use crate::messages::Message;
use crate::shards::Out;
use crate::shards::customers::Customers;
use crate::shards::products::Products;
use machines::message::{Cause, Context, ProductMessage, ToCustomer, ToProduct};
use schemas::time::Timestamp;
use sinks::view_store::rows::Row;

/// The state of one worker's keys, as the operator drives it.
pub trait Shard: 'static {
    /// What it is told.
    type In: Message;
    /// What it tells the other operator.
    type Sent: Message;
    /// Its number in digests and output order.
    const OPERATOR: usize;
    /// Its name in the dataflow.
    const NAME: &'static str;
    /// Whether what it sends lands a round later: then what the last round sends is left over.
    const SENDS_NEXT_ROUND: bool;

    /// The epoch's log records for this shard.
    fn records(input: &mut EpochInput) -> Vec<Self::In>;
    /// What a message began with.
    fn cause(message: &Self::In) -> Cause;
    /// Sorts into canonical order. Equal keys are a bug.
    fn sort(messages: &mut [Self::In]);
    /// The key group that a message goes to.
    fn group(message: &Self::Sent) -> u16;
    /// Reads what these messages will need, all at once, that it is near when they are applied.
    fn look_ahead(&self, messages: &[Self::In]);
    /// Fires due timers, at the start of an epoch.
    fn sweep(&mut self, context: &Context, out: &mut Out<Self::Sent>);
    /// Applies a message.
    fn apply(&mut self, context: &Context, message: Self::In, out: &mut Out<Self::Sent>);
    /// All of a round's messages are applied.
    fn end_round(&mut self, context: &Context, out: &mut Out<Self::Sent>);
    /// The epoch is over: takes its rows, or forgets them.
    fn finish(&mut self, context: &Context, wanted: bool, rows: &mut Vec<Row>);
    /// The earliest open timer.
    fn next_deadline(&self) -> Option<Timestamp>;
    /// Saves what changed since it was last saved, once the epoch is over.
    fn save(&mut self, snapshot: &mut Snapshot);
    /// Saves what the last round sends into the next epoch.
    fn leave(messages: &[Self::Sent], snapshot: &mut Snapshot);
}

/// Sorts by `key`, whose first part is `class`, and panics on a tie. Messages of one class come in
/// few sorted runs, but classes come in turn: they are parted first, then the stable sort merges.
pub fn sort_canonically<M, K: Ord + std::fmt::Debug>(
    messages: &mut [M],
    class: impl Fn(&M) -> u8,
    key: impl Fn(&M) -> K,
) {
    #[cfg(test)]
    if crate::tests::sorting::is_left_out::<M>() {
        return;
    }
    if messages.is_sorted_by(|a, b| key(a) < key(b)) {
        return;
    }
    messages.sort_by_key(&class);
    messages.sort_by_key(&key);
    if let Some(pair) = messages.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        panic!("I16: two messages at one place in canonical order: {:?}", key(&pair[0]));
    }
}

impl Shard for Customers {
    type In = ToCustomer;
    type Sent = ToProduct;
    const OPERATOR: usize = 0;
    const NAME: &'static str = "customers";
    const SENDS_NEXT_ROUND: bool = false;

    fn records(input: &mut EpochInput) -> Vec<ToCustomer> {
        std::mem::take(&mut input.customers)
    }
    fn cause(message: &ToCustomer) -> Cause {
        message.cause
    }
    fn sort(messages: &mut [ToCustomer]) {
        sort_canonically(messages, ToCustomer::class, ToCustomer::sort_key);
    }
    fn group(message: &ToProduct) -> u16 {
        match &message.body {
            ProductMessage::Warehouse(_) | ProductMessage::Record(_) => {
                unreachable!("log records come by the desk")
            }
            ProductMessage::Reserve(reserve) => reserve.product.0.group(),
            ProductMessage::Secure { product, .. }
            | ProductMessage::Release { product, .. }
            | ProductMessage::Confirm { product, .. }
            | ProductMessage::Expire { product, .. }
            | ProductMessage::AskPrice { product, .. } => product.0.group(),
        }
    }
    fn sweep(&mut self, context: &Context, out: &mut Out<ToProduct>) {
        self.sweep(context, context.rules.sweep_cap(), out);
    }
    fn look_ahead(&self, messages: &[ToCustomer]) {
        self.look_ahead(messages);
    }
    fn apply(&mut self, context: &Context, message: ToCustomer, out: &mut Out<ToProduct>) {
        self.apply(context, message, out);
    }
    fn end_round(&mut self, context: &Context, out: &mut Out<ToProduct>) {
        self.end_round(context, out);
    }
    fn finish(&mut self, context: &Context, wanted: bool, rows: &mut Vec<Row>) {
        if wanted { self.take_rows(context, rows) } else { self.forget_rows() }
    }
    fn next_deadline(&self) -> Option<Timestamp> {
        self.next_deadline()
    }
    fn save(&mut self, snapshot: &mut Snapshot) {
        self.save(snapshot);
    }
    fn leave(_: &[ToProduct], _: &mut Snapshot) {}
}

impl Shard for Products {
    type In = ToProduct;
    type Sent = ToCustomer;
    const OPERATOR: usize = 1;
    const NAME: &'static str = "products";
    const SENDS_NEXT_ROUND: bool = true;

    fn records(input: &mut EpochInput) -> Vec<ToProduct> {
        std::mem::take(&mut input.products)
    }
    fn cause(message: &ToProduct) -> Cause {
        message.cause
    }
    fn sort(messages: &mut [ToProduct]) {
        sort_canonically(messages, ToProduct::class, ToProduct::sort_key);
    }
    fn group(message: &ToCustomer) -> u16 {
        message.body.group()
    }
    fn sweep(&mut self, context: &Context, _: &mut Out<ToCustomer>) {
        self.sweep(context);
    }
    fn look_ahead(&self, messages: &[ToProduct]) {
        self.look_ahead(messages);
    }
    fn apply(&mut self, context: &Context, message: ToProduct, out: &mut Out<ToCustomer>) {
        self.apply(context, message, out);
    }
    fn end_round(&mut self, _: &Context, _: &mut Out<ToCustomer>) {}
    fn finish(&mut self, context: &Context, wanted: bool, rows: &mut Vec<Row>) {
        if wanted { self.take_rows(context, rows) } else { self.forget_rows() }
    }
    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }
    fn save(&mut self, snapshot: &mut Snapshot) {
        self.save(snapshot);
    }
    fn leave(messages: &[ToCustomer], snapshot: &mut Snapshot) {
        messages.iter().for_each(|message| snapshot.leave(message));
    }
}
