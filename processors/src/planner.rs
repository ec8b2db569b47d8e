//! The planner: one thread that claims, then sends one plan at a time.
//!
//! It starts passively: the topic is replayed to its end, then it claims, at once where it is told
//! to, else when no valid plan and no claim has come for a while of its own monotonic clock; it
//! plans only while its claim is the one in force. When another's is, it is passive again. After an
//! outcome that is not known to be durable it sends the same
//! bytes again, never a new cut, until it reads that they are valid or never can be. It plans when
//! records wait, a timer is due, messages are left over, or the idle heartbeat is up; never while
//! [`EPOCHS_OPEN_MAX`](crate::hub::EPOCHS_OPEN_MAX) epochs are open or the spool is full.

use crate::cut::{Asked, BUDGET, Budget, Selection, select};
use crate::failure::{End, Failure, outcome};
use crate::hub::{Hub, State};
use crate::planner_clock::PlannerClock;
use crate::replay;
use crate::standing::Standing;
use bytes::Bytes;
use machines::rules::Rules;
use schemas::codec::Codec;
use schemas::events::epochs::{EpochDigest, EpochPlanned, GenerationClaimed, Settings};
use schemas::id::EventId;
use schemas::time::Timestamp;
use schemas::topic::{GROUPS, PARTITIONS, Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{AppendError, EventLog, NewRecord, ReadError};
use std::sync::Arc;
use std::time::Duration;

/// While an epoch is open, plans are at least this far apart: more records share one epoch.
const PACE: Duration = Duration::from_millis(4);
/// Unless this many records wait.
const PACE_RECORDS: usize = 2_000;
/// Before the same bytes are sent again.
const RESEND: Duration = Duration::from_millis(50);
const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// The planner.
pub struct Planner {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    clock: Clock,
    claim: Claim,
    timing: Timing,
    time: PlannerClock,
    budget: Budget,
}

/// What a planner claims with.
pub struct Claim {
    /// Random.
    pub id: EventId,
    /// What the rules may read.
    pub settings: Settings,
    /// As soon as the log is replayed; else after silence.
    pub at_once: bool,
}

/// How often those who share a log hear of who leads.
#[derive(Clone, Copy)]
pub struct Timing {
    /// It plans an epoch at least this often.
    pub heartbeat: Duration,
    /// Without a valid plan for this long, this one claims.
    pub silence: Duration,
}

impl Planner {
    /// A planner that will claim.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        log: Arc<dyn EventLog>,
        codec: Arc<Codec>,
        clock: Clock,
        claim: Claim,
        timing: Timing,
    ) -> Self {
        let time = PlannerClock::new(clock.now(), clock.elapsed());
        Self { hub, log, codec, clock, claim, timing, time, budget: BUDGET }
    }

    /// Plans until the hub stops or fails.
    ///
    /// # Errors
    /// The log cannot be read or takes no more records.
    pub fn run(&mut self) -> Result<(), Failure> {
        outcome(self.plan_on())
    }

    fn plan_on(&mut self) -> Result<(), End> {
        drop(replay::wait(&self.hub, self.log.as_ref())?);
        loop {
            if self.hub.lock().leads() {
                self.plan()?;
                continue;
            }
            if !std::mem::take(&mut self.claim.at_once) {
                self.follow()?;
            }
            self.claim()?;
        }
    }

    /// Claims; leads if nobody's claim was before it.
    fn claim(&mut self) -> Result<(), End> {
        let follows = self.hub.lock().plans.generation();
        let era = self.hub.lock().plans.in_force().map_or(0, |force| force.claim.era);
        let claim = GenerationClaimed {
            claim_id: self.claim.id,
            follows,
            era,
            rules_version: Rules::NEWEST.version(),
            groups: GROUPS.into(),
            partitions: PARTITIONS.into(),
            settings: self.claim.settings,
        };
        let mut bytes = Vec::new();
        self.codec.encode_bare(&claim.into(), &mut bytes);
        self.send(&bytes.into(), |state| state.plans.generation() != follows)?;
        let mut state = self.hub.lock();
        if state.leads() {
            state.passive = false;
            state.standing = Standing::Leads;
            self.hub.notify();
        }
        Ok(())
    }

    /// Is passive until no valid plan or claim has come for the silence of its [`Timing`], though all
    /// that stands on the topic was read. While the log does not answer, who leads cannot be heard:
    /// silence is counted anew from an answer that took a third of it.
    fn follow(&self) -> Result<(), End> {
        let mut since = self.clock.elapsed();
        {
            let mut state = self.hub.lock();
            state.passive = true;
            if state.standing == Standing::Replays {
                state.standing = Standing::Waits;
            }
            self.hub.notify();
        }
        loop {
            self.silence(since)?;
            let asked = self.clock.elapsed();
            let end = self.ends(&[EPOCHS])?[0];
            if self.clock.elapsed().saturating_sub(asked) > self.timing.silence / 3 {
                since = self.clock.elapsed();
                continue;
            }
            let state = self.hub.wait_until(|state| state.plans_read_to >= end)?;
            if self.quiet(&state, since) >= self.timing.silence {
                return Ok(());
            }
        }
    }

    /// The ends of these partitions, when the log answers: it is asked until then.
    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, End> {
        loop {
            let reason = match self.log.ends(partitions) {
                Ok(ends) => return Ok(ends),
                Err(ReadError::Unavailable(reason)) => reason,
                Err(
                    error @ (ReadError::BelowStart { .. }
                    | ReadError::BeyondEnd { .. }
                    | ReadError::Damaged { .. }),
                ) => return Err(error.into()),
            };
            let mut state = self.hub.lock();
            state.go_on()?;
            if state.standing == Standing::Leads {
                tracing::warn!(%reason, "nothing is planned: the log does not answer");
                state.standing = Standing::Halts(SILENT);
            }
            drop(self.hub.wait_for(state, RESEND));
        }
    }

    /// For how long nothing has been heard, counted from `since` at the earliest.
    fn quiet(&self, state: &State, since: Duration) -> Duration {
        self.clock.elapsed().saturating_sub(state.heard.max(since))
    }

    fn silence(&self, since: Duration) -> Result<(), End> {
        let mut state = self.hub.lock();
        loop {
            state.go_on()?;
            let quiet = self.quiet(&state, since);
            if quiet >= self.timing.silence {
                return Ok(());
            }
            state = self.hub.wait_for(state, self.timing.silence.saturating_sub(quiet));
        }
    }

    /// Waits for a reason, then plans one epoch and reads it back; nothing if it leads no more.
    fn plan(&mut self) -> Result<(), End> {
        if !self.reason()? {
            return Ok(());
        }
        let Selection { cut, bound_ms, held } = self.select()?;
        let planner_ms = self.time.read(self.clock.now(), self.clock.elapsed());
        let (plan, epoch) = {
            let state = self.hub.lock();
            // What is planned under another's claim would be valid: asked under the same lock.
            if !state.leads() {
                return Ok(());
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
    fn reason(&mut self) -> Result<bool, End> {
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        let began = self.clock.elapsed();
        loop {
            state.go_on()?;
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
            let standing = why.map_or(Standing::Leads, Standing::Halts);
            if state.standing != standing {
                state.standing = standing;
                hub.notify();
            }
            let waited = self.clock.elapsed().saturating_sub(began);
            let heartbeat = self.timing.heartbeat.saturating_sub(waited);
            // What its plan would have as `now`: no less than the last one's, whatever this clock says.
            let now = state.plans.now().map_or(now, |before| before.max(now));
            let timer = state.next_deadline.map_or(self.timing.heartbeat, |at| until(now, at));
            let waiting = state.waiting();
            let paced = state.open_epochs() > 0 && waiting < PACE_RECORDS && waited < PACE;
            let work = waiting > 0 || state.left > 0 && state.open_epochs() == 0;
            let wait = if drained || !state.may_open() {
                self.timing.heartbeat
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
    fn select(&self) -> Result<Selection, End> {
        let customers = usize::from(Topic::CustomerActions.partitions());
        let fixed: Vec<u64> =
            self.hub.lock().inputs.iter().take(customers).map(|p| p.reached).collect();
        let at = self.clock.now();
        let all: Vec<_> = TopicPartition::inputs().collect();
        let ends = self.ends(&all)?;
        let state = self.hub.wait_until(|state| {
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
        Ok(select(&state.inputs, asked, self.budget))
    }

    /// Sends the same bytes until `over` is true of what has been read back.
    fn send(&self, value: &Bytes, over: impl Fn(&State) -> bool) -> Result<(), End> {
        let mut told = false;
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
                    let read = |state: &State| state.plans_read_to > end || over(state);
                    drop(self.hub.wait_until(read)?);
                    return Ok(());
                }
                Err(error @ AppendError::TooLarge { .. }) => {
                    return Err(Failure::from(error).into());
                }
                Err(AppendError::NotAppended(reason) | AppendError::Unknown(reason)) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%reason, "sending the same plan until it is taken");
                    }
                }
            }
            let state = self.hub.lock();
            state.go_on()?;
            let state = self.hub.wait_for(state, RESEND);
            if over(&state) {
                return Ok(());
            }
        }
    }
}

/// Why a process that leads plans nothing.
pub(crate) const SILENT: &str = "the log does not answer";
pub(crate) const DRAINED: &str =
    "`watermart epochs drain` has ended planning; start the next build";
pub(crate) const JUMPED: &str = "the wall clock jumped by more than 60 s: time stands still until \
                      `watermart epochs time` says that it is right";

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0))
}

/// Digests that no valid plan has carried yet.
fn digests(state: &State) -> Vec<EpochDigest> {
    let rows = state.digests.ours.iter().take(256).flat_map(|(epoch, digests)| {
        digests.iter().zip(0u8..).map(|(digest, operator)| EpochDigest {
            epoch: *epoch,
            operator,
            digest: digest.cast_signed(),
        })
    });
    rows.collect()
}
