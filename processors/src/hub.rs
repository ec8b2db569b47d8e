//! Where the engine's threads meet: one lock, one condition.
//!
//! ```text
//! input reader --records--> inputs --(plan read back)--> mailboxes --> workers --> parts
//!                                        opener                                   |
//! planner <-- waits for records, timers, finished epochs        publisher, view writer
//! ```
//!
//! Bounds: `inputs` holds at most [`INPUT_RECORDS_MAX`] records unless a plan waits for one that is
//! not read yet; at most [`EPOCHS_OPEN_MAX`] epochs are open ahead of the last finished one; what
//! is finished and not yet out is bounded by the [spool](crate::spool): while it is full, nothing is opened and
//! so nothing is planned.

use crate::checkpoints::pace::{Begun, Checkpoints, Taken};
use crate::checkpoints::restored::Restored;
use crate::digests::Digests;
use crate::epoch::{Dead, EpochInfo, EpochInput, Finished, OPERATORS, Part, Partition, weight};
use crate::failure::{End, Failure};
use crate::invariants::Counts;
use crate::mesh::Share;
use crate::plan::PlanTopic;
use crate::sabotage::Faults;
use crate::shards::Decided;
use crate::{standing::Standing, start::Start};
use schemas::events::epochs::EpochDigest;
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use sinks::view_store::rows::Row;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Records read ahead of the plans.
pub const INPUT_RECORDS_MAX: usize = 100_000;
/// K: epochs open ahead of the last finished one.
pub const EPOCHS_OPEN_MAX: u64 = 4;
struct Opened {
    info: EpochInfo,
    begun: Option<Begun>,
    dead: Vec<Dead>,
    parts: Vec<Option<Part>>,
}

/// Everything behind the lock.
#[derive(Default)]
pub struct State {
    /// By [`TopicPartition::input_index`].
    pub inputs: Vec<Partition>,
    /// The plan topic, as far as it is read.
    pub plans: PlanTopic,
    /// How far that is.
    pub plans_read_to: u64,
    /// It is read no further: the schema of its next record is not known.
    pub plans_held: Option<u32>,
    /// Which of the mesh's workers are in this process.
    pub share: Share,
    /// The mesh's other processes that are not there, or do not have their state yet.
    pub waits_for: Vec<String>,
    mailboxes: Vec<VecDeque<EpochInput>>,
    workers: Vec<Option<Thread>>,
    opened: BTreeMap<u64, Opened>,
    /// The last epoch that all workers have finished.
    pub finished: u64,
    /// Its era.
    pub finished_era: u32,
    /// Finished epochs that the publisher has not taken.
    pub to_publish: VecDeque<Finished>,
    /// Finished epochs' rows that the view writer has not taken.
    pub to_view: VecDeque<(EpochInfo, Vec<Row>)>,
    /// Events and rows finished and not yet out.
    pub(crate) spooled: usize,
    /// Vectors of epochs that are out, to be filled again.
    pub(crate) spare: Vec<Vec<Decided>>,
    /// What was decided here, and what the plans say was.
    pub digests: Digests,
    /// Epochs up to here are out: published, and in the views.
    pub published: u64,
    /// See [`State::published`].
    pub viewed: u64,
    /// Of the last finished epoch: messages left over, and the earliest timer.
    pub left: usize,
    /// See [`State::left`].
    pub next_deadline: Option<Timestamp>,
    /// More timers were due in it than a sweep takes.
    pub sweeps: bool,
    /// A plan waits for records that are not read yet.
    pub reading_short: bool,
    /// Records that an operator's word sets aside when a plan takes them: input and offset.
    pub skips: BTreeSet<(usize, u64)>,
    /// The id that this process claims with, if it may claim.
    pub own_claim: Option<EventId>,
    /// Another process leads, or may: this one follows, and appends nothing.
    pub passive: bool,
    /// When the last valid plan or claim was read, by this process's monotonic clock.
    pub heard: Duration,
    /// An operator's word ended planning under this generation.
    pub drained: Option<u64>,
    /// An operator's word to this process as it led: the wall clock is right.
    pub time_accepted: Option<Timestamp>,
    /// Era and epoch up to which the views were complete at the start: the log must reach there.
    pub views_at: (u32, u64),
    /// The last epoch of which outputs stood on the log at the start; none: not known yet.
    pub outputs_at: Option<u64>,
    /// Whether this process plans, follows, or why it can do neither.
    pub standing: Standing,
    /// How long it took to get here.
    pub start: Start,
    /// There are no views to write: no rows are made.
    pub muted: bool,
    /// Of the last finished epoch, by [`TopicPartition::input_index`]: the first offset not in it.
    pub applied: Arc<Vec<u64>>,
    /// Nothing more will be planned or opened.
    pub stopping: bool,
    /// Workers give the bytes of their state when they end: for tests that compare runs.
    pub dump: bool,
    /// The first thing that went wrong; all threads end.
    pub failure: Option<Failure>,
    /// Input records applied so far.
    pub records: u64,
    /// Dead letters so far.
    pub dead_letters: u64,
    /// What came of orders that were settled long ago, so far.
    pub late: u64,
    /// Judged so far.
    pub invariants: Counts,
    /// The making of checkpoints.
    pub checkpoints: Checkpoints,
    /// What the workers load before they begin.
    pub restored: Option<Arc<Restored>>,
}

