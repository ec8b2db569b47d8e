//! The dataflow: customers and products in a loop, and a worker that drives it.
//!
//! ```text
//!            +--------- feedback: a round later ----------+
//!            v                                            |
//! opens -> customers --Reserve, Secure, Confirm, ..--> products
//!            |done                                        |done
//!            +------------------> probe <-----------------+
//! ```

use crate::checkpoints::restored::Restored;
use crate::checkpoints::snapshot::Snapshot;
use crate::epoch::EpochInput;
use crate::failure::Failure;
use crate::hub::Hub;
use crate::operator::{Batch, Desk, ROUNDS, Spares, keyed};
use crate::sabotage::Faults;
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
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

/// Key groups that are read and not taken in yet.
const GROUPS_AHEAD: usize = 16;

type Opens = InputHandle<u64, CapacityContainerBuilder<Vec<u64>>>;

/// How long a worker sleeps at most when nobody wakes it: a bound, not a rhythm.
const PARK_MAX: Duration = Duration::from_secs(1);

/// One worker's end of the dataflow.
struct Mesh {
    desk: Rc<RefCell<Desk>>,
    opens: Opens,
    probe: ProbeHandle<u64>,
}

impl Mesh {
    fn build(worker: &mut Worker, shards: &Shards, faults: Faults, first_epoch: u64) -> Self {
        let Shards { customers, products } = shards;
        let desk = Rc::new(RefCell::new(Desk { faults, ..Desk::default() }));
        let mut opens = Opens::new();
        let probe = ProbeHandle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            let to_customers = opens.to_stream(scope);
            let to_products = opens.to_stream(scope);
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
        Self { desk, opens, probe }
    }

    fn open(&mut self, input: EpochInput) {
        let epoch = input.context.epoch;
        debug_assert_eq!(*self.opens.time(), epoch * ROUNDS, "epochs are opened one by one");
        self.desk.borrow_mut().epochs.insert(epoch, input);
        self.opens.send(epoch);
        self.opens.advance_to((epoch + 1) * ROUNDS);
    }

    /// The first open epoch, if all workers are through with it.
    fn finished(&self) -> Option<u64> {
        let epoch = *self.desk.borrow().epochs.keys().next()?;
        (!self.probe.less_equal(&(epoch * ROUNDS + ROUNDS - 1))).then_some(epoch)
    }
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
        state.register(index, std::thread::current());
        (state.restored.clone(), state.finished + 1, state.checkpoints.are_made())
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
    let mut mesh = Mesh::build(worker, &shards, hub.faults.clone(), first_epoch);
    let _named = NameOnPanic { hub, applying: Rc::clone(&mesh.desk.borrow().applying) };
    drive(worker, hub, &mut mesh, index);
    if saves {
        // What is left over is in the dataflow still, and in no shard.
        let whole = {
            let state = hub.lock();
            !state.failed() && state.left == 0
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
    loop {
        let (input, done) = {
            let mut state = hub.lock();
            (state.take_epoch(index), state.worker_done())
        };
        if done {
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
            let part = {
                let mut desk = mesh.desk.borrow_mut();
                desk.epochs.remove(&epoch);
                desk.parts.remove(&epoch).expect("both operators have spoken")
            };
            let finished = hub.lock().finish(epoch, index, part);
            if let Err(failure) = finished {
                hub.fail(failure);
            }
            hub.notify();
        }
    }
}
