//! The planner: one thread that claims, then sends one plan at a time.
//!
//! It starts passively: the topic is replayed to its end, then it claims, at once where it is told
//! to, else when no valid plan and no claim has come for `SILENCE` of its own monotonic clock; it
//! plans only while its claim is the one in force. When another's is, it is passive again. After an
//! outcome that is not known to be durable it sends the same
//! bytes again, never a new cut, until it reads that they are valid or never can be. It plans when
//! records wait, a timer is due, messages are left over, or the idle heartbeat is up; never while
//! [`EPOCHS_OPEN_MAX`](crate::hub::EPOCHS_OPEN_MAX) epochs are open or the spool is full.

use crate::cut::{Asked, BUDGET, Budget, Selection, select};
use crate::hub::{Hub, State};
use crate::planner_clock::PlannerClock;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::events::epochs::{EpochDigest, EpochPlanned, GenerationClaimed, Settings};
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{GROUPS, PARTITIONS, Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{AppendError, EventLog, NewRecord};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// An epoch at least this often, so that time moves without input.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// While an epoch is open, plans are at least this far apart: more records share one epoch.
const PACE: Duration = Duration::from_millis(4);
/// Unless this many records wait.
const PACE_RECORDS: usize = 2_000;
/// Without a valid plan for this long, another process may claim.
const SILENCE: Duration = Duration::from_secs(3);
/// Before the same bytes are sent again.
const RESEND: Duration = Duration::from_millis(50);
const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// The rules this build decides by.
pub const RULES_VERSION: u32 = 1;

/// The planner.
pub struct Planner {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    clock: Clock,
    settings: Settings,
    claim_id: EventId,
    at_once: bool,
    time: PlannerClock,
    budget: Budget,
}

/// Why a thread ends early without a fault.
struct Stopped;

impl Planner {
    /// A planner that will claim with this random id: at once when the log is replayed, or after
    /// silence.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        log: Arc<dyn EventLog>,
        codec: Arc<Codec>,
        clock: Clock,
        settings: Settings,
        claim_id: EventId,
        at_once: bool,
    ) -> Self {
        let time = PlannerClock::new(clock.now(), clock.elapsed());
        Self { hub, log, codec, clock, settings, claim_id, at_once, time, budget: BUDGET }
    }

    /// Plans until the hub stops or fails.
    ///
    /// # Errors
    /// The log cannot be read or takes no more records.
    pub fn run(&mut self) -> Result<(), String> {
        match self.plan_on() {
            Ok(result) => result,
            Err(Stopped) => Ok(()),
        }
    }

    fn plan_on(&mut self) -> Result<Result<(), String>, Stopped> {
        if let Err(reason) = self.replay()? {
            return Ok(Err(reason));
        }
        loop {
            let done = if self.hub.lock().leads() {
                self.plan()?
            } else if std::mem::take(&mut self.at_once) {
                self.claim()?
            } else {
                match self.follow()? {
                    Ok(()) => self.claim()?,
                    unreadable => unreadable,
                }
            };
            if done.is_err() {
                return Ok(done);
            }
        }
    }

    /// Waits until everything that stands on the plan topic is done and out.
    fn replay(&self) -> Result<Result<(), String>, Stopped> {
        let end = match self.log.ends(&[EPOCHS]) {
            Ok(ends) => ends[0],
            Err(error) => return Ok(Err(error.to_string())),
        };
        let state = self.wait_until(|state| state.plans_read_to >= end && state.settled())?;
        let era = state.plans.in_force().map_or(0, |force| force.claim.era);
        if (era, state.plans.epoch()) < state.views_at {
            return Ok(Err(format!(
                "history was redone: the views are at epoch {}, the plans on the log end with {}; \
                 remove the views to rebuild them, or restore the log they belong to",
                state.views_at.1,
                state.plans.epoch()
            )));
        }
        tracing::info!(epoch = state.finished, records = state.records, "the log is replayed");
        Ok(Ok(()))
    }

    /// Claims; leads if nobody's claim was before it.
    fn claim(&mut self) -> Result<Result<(), String>, Stopped> {
        let follows = self.hub.lock().plans.generation();
        let era = self.hub.lock().plans.in_force().map_or(0, |force| force.claim.era);
        let claim = GenerationClaimed {
            claim_id: self.claim_id,
            follows,
            era,
            rules_version: RULES_VERSION,
            groups: GROUPS.into(),
            partitions: PARTITIONS.into(),
            settings: self.settings,
        };
        let mut bytes = Vec::new();
        self.codec.encode_bare(&claim.into(), &mut bytes);
        let sent = self.send(&bytes.into(), |state| state.plans.generation() != follows)?;
        let mut state = self.hub.lock();
        if state.leads() {
            state.passive = false;
            state.not_ready = None;
            self.hub.notify();
        }
        Ok(sent)
    }

    /// Is passive until no valid plan or claim has come for [`SILENCE`], though all that stands on
    /// the topic was read.
    fn follow(&self) -> Result<Result<(), String>, Stopped> {
        let since = self.clock.elapsed();
        {
            let mut state = self.hub.lock();
            state.passive = true;
            state.not_ready = Some(PASSIVE.to_owned());
            self.hub.notify();
        }
        loop {
            self.silence(since)?;
            let end = match self.log.ends(&[EPOCHS]) {
                Ok(ends) => ends[0],
                Err(error) => return Ok(Err(error.to_string())),
            };
            let state = self.wait_until(|state| state.plans_read_to >= end)?;
            if self.quiet(&state, since) >= SILENCE {
                return Ok(Ok(()));
            }
        }
    }

    /// For how long nothing has been heard, counted from `since` at the earliest.
    fn quiet(&self, state: &State, since: Duration) -> Duration {
        self.clock.elapsed().saturating_sub(state.heard.max(since))
    }

    fn silence(&self, since: Duration) -> Result<(), Stopped> {
        let mut state = self.hub.lock();
        loop {
            self.go_on(&state)?;
            let quiet = self.quiet(&state, since);
            if quiet >= SILENCE {
                return Ok(());
            }
            state = self.hub.wait_for(state, SILENCE.saturating_sub(quiet));
        }
    }

    /// Waits for a reason, then plans one epoch and reads it back; nothing if it leads no more.
    fn plan(&mut self) -> Result<Result<(), String>, Stopped> {
        if !self.reason()? {
            return Ok(Ok(()));
        }
        let Selection { cut, bound_ms, held } = match self.select()? {
            Ok(selection) => selection,
            Err(reason) => return Ok(Err(reason)),
        };
        let planner_ms = self.time.read(self.clock.now(), self.clock.elapsed());
        let (plan, epoch) = {
            let state = self.hub.lock();
            // What is planned under another's claim would be valid: asked under the same lock.
            if !state.leads() {
                return Ok(Ok(()));
            }
            let epoch = state.plans.epoch() + 1;
            let plan = EpochPlanned {
                generation: state.plans.generation().unsigned_abs(),
                epoch,
                previous: state.plans.previous(),
                planner_ms,
                bound_ms,
                cut,
                digests: digests(&state),
                held,
            };
            (plan, epoch)
        };
        let generation = plan.generation;
        let mut bytes = Vec::new();
        self.codec.encode_bare(&plan.into(), &mut bytes);
        self.send(&bytes.into(), |state| {
            state.plans.epoch() >= epoch || state.plans.generation().unsigned_abs() != generation
        })
    }

    /// Blocks until there is something to plan for; false: it leads no more.
    fn reason(&mut self) -> Result<bool, Stopped> {
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        let began = self.clock.elapsed();
        loop {
            self.go_on(&state)?;
            if !state.leads() {
                return Ok(false);
            }
            if let Some(wall) = state.time_accepted.take() {
                self.time.accept(wall, self.clock.elapsed());
            }
            let drained = state.drained == u64::try_from(state.plans.generation()).ok();
            let now = self.time.read(self.clock.now(), self.clock.elapsed());
            let why = [(self.time.jumped(), JUMPED), (drained, DRAINED)];
            let why = why.into_iter().find_map(|(holds, why)| holds.then_some(why));
            if state.not_ready.as_deref() != why {
                state.not_ready = why.map(str::to_owned);
                hub.notify();
            }
            let waited = self.clock.elapsed().saturating_sub(began);
            let heartbeat = HEARTBEAT.saturating_sub(waited);
            let timer = state.next_deadline.map_or(HEARTBEAT, |at| until(now, at));
            let waiting = state.waiting();
            let paced = state.open_epochs() > 0 && waiting < PACE_RECORDS && waited < PACE;
            let work = waiting > 0 || state.left > 0 && state.open_epochs() == 0;
            let wait = if drained || !state.may_open() {
                HEARTBEAT
            } else if work && paced {
                PACE.saturating_sub(waited)
            } else if work {
                return Ok(true);
            } else {
                heartbeat.min(timer)
            };
            if wait.is_zero() {
                return Ok(true);
            }
            state = hub.wait_for(state, wait);
        }
    }

    /// Fixes what customers have reached, asks for all ends, waits until they are reached: by all
    /// partitions but those that are held.
    fn select(&self) -> Result<Result<Selection, String>, Stopped> {
        let customers = usize::from(Topic::CustomerActions.partitions());
        let fixed: Vec<u64> =
            self.hub.lock().inputs.iter().take(customers).map(|p| p.reached).collect();
        let at = self.clock.now();
        let all: Vec<_> = TopicPartition::inputs().collect();
        let ends = match self.log.ends(&all) {
            Ok(ends) => ends,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let state = self.wait_until(|state| {
            let mut inputs = state.inputs.iter().zip(&ends);
            state.waiting() >= self.budget.records
                || inputs.all(|(input, end)| input.reached >= *end || input.held.is_some())
        })?;
        let limits: Vec<u64> = state
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| fixed.get(index).copied().unwrap_or(input.reached))
            .collect();
        let asked = Asked { limits: &limits, ends: &ends, at, now: state.plans.now() };
        Ok(Ok(select(&state.inputs, asked, self.budget)))
    }

    /// Sends the same bytes until `over` is true of what has been read back.
    fn send(
        &self,
        value: &Bytes,
        over: impl Fn(&State) -> bool,
    ) -> Result<Result<(), String>, Stopped> {
        loop {
            let record = NewRecord {
                partition: EPOCHS,
                key: Bytes::new(),
                value: value.clone(),
                output_id: None,
            };
            let answer = self.log.append(vec![record]).wait().remove(0);
            match answer {
                Ok(appended) => {
                    let end = appended.offset;
                    drop(self.wait_until(|state| state.plans_read_to > end || over(state))?);
                    return Ok(Ok(()));
                }
                Err(error @ AppendError::TooLarge { .. }) => return Ok(Err(error.to_string())),
                Err(AppendError::NotAppended(reason) | AppendError::Unknown(reason)) => {
                    tracing::warn!(%reason, "sending the same plan again");
                }
            }
            let state = self.hub.lock();
            self.go_on(&state)?;
            let state = self.hub.wait_for(state, RESEND);
            if over(&state) {
                return Ok(Ok(()));
            }
        }
    }

    fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<MutexGuard<'_, State>, Stopped> {
        let mut state = self.hub.lock();
        loop {
            self.go_on(&state)?;
            if done(&state) {
                return Ok(state);
            }
            state = self.hub.wait(state);
        }
    }

    fn go_on(&self, state: &State) -> Result<(), Stopped> {
        if state.stopping || state.failed() { Err(Stopped) } else { Ok(()) }
    }
}

/// Why a process that follows decides nothing.
pub(crate) const PASSIVE: &str = "another process leads";
pub(crate) const DRAINED: &str =
    "`watermart epochs drain` has ended planning; start the next build";
pub(crate) const JUMPED: &str = "the wall clock jumped by more than 60 s: time stands still until \
                      `watermart epochs time` says that it is right";

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0))
}

/// Digests that no valid plan has carried yet.
fn digests(state: &State) -> Vec<EpochDigest> {
    let rows = state.digests.iter().take(256).flat_map(|(epoch, digests)| {
        digests.iter().zip(0u8..).map(|(digest, operator)| EpochDigest {
            epoch: *epoch,
            operator,
            digest: digest.cast_signed(),
        })
    });
    rows.collect()
}