/// The meeting place.
pub struct Hub {
    state: Mutex<State>,
    changed: Condvar,
    /// What tests break in the operators.
    pub faults: Faults,
}

impl Hub {
    /// A hub for this many workers.
    #[must_use]
    pub fn new(workers: usize) -> Arc<Self> {
        Self::with_faults(workers, Faults::default())
    }

    /// The same, with what a test breaks in its operators.
    #[must_use]
    pub fn with_faults(workers: usize, faults: Faults) -> Arc<Self> {
        let state = State {
            inputs: TopicPartition::inputs().map(|_| Partition::default()).collect(),
            mailboxes: (0..workers).map(|_| VecDeque::new()).collect(),
            workers: vec![None; workers],
            share: Share::alone(workers),
            ..State::default()
        };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), faults })
    }

    /// The lock. A thread that panicked with it has set [`State::failure`] or will.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits for a change of the state.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Gives up the lock until something changes.
    pub fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, for at most `timeout`.
    pub fn wait_for<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Duration,
    ) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until this is so.
    ///
    /// # Errors
    /// The engine stopped or failed before.
    pub fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<MutexGuard<'_, State>, End> {
        let mut state = self.lock();
        loop {
            state.go_on()?;
            if done(&state) {
                return Ok(state);
            }
            state = self.wait(state);
        }
    }

    /// Ends the engine for this reason; the first reason stands.
    pub fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        if state.failure.is_none() {
            tracing::error!(%failure, "the engine stops");
            state.failure = Some(failure);
        }
        state.wake_workers();
        self.changed.notify_all();
    }

    /// Nothing more is planned or opened; what is open is finished.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.wake_workers();
        self.changed.notify_all();
    }
}

impl State {
    /// Whether all threads shall end at once.
    #[must_use]
    pub const fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether the claim in force is this process's own.
    #[must_use]
    pub fn leads(&self) -> bool {
        let in_force = self.plans.in_force().map(|force| force.claim.claim_id);
        in_force.is_some() && in_force == self.own_claim
    }

