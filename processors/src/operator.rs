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
use crate::messages::{self, Message};
use crate::sabotage::Faults;
use crate::shard::Shard;
use crate::shards::products::AHEAD;
use crate::shards::{Decided, Out};
use machines::message::Cause;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::frontier::MutableAntichain;

/// Rounds of the loop that one epoch has.
pub const ROUNDS: u64 = 4;
/// Emptied vectors kept: a few rounds' worth.
const SPARE_MAX: usize = 8;

/// What one worker's operators share with its loop: epochs in, parts out.
#[derive(Default)]
pub struct Desk {
    /// Open epochs.
    pub epochs: BTreeMap<u64, EpochInput>,
    /// What was done in them so far.
    pub parts: BTreeMap<u64, Part>,
    /// What tests break.
    pub faults: Faults,
    /// What the message began with that is being applied.
    pub applying: Rc<Cell<Option<Cause>>>,
}

/// Messages for one worker, a round's worth: the unit that is exchanged. Between workers of one
/// process it is handed over as it is; only between processes is it serialised.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "M: Message")]
pub struct Batch<M> {
    worker: usize,
    #[serde(with = "messages")]
    messages: Vec<M>,
}

/// What an operator is told of an epoch beside messages.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Marker {
    /// Its own worker opens it.
    Opens(u64),
    /// The head of the mesh has what changed be saved at its end. It comes before the epoch can
    /// end.
    Saves(u64),
}

/// Emptied vectors of one kind of messages, shared by who receives and who sends them.
pub type Spares<M> = Rc<RefCell<Vec<Vec<M>>>>;

/// What one operator holds between its turns.
struct Turns<S: Shard> {
    shard: Rc<RefCell<S>>,
    desk: Rc<RefCell<Desk>>,
    faults: Faults,
    applying: Rc<Cell<Option<Cause>>>,
    peers: usize,
    /// Emptied vectors of messages, to be filled again by whoever sends such messages.
    received: Spares<S::In>,
    spare: Spares<S::Sent>,
    stash: BTreeMap<u64, (Capability<u64>, Vec<S::In>)>,
    open: BTreeMap<u64, Capability<u64>>,
    /// Epochs at whose end is saved, by word of another worker.
    saves: BTreeSet<u64>,
    events: Vec<Decided>,
    /// How many there were in the last epoch.
    events_before: usize,
    digest: u64,
    left: usize,
    late: u64,
}

impl<S: Shard> Turns<S> {
    fn new(
        shard: Rc<RefCell<S>>,
        desk: Rc<RefCell<Desk>>,
        peers: usize,
        (received, spare): (Spares<S::In>, Spares<S::Sent>),
    ) -> Self {
        let (faults, applying) = {
            let desk = desk.borrow();
            (desk.faults.clone(), Rc::clone(&desk.applying))
        };
        Self {
            shard,
            desk,
            faults,
            applying,
            peers,
            received,
            spare,
            stash: BTreeMap::new(),
            open: BTreeMap::new(),
            saves: BTreeSet::new(),
            events: Vec::new(),
            events_before: 0,
            digest: 0,
            left: 0,
            late: 0,
        }
    }

