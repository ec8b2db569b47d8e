//! The dataflow: customers and products in a loop, and a worker that drives it.
//!
//! ```text
//!            +--------- feedback: a round later ----------+
//!            v                                            |
//! opens -> customers --Reserve, Secure, Confirm, ..--> products
//!            |done                                        |done
//!            +------------------> probe <-----------------+
//! ```
//!
//! In a mesh of several processes the workers of the others send what they did in an epoch to worker
//! 0, by a dataflow of its own; and worker 0 tells all of them which epochs are saved behind.

use crate::checkpoints::restored::Restored;
use crate::checkpoints::snapshot::Snapshot;
use crate::epoch::{EpochInput, Part};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::operator::{Batch, Desk, Marker, ROUNDS, Spares, keyed};
use crate::shards::customers::Customers;
use crate::shards::products::Products;
use crate::shards::saved::Saved;
use machines::message::{Cause, ToCustomer};
use schemas::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

/// Key groups that are read and not taken in yet.
const GROUPS_AHEAD: usize = 16;

type Input<T> = InputHandle<u64, CapacityContainerBuilder<Vec<T>>>;
/// An epoch, the worker, and what it did.
type Told = (u64, usize, Part);

/// How long a worker sleeps at most when nobody wakes it: a bound, not a rhythm.
const PARK_MAX: Duration = Duration::from_secs(1);

/// One worker's end of the dataflow.
struct Mesh {
    desk: Rc<RefCell<Desk>>,
    opens: Input<Marker>,
    probe: ProbeHandle<u64>,
    beyond: Option<Beyond>,
}

/// What goes from process to process beside the loop's messages.
struct Beyond {
    /// From worker 0 to all.
    saves: Input<Marker>,
    /// From the workers of other processes to worker 0.
    parts: Input<Told>,
    /// Whether this worker's process is the head.
    is_head: bool,
    index: usize,
}

impl Mesh {
    fn build(worker: &mut Worker, shards: &Shards, hub: &Arc<Hub>, first_epoch: u64) -> Self {
        let Shards { customers, products } = shards;
        let faults = hub.faults.clone();
        let desk = Rc::new(RefCell::new(Desk { faults, ..Desk::default() }));
        let mut opens = Input::new();
        let share = hub.lock().share;
        let mut beyond = (share.workers < share.peers).then(|| Beyond {
            saves: Input::new(),
            parts: Input::new(),
            is_head: share.is_head(),
            index: worker.index(),
        });
        let probe = ProbeHandle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            let mut to_customers = opens.to_stream(scope);
            let mut to_products = opens.to_stream(scope);
            if let Some(beyond) = &mut beyond {
                to_customers = to_customers.concat(beyond.saves.to_stream(scope).broadcast());
                to_products = to_products.concat(beyond.saves.to_stream(scope).broadcast());
            }
            let (handle, replies) = scope.feedback::<Vec<Batch<ToCustomer>>>(1);
            let (told, asked) = (Spares::default(), Spares::default());
            let spares = (Rc::clone(&told), Rc::clone(&asked));
            let (requests, customers_done) =
                keyed(scope, Rc::clone(customers), Rc::clone(&desk), replies, to_customers, spares);
            let (replies, products_done) = keyed(
                scope,
                Rc::clone(products),
                Rc::clone(&desk),
                requests,
                to_products,
                (asked, told),
            );
            replies.connect_loop(handle);
            customers_done.concat(products_done).probe_with(&probe);
        });
        opens.advance_to(first_epoch * ROUNDS);
        if let Some(beyond) = &mut beyond {
            beyond.saves.advance_to(first_epoch * ROUNDS);
            beyond.gather(worker, hub);
        }
        Self { desk, opens, probe, beyond }
    }

    fn open(&mut self, input: EpochInput) {
        let epoch = input.context.epoch;
        debug_assert_eq!(*self.opens.time(), epoch * ROUNDS, "epochs are opened one by one");
        if let Some(beyond) = &mut self.beyond {
            if input.save && beyond.index == 0 {
                beyond.saves.send(Marker::Saves(epoch));
            }
            beyond.saves.advance_to((epoch + 1) * ROUNDS);
        }
        self.desk.borrow_mut().epochs.insert(epoch, input);
        self.opens.send(Marker::Opens(epoch));
        self.opens.advance_to((epoch + 1) * ROUNDS);
    }

    /// The first open epoch, if all workers are through with it.
    fn finished(&self) -> Option<u64> {
        let epoch = *self.desk.borrow().epochs.keys().next()?;
        (!self.probe.less_equal(&(epoch * ROUNDS + ROUNDS - 1))).then_some(epoch)
    }
}

impl Beyond {
    /// Adds what brings the parts of other processes to the hub of the head.
    fn gather(&mut self, worker: &mut Worker, hub: &Arc<Hub>) {
        let hub = Arc::clone(hub);
        worker.dataflow::<u64, _, _>(|scope| {
            let to_head = Exchange::new(|_: &Told| 0);
            self.parts.to_stream(scope).sink(to_head, "parts", move |(input, _)| {
                input.for_each(|_, told: &mut Vec<Told>| {
                    for (epoch, worker, part) in told.drain(..) {
                        finish(&hub, epoch, worker, part);
                    }
                });
            });
        });
    }
}

/// Hands over what a worker did in an epoch.
fn finish(hub: &Hub, epoch: u64, worker: usize, part: Part) {
    let finished = hub.lock().finish(epoch, worker, part);
    if let Err(failure) = finished {
        hub.fail(failure);
    }
    hub.notify();
}