    /// Records read and not planned.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inputs.iter().map(|partition| partition.waiting.len()).sum()
    }

    /// Whether there is input that an epoch should take: not while planning is ended by word.
    #[must_use]
    pub fn input_waits(&self) -> bool {
        let drained =
            self.drained.is_some() && self.drained == self.plans.generation().try_into().ok();
        !self.stopping && !drained && (self.waiting() > 0 || !self.opened.is_empty())
    }

    /// Whether everything that valid plans say is done, published and in the views.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.opened.is_empty() && self.is_out(self.plans.epoch())
    }

    /// Whether all epochs up to this one are done, published and in the views.
    #[must_use]
    pub fn is_out(&self, epoch: u64) -> bool {
        [self.finished, self.published, self.viewed].iter().all(|done| *done >= epoch)
    }

    /// Whether a thread of the engine may go on.
    ///
    /// # Errors
    /// Not if it is stopping, or has failed.
    pub const fn go_on(&self) -> Result<(), End> {
        if self.stopping || self.failed() { Err(End::Stopped) } else { Ok(()) }
    }

    /// How many workers there are in this process.
    #[must_use]
    pub const fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Epochs opened and not finished.
    #[must_use]
    pub fn open_epochs(&self) -> u64 {
        self.opened.len() as u64
    }

    /// Names the thread to wake for this worker's mailbox.
    pub fn register(&mut self, worker: usize, thread: Thread) {
        self.workers[worker] = Some(thread);
    }

    fn wake_workers(&self) {
        for thread in self.workers.iter().flatten() {
            thread.unpark();
        }
    }

    /// Opens an epoch: one input per worker. Behind it a checkpoint is made, if one was begun.
    pub fn open(
        &mut self,
        info: EpochInfo,
        inputs: Vec<EpochInput>,
        dead: Vec<Dead>,
        begun: Option<Begun>,
    ) {
        let parts = (0..self.share.parts()).map(|_| None).collect();
        self.opened.insert(info.context.epoch, Opened { info, begun, dead, parts });
        for (mailbox, mut input) in self.mailboxes.iter_mut().zip(inputs) {
            input.spare = std::array::from_fn(|_| self.spare.pop().unwrap_or_default());
            mailbox.push_back(input);
        }
        self.wake_workers();
    }

    /// The next epoch for this worker.
    pub fn take_epoch(&mut self, worker: usize) -> Option<EpochInput> {
        self.mailboxes[worker].pop_front()
    }

    /// Whether this worker is done: nothing comes any more and nothing is open.
    #[must_use]
    pub fn worker_done(&self) -> bool {
        self.failed() || self.stopping && self.opened.is_empty()
    }

    /// Takes in what `worker` of the mesh did in `epoch`; when all have spoken whose parts come to
    /// this process, the epoch is finished here.
    ///
    /// # Errors
    /// The digest differs from the one a plan carries: I16.
    pub fn finish(&mut self, epoch: u64, worker: usize, part: Part) -> Result<(), Failure> {
        let opened = self.opened.get_mut(&epoch).expect("an epoch is open until all finish it");
        opened.parts[worker - self.share.first] = Some(part);
        if opened.parts.iter().any(Option::is_none) {
            return Ok(());
        }
        let Opened { info, begun, dead, parts } =
            self.opened.remove(&epoch).expect("looked at above");
        let mut digests = [0u64; OPERATORS];
        let (mut rows, mut events) = (Vec::new(), Vec::with_capacity(parts.len()));
        let mut snapshots = Vec::new();
        (self.left, self.next_deadline) = (0, None);
        for part in parts.into_iter().flatten() {
            for (sum, digest) in digests.iter_mut().zip(part.digests) {
                *sum = sum.wrapping_add(digest);
            }
            rows.extend(part.rows);
            self.left += part.left;
            self.late += part.late;
            self.next_deadline = self.next_deadline.into_iter().chain(part.next_deadline).min();
            events.push(part.events);
            snapshots.extend(part.snapshot);
        }
        self.sweeps = self.next_deadline.is_some_and(|at| at <= info.context.now);
        if let Some(begun) = begun {
            let info = info.clone();
            self.checkpoints.taken = Some(Taken { begun, info, snapshots });
        }
        self.spooled += weight(&events) + rows.len();
        (self.finished, self.finished_era) = (epoch, info.era);
        self.dead_letters += dead.len() as u64;
        self.applied = Arc::clone(&info.applied);
        if self.muted {
            self.viewed = epoch;
        } else {
            self.to_view.push_back((info.clone(), rows));
        }
        self.to_publish.push_back(Finished { info, events, dead });
        if self.stopping {
            self.wake_workers();
        }
        self.digests.finish(epoch, digests, &mut self.invariants)
    }

    /// Takes in digests that a valid plan carries.
    ///
    /// # Errors
    /// One differs from ours: I16.
    pub fn expect_digests(&mut self, digests: &[EpochDigest]) -> Result<(), Failure> {
        self.digests.expect(digests, &mut self.invariants)
    }
}