    /// Applies one time's messages; gives what is to be sent.
    fn turn(&mut self, time: u64, mut messages: Vec<S::In>) -> Vec<S::Sent> {
        let (epoch, round) = (time / ROUNDS, time % ROUNDS);
        let mut out = Out::default();
        let (context, save, mut records) = {
            let mut desk = self.desk.borrow_mut();
            let input = desk.epochs.get_mut(&epoch).expect("an epoch is on the desk while open");
            let records = if round == 0 { S::records(input) } else { Vec::new() };
            if round == 0 {
                self.events = std::mem::take(&mut input.spare[S::OPERATOR]);
                // As many as in the last epoch: growing would copy them.
                self.events.reserve(self.events_before);
            }
            (input.context, input.save || self.saves.contains(&epoch), records)
        };
        let context = self.faults.context(S::OPERATOR, context);
        std::mem::swap(&mut out.events, &mut self.events);
        out.messages = self.spare.borrow_mut().pop().unwrap_or_default();
        let mut shard = self.shard.borrow_mut();
        if round == 0 {
            shard.sweep(&context, &mut out);
            if messages.is_empty() {
                messages = records;
            } else {
                messages.append(&mut records);
            }
        }
        S::sort(&mut messages);
        self.faults.messages(&mut messages);
        let mut coming = messages.drain(..);
        while !coming.as_slice().is_empty() {
            let near = coming.as_slice().len().min(AHEAD);
            shard.look_ahead(&coming.as_slice()[..near]);
            for message in coming.by_ref().take(near) {
                self.applying.set(Some(S::cause(&message)));
                shard.apply(&context, message, &mut out);
            }
        }
        drop(coming);
        self.applying.set(None);
        if messages.capacity() > 0 && self.received.borrow().len() < SPARE_MAX {
            self.received.borrow_mut().push(messages);
        }
        shard.end_round(&context, &mut out);
        self.events = out.events;
        self.digest = self.digest.wrapping_add(out.digest);
        self.late += out.late;
        if S::SENDS_NEXT_ROUND && round == ROUNDS - 1 {
            self.left = out.messages.len();
            if save {
                let mut desk = self.desk.borrow_mut();
                let part = desk.parts.entry(epoch).or_default();
                S::leave(&out.messages, part.snapshot.get_or_insert_default());
            }
        }
        out.messages
    }

    /// Takes what the epoch gave, once its last round has closed.
    fn finish(&mut self, epoch: u64) {
        let mut desk = self.desk.borrow_mut();
        let input = desk.epochs.get(&epoch).expect("an epoch is on the desk until it is finished");
        let (context, wanted) = (input.context, input.rows);
        let save = self.saves.remove(&epoch) || input.save;
        let part = desk.parts.entry(epoch).or_default();
        let mut shard = self.shard.borrow_mut();
        shard.finish(&context, wanted, &mut part.rows);
        self.events_before = self.events.len();
        part.events[S::OPERATOR] = std::mem::take(&mut self.events);
        part.digests[S::OPERATOR] = std::mem::take(&mut self.digest);
        self.faults.part(S::OPERATOR, part);
        part.left += std::mem::take(&mut self.left);
        part.late += std::mem::take(&mut self.late);
        part.next_deadline = part.next_deadline.or_else(|| shard.next_deadline());
        if save {
            shard.save(part.snapshot.get_or_insert_default());
        }
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
    opens: StreamVec<'scope, u64, Marker>,
    (received, spare): (Spares<S::In>, Spares<S::Sent>),
) -> Keyed<'scope, S::Sent> {
    let mut builder = OperatorBuilder::new(S::NAME.to_owned(), scope);
    let by_worker = Exchange::new(|batch: &Batch<S::In>| batch.worker as u64);
    let mut messages = builder.new_input(messages, by_worker);
    let mut opens = builder.new_input(opens, Pipeline);
    let (sent, sent_stream) = builder.new_output::<Vec<Batch<S::Sent>>>();
    let (done, done_stream) = builder.new_output::<Vec<()>>();
    let mut sent = OutputBuilder::from(sent);
    let mut turns = Turns::new(shard, desk, scope.peers(), (received, spare));
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
            opens.for_each(|cap, data: &mut Vec<Marker>| {
                for marker in data.drain(..) {
                    match marker {
                        Marker::Opens(epoch) => {
                            let last = epoch * ROUNDS + ROUNDS - 1;
                            turns.open.insert(epoch, cap.delayed(&last, 1));
                            let cap = cap.retain_least(0).expect("markers travel at a time");
                            turns.stash.entry(*cap.time()).or_insert_with(|| (cap, Vec::new()));
                        }
                        Marker::Saves(epoch) => {
                            turns.saves.insert(epoch);
                        }
                    }
                }
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
