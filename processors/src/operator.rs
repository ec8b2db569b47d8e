//! One keyed operator of the loop: stashes what arrives, and works when the frontier has passed.
//!
//! ```text
//! opens (own worker) --+                      +--> messages (exchanged by key group)
//!                      +--> [ keyed shard ] --+
//! messages ------------+                      +--> done (outside the loop)
//! ```
//!
//! Time is `epoch * ROUNDS + round`. An epoch is opened on every worker by a marker at round 0, so
//! that timers fire and `now` advances without data; its log records wait on the worker's desk.
//! For each time the operator takes all messages, sorts them into canonical order and applies
//! them. When the frontier has passed an epoch's last round it takes the epoch's rows and digest;
//! until then it holds one capability on the port `done`, which nothing in the loop waits for.

use crate::epoch::{EpochInput, Part};
use crate::shards::customers::Customers;
use crate::shards::products::Products;
use crate::shards::{Decided, Out};
use machines::message::{Context, CustomerMessage, ProductMessage, ToCustomer, ToProduct};
use schemas::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use sinks::view_store::rows::Row;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::frontier::MutableAntichain;

/// Rounds of the loop that one epoch has.
pub const ROUNDS: u64 = 4;
/// Timers of untouched keys that one epoch fires, per key group.
pub const SWEEP_CAP: usize = 1_000;

/// What one worker's operators share with its loop: epochs in, parts out.
#[derive(Default)]
pub struct Desk {
    /// Open epochs.
    pub epochs: BTreeMap<u64, EpochInput>,
    /// What was done in them so far.
    pub parts: BTreeMap<u64, Part>,
}

/// Messages for one worker, a round's worth: the unit that is exchanged.
#[derive(Clone, Debug)]
pub struct Batch<M> {
    worker: usize,
    messages: Vec<M>,
}

/// The mesh is one process: its workers hand batches over as they are.
impl<M> Serialize for Batch<M> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("a mesh of several processes is not built yet"))
    }
}
impl<'de, M> Deserialize<'de> for Batch<M> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("a mesh of several processes is not built yet"))
    }
}

/// The state of one worker's keys, as the operator drives it.
pub trait Shard: 'static {
    /// What it is told.
    type In: Send + Clone + 'static;
    /// What it tells the other operator.
    type Sent: Send + Clone + 'static;
    /// Its number in digests and output order.
    const OPERATOR: usize;
    /// Its name in the dataflow.
    const NAME: &'static str;
    /// Whether what it sends lands a round later: then what the last round sends is left over.
    const SENDS_NEXT_ROUND: bool;

    /// The epoch's log records for this shard.
    fn records(input: &mut EpochInput) -> Vec<Self::In>;
    /// Sorts into canonical order. Equal keys are a bug.
    fn sort(messages: &mut [Self::In]);
    /// The key group that a message goes to.
    fn group(message: &Self::Sent) -> u16;
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
}