/// One worker's state.
struct Shards {
    customers: Rc<RefCell<Customers>>,
    products: Rc<RefCell<Products>>,
}

impl Shards {
    fn new(hash_seed: u64, index: usize, peers: usize) -> Self {
        Self {
            customers: Rc::new(RefCell::new(Customers::new(hash_seed))),
            products: Rc::new(RefCell::new(Products::new(hash_seed, index, peers))),
        }
    }

    /// Takes in what a checkpoint has of this worker's keys, which another thread reads meanwhile;
    /// gives the earliest timer.
    fn load(
        &self,
        restored: &Restored,
        worker: (usize, usize),
    ) -> Result<Option<Timestamp>, Failure> {
        let (mut customers, mut products) =
            (self.customers.borrow_mut(), self.products.borrow_mut());
        std::thread::scope(|scope| {
            let (read, groups) = mpsc::sync_channel(GROUPS_AHEAD);
            // Nobody waits for more only after one that could not be read.
            scope.spawn(move || restored.of_worker(worker).try_for_each(|group| read.send(group)));
            for group in groups {
                for saved in group? {
                    match saved {
                        Saved::Customers(saved) => customers.load(saved),
                        Saved::Products(saved) => products.load(saved),
                    }
                }
            }
            Ok::<(), Failure>(())
        })?;
        let now = restored.manifest.plans.now().unwrap_or(Timestamp::MIN);
        customers.end_load(now);
        products.end_load(now);
        Ok(customers.next_deadline())
    }

    fn keep_changes(&self) {
        self.customers.borrow_mut().keep_changes();
        self.products.borrow_mut().keep_changes();
    }

    /// What changed since it was last saved.
    fn save(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.customers.borrow_mut().save(&mut snapshot);
        self.products.borrow_mut().save(&mut snapshot);
        snapshot
    }

    fn dump(&self) -> Vec<u8> {
        let mut bytes = self.customers.borrow().dump();
        bytes.extend(self.products.borrow().dump());
        bytes
    }
}

/// Names the record that breaks a machine, when this worker panics.
struct NameOnPanic<'a> {
    hub: &'a Hub,
    applying: Rc<Cell<Option<Cause>>>,
}

impl Drop for NameOnPanic<'_> {
    fn drop(&mut self) {
        let record = self.applying.get().and_then(Cause::position);
        if let Some((partition, offset)) = record.filter(|_| std::thread::panicking()) {
            self.hub.fail(Failure::Poisoned { partition, offset });
        }
    }
}

/// Drives one worker until the hub says that it is done. Gives the bytes of its state at the end,
/// if the hub asks for them.
pub fn run(worker: &mut Worker, hub: &Arc<Hub>, hash_seed: u64) -> Vec<u8> {
    #[cfg(test)]
    crate::tests::sorting::begin_worker(hash_seed);
    let (index, peers) = (worker.index(), worker.peers());
    let shards = Shards::new(hash_seed, index, peers);
    let (restored, first_epoch, saves) = {
        let mut state = hub.lock();
        let place = index - state.share.first;
        state.register(place, std::thread::current());
        let saves = state.checkpoints.are_made() || state.checkpoints.keep_changes;
        (state.restored.clone(), state.finished + 1, saves)
    };
    if let Some(restored) = restored {
        match shards.load(&restored, (index, peers)) {
            Ok(deadline) => {
                hub.lock().loaded(deadline);
                hub.notify();
            }
            Err(failure) => hub.fail(failure),
        }
    }
    if saves {
        shards.keep_changes();
    }
    let mut mesh = Mesh::build(worker, &shards, hub, first_epoch);
    let _named = NameOnPanic { hub, applying: Rc::clone(&mesh.desk.borrow().applying) };
    drive(worker, hub, &mut mesh, index);
    if saves {
        // What is left over is in the dataflow still, and in no shard; what other processes save
        // would not come here any more.
        let whole = {
            let state = hub.lock();
            !state.failed() && state.left == 0 && mesh.beyond.is_none()
        };
        let snapshot = whole.then(|| shards.save());
        hub.lock().checkpoints.leave(snapshot);
        hub.notify();
    }
    for dataflow in worker.installed_dataflows() {
        worker.drop_dataflow(dataflow);
    }
    if hub.lock().dump { shards.dump() } else { Vec::new() }
}

/// Opens epochs and hands over what came of them, until there are no more.
fn drive(worker: &mut Worker, hub: &Hub, mesh: &mut Mesh, index: usize) {
    let first = hub.lock().share.first;
    loop {
        let (input, done) = {
            let mut state = hub.lock();
            (state.take_epoch(index - first), state.worker_done())
        };
        if done {
            // What was sent last is on its way to other processes.
            worker.step();
            return;
        }
        let busy = input.is_some();
        if let Some(input) = input {
            mesh.open(input);
        }
        if busy {
            worker.step();
        } else {
            worker.step_or_park(Some(PARK_MAX));
        }
        while let Some(epoch) = mesh.finished() {
            let mut part = {
                let mut desk = mesh.desk.borrow_mut();
                desk.epochs.remove(&epoch);
                desk.parts.remove(&epoch).expect("both operators have spoken")
            };
            if let Some(beyond) = mesh.beyond.as_mut().filter(|beyond| !beyond.is_head) {
                beyond.parts.send((epoch, index, std::mem::take(&mut part)));
                // What is sent leaves when its time is over, and at a step: before it sleeps.
                beyond.parts.advance_to(epoch);
                worker.step();
            }
            finish(hub, epoch, index, part);
        }
    }
}
