//! A shop in memory for benches: a mesh of workers over a hub, fed with epochs, nothing on disk.

use machines::message::{Cause, Context, CustomerMessage, ProductMessage, ToCustomer, ToProduct};
use machines::rules::Rules;
use processors::engine::{Workers, start_workers};
use processors::epoch::{EpochInfo, EpochInput, Finished, weight};
use processors::hub::Hub;
use schemas::events::Event;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::view_store::rows::Row;
use std::sync::Arc;

/// The time at which every bench begins.
pub(crate) const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
const TIMEOUT_MS: i64 = 15 * 60 * 1000;

/// A log record that was never on a log: its place, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Its place in the order of all records.
    pub(crate) offset: u64,
    /// What it says.
    pub(crate) event: Event,
}

impl Said {
    fn cause(&self, topic: Topic) -> (Cause, EventId) {
        let at = TopicPartition { topic, partition: 0 };
        let id = (u128::from(topic as u8) << 64 | u128::from(self.offset)).to_be_bytes();
        (Cause::record(BEGIN, at, self.offset), EventId(id))
    }

    /// As the customers operator gets it.
    #[must_use]
    pub(crate) fn into_customer(self) -> ToCustomer {
        let (cause, cause_id) = self.cause(Topic::CustomerActions);
        ToCustomer { cause, cause_id, body: CustomerMessage::Record(Box::new(self.event)) }
    }

    /// As the products operator gets it.
    #[must_use]
    pub(crate) fn into_product(self) -> ToProduct {
        let (cause, cause_id) = self.cause(self.event.kind().topic());
        let event = Box::new(self.event);
        let body = match event.kind().topic() {
            Topic::WarehouseActions => ProductMessage::Warehouse(event),
            Topic::Epochs
            | Topic::CustomerActions
            | Topic::ProductActions
            | Topic::Orders
            | Topic::Inventory
            | Topic::PaymentRequests
            | Topic::DeadLetters => ProductMessage::Record(event),
        };
        ToProduct { cause, cause_id, body }
    }
}

/// The context of an epoch, one millisecond after the last.
#[must_use]
pub(crate) fn context(epoch: u64) -> Context {
    let now = BEGIN.plus_ms(i64::try_from(epoch).unwrap_or(i64::MAX));
    let deadline = now.plus_ms(TIMEOUT_MS);
    Context { epoch, now, before: now, deadline, rules: Rules::NEWEST }
}

/// One epoch's records.
#[derive(Debug, Default)]
pub(crate) struct Epoch {
    /// To customers, with their key groups.
    pub(crate) customers: Vec<(u16, ToCustomer)>,
    /// To products, with their key groups; none: to all.
    pub(crate) products: Vec<(Option<u16>, ToProduct)>,
}

/// Where epochs come from, and where what they gave goes.
pub(crate) trait Source {
    /// The next epoch; none: not before another has finished, or at all.
    fn next(&mut self) -> Option<Epoch>;

    /// An epoch's outputs and rows, and how many messages it left to the next.
    fn finished(&mut self, finished: &Finished, rows: Vec<Row>, left: usize);
}

/// Running workers.
pub(crate) struct Mesh {
    hub: Arc<Hub>,
    workers: usize,
    epoch: u64,
    guards: Workers,
}

impl Mesh {
    /// Starts this many workers.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(crate) fn start(workers: usize) -> Result<Self, String> {
        let hub = Hub::new(workers);
        let guards = start_workers(&hub, workers, 1).map_err(|failure| failure.to_string())?;
        Ok(Self { hub, workers, epoch: 0, guards })
    }

    /// Feeds epochs as fast as the window allows, until the source has none and none is open.
    ///
    /// # Panics
    /// A worker failed.
    pub(crate) fn feed(&mut self, rows: bool, source: &mut dyn Source) {
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        loop {
            assert!(!state.failed(), "{:?}", state.failure);
            if let Some(mut finished) = state.to_publish.pop_front() {
                let (info, viewed) = state.to_view.pop_front().expect("both or none");
                let epoch = info.context.epoch;
                state.set_viewed(epoch, viewed.len());
                state.digests.ours.clear();
                let left = state.left;
                drop(state);
                source.finished(&finished, viewed, left);
                let events = weight(&finished.events);
                finished.events.iter_mut().flatten().for_each(Vec::clear);
                state = hub.lock();
                state.set_published(epoch, events);
                state.recycle(finished.events);
                continue;
            }
            if state.may_open() {
                drop(state);
                let next = source.next();
                state = hub.lock();
                if let Some(epoch) = next {
                    self.epoch += 1;
                    let (info, inputs) = self.split(epoch, rows);
                    state.open(info, inputs, Vec::new(), None);
                    continue;
                }
                if state.open_epochs() == 0 && state.to_publish.is_empty() {
                    return;
                }
            }
            if state.to_publish.is_empty() {
                state = hub.wait(state);
            }
        }
    }

    fn split(&self, epoch: Epoch, rows: bool) -> (EpochInfo, Vec<EpochInput>) {
        let context = context(self.epoch);
        let mut inputs: Vec<_> = (0..self.workers)
            .map(|_| EpochInput {
                save: false,
                context,
                customers: Vec::new(),
                products: Vec::new(),
                rows,
                spare: Default::default(),
            })
            .collect();
        for (group, message) in epoch.customers {
            inputs[usize::from(group) % self.workers].customers.push(message);
        }
        for (group, message) in epoch.products {
            if let Some(group) = group {
                inputs[usize::from(group) % self.workers].products.push(message);
            } else {
                inputs.iter_mut().for_each(|input| input.products.push(message.clone()));
            }
        }
        let hash = EventId::default();
        (EpochInfo { context, era: 0, hash, applied: Arc::default() }, inputs)
    }

    /// Ends the workers.
    ///
    /// # Panics
    /// A worker panicked.
    pub(crate) fn stop(self) {
        self.hub.stop();
        for worker in self.guards.join() {
            worker.expect("a worker ends in peace");
        }
    }
}