/// Sorts by `key` and panics on a tie.
pub fn sort_canonically<M, K: Ord + std::fmt::Debug>(messages: &mut [M], key: impl Fn(&M) -> K) {
    #[cfg(test)]
    if crate::tests::sorting::is_left_out::<M>() {
        return;
    }
    if !messages.is_sorted_by(|a, b| key(a) < key(b)) {
        messages.sort_unstable_by_key(&key);
        if let Some(pair) = messages.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            panic!("I16: two messages at one place in canonical order: {:?}", key(&pair[0]));
        }
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
    fn sort(messages: &mut [ToCustomer]) {
        sort_canonically(messages, ToCustomer::sort_key);
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
        self.sweep(context, SWEEP_CAP, out);
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
    fn sort(messages: &mut [ToProduct]) {
        sort_canonically(messages, ToProduct::sort_key);
    }
    fn group(message: &ToCustomer) -> u16 {
        match &message.body {
            CustomerMessage::Record(_) => unreachable!("log records come by the desk"),
            CustomerMessage::Reserved { order, .. }
            | CustomerMessage::Refused { order, .. }
            | CustomerMessage::Revoked { order, .. } => order.group(),
            CustomerMessage::Price { customer, .. } => customer.0.group(),
        }
    }
    fn sweep(&mut self, _: &Context, _: &mut Out<ToCustomer>) {}
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
}

/// What one operator holds between its turns.
struct Turns<S: Shard> {
    shard: Rc<RefCell<S>>,
    desk: Rc<RefCell<Desk>>,
    peers: usize,
    stash: BTreeMap<u64, (Capability<u64>, Vec<S::In>)>,
    open: BTreeMap<u64, Capability<u64>>,
    events: Vec<Decided>,
    digest: u64,
    left: usize,
}

impl<S: Shard> Turns<S> {
    /// Applies one time's messages; gives what is to be sent.
    fn turn(&mut self, time: u64, mut messages: Vec<S::In>) -> Vec<S::Sent> {
        let (epoch, round) = (time / ROUNDS, time % ROUNDS);
        let (context, records) = {
            let mut desk = self.desk.borrow_mut();
            let input = desk.epochs.get_mut(&epoch).expect("an epoch is on the desk while open");
            let records = if round == 0 { S::records(input) } else { Vec::new() };
            (input.context, records)
        };
        let mut out = Out::default();
        std::mem::swap(&mut out.events, &mut self.events);
        let mut shard = self.shard.borrow_mut();
        if round == 0 {
            shard.sweep(&context, &mut out);
            messages.extend(records);
        }
        S::sort(&mut messages);
        for message in messages {
            shard.apply(&context, message, &mut out);
        }
        shard.end_round(&context, &mut out);
        self.events = out.events;
        self.digest = self.digest.wrapping_add(out.digest);
        if S::SENDS_NEXT_ROUND && round == ROUNDS - 1 {
            self.left = out.messages.len();
        }
        out.messages
    }

    /// Takes what the epoch gave, once its last round has closed.
    fn finish(&mut self, epoch: u64) {
        let mut desk = self.desk.borrow_mut();
        let input = desk.epochs.get(&epoch).expect("an epoch is on the desk until it is finished");
        let (context, wanted) = (input.context, input.rows);
        let part = desk.parts.entry(epoch).or_default();
        let mut shard = self.shard.borrow_mut();
        shard.finish(&context, wanted, &mut part.rows);
        part.events[S::OPERATOR] = std::mem::take(&mut self.events);
        part.digests[S::OPERATOR] = std::mem::take(&mut self.digest);
        part.left += std::mem::take(&mut self.left);
        part.next_deadline = part.next_deadline.or_else(|| shard.next_deadline());
    }

    /// Splits a round's messages by the worker that owns their keys.
    fn batches(&self, messages: Vec<S::Sent>) -> Vec<Batch<S::Sent>> {
        if messages.is_empty() {
            return Vec::new();
        }
        if self.peers == 1 {
            return vec![Batch { worker: 0, messages }];
        }
        let mut batches: Vec<_> =
            (0..self.peers).map(|worker| Batch { worker, messages: Vec::new() }).collect();
        for message in messages {
            batches[usize::from(S::group(&message)) % self.peers].messages.push(message);
        }
        batches.retain(|batch| !batch.messages.is_empty());
        batches
    }
}

/// What an operator gives: its messages, and the stream that tells which epochs it is done with.
pub type Keyed<'scope, M> = (StreamVec<'scope, u64, Batch<M>>, StreamVec<'scope, u64, ()>);

/// Adds the operator of `shard`. Gives its messages and the stream whose frontier tells which
/// epochs it is done with.
pub fn keyed<'scope, S: Shard>(
    scope: Scope<'scope, u64>,
    shard: Rc<RefCell<S>>,
    desk: Rc<RefCell<Desk>>,
    messages: StreamVec<'scope, u64, Batch<S::In>>,
    opens: StreamVec<'scope, u64, u64>,
) -> Keyed<'scope, S::Sent> {
    let mut builder = OperatorBuilder::new(S::NAME.to_owned(), scope);
    let by_worker = Exchange::new(|batch: &Batch<S::In>| batch.worker as u64);
    let mut messages = builder.new_input(messages, by_worker);
    let mut opens = builder.new_input(opens, Pipeline);
    let (sent, sent_stream) = builder.new_output::<Vec<Batch<S::Sent>>>();
    let (done, done_stream) = builder.new_output::<Vec<()>>();
    let mut sent = OutputBuilder::from(sent);
    let mut turns = Turns {
        shard,
        desk,
        peers: scope.peers(),
        stash: BTreeMap::new(),
        open: BTreeMap::new(),
        events: Vec::new(),
        digest: 0,
        left: 0,
    };
    builder.build(move |_initial| {
        // The port `done` carries nothing; its pusher lives as long as the operator.
        let _done = done;
        move |frontiers: &[MutableAntichain<u64>]| {
            messages.for_each(|cap, data: &mut Vec<Batch<S::In>>| {
                let cap = cap.retain_least(0).expect("messages travel at a time");
                let (_, stashed) =
                    turns.stash.entry(*cap.time()).or_insert_with(|| (cap, Vec::new()));
                for batch in data.drain(..) {
                    if stashed.is_empty() {
                        *stashed = batch.messages;
                    } else {
                        stashed.extend(batch.messages);
                    }
                }
            });
            opens.for_each(|cap, data: &mut Vec<u64>| {
                let epoch = data.drain(..).next().expect("a marker names its epoch");
                let last = epoch * ROUNDS + ROUNDS - 1;
                turns.open.insert(epoch, cap.delayed(&last, 1));
                let cap = cap.retain_least(0).expect("markers travel at a time");
                turns.stash.entry(*cap.time()).or_insert_with(|| (cap, Vec::new()));
            });
            let passed = |time: u64| frontiers.iter().all(|frontier| !frontier.less_equal(&time));
            while let Some((&time, _)) = turns.stash.first_key_value() {
                if !passed(time) {
                    break;
                }
                // Everything before this time has passed too, so earlier epochs are over.
                turns.finish_before(time / ROUNDS);
                let (cap, messages) = turns.stash.remove(&time).expect("the first, as seen above");
                let to_send = turns.turn(time, messages);
                let mut batches = turns.batches(to_send);
                if !batches.is_empty() {
                    let mut active = sent.activate();
                    active.session(&cap).give_container(&mut batches);
                }
            }
            while let Some((&epoch, _)) = turns.open.first_key_value() {
                if !passed(epoch * ROUNDS + ROUNDS - 1) {
                    break;
                }
                turns.finish_before(epoch + 1);
            }
        }
    });
    (sent_stream, done_stream)
}

impl<S: Shard> Turns<S> {
    fn finish_before(&mut self, epoch: u64) {
        while let Some(entry) = self.open.first_entry() {
            let (over, cap) = (*entry.key(), entry.remove());
            if over >= epoch {
                self.open.insert(over, cap);
                return;
            }
            self.finish(over);
        }
    }
}
