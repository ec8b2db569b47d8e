//! A world of a seed: processes that lead and stand by, die, stall, and start again with other
//! numbers of workers, while a history is written; then everything heals, and all is decided.

use super::super::history::{BEGIN, Step, steps};
use super::super::process::EPOCHS;
use super::check::{self, Ended};
use super::faults::Loss;
use super::files::Files;
use super::line::{Crash, Line, Tally};
use super::log::Log;
use super::views::Views;
use crate::engine::{Engine, Options, Parts, Role};
use crate::failure::Failure;
use crate::hub::State;
use schemas::events::epochs::Settings;
use schemas::hash::mix;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use sinks::clock::Clock;
use sinks::event_log::{Appended, NewRecord};
use sinks::schema_registry::Schemas;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What is said before anybody sells.
pub(super) const STEPS: usize = 8;
pub(super) const TIMEOUT_MS: i64 = 4_000;
/// How long threads of a process are given to go on before it is looked at again.
const MOMENT: Duration = Duration::from_millis(1);
/// Looks at the processes until something must be decided.
const LOOKS_MAX: u32 = 20_000;
/// Looks without a decision after which a pause ends.
const PATIENCE: u32 = 40;

/// A start of a process.
pub(super) struct Life {
    pub(super) engine: Engine,
    pub(super) line: Arc<Line>,
    pub(super) clock: Clock,
}

/// A process whatever its lives: what it keeps, and how far its clock is behind the log's.
pub(super) struct Node {
    pub(super) views: Arc<Views>,
    pub(super) files: Arc<Files>,
    pub(super) life: Option<Life>,
    behind_ms: i64,
}

/// The world.
pub(super) struct World {
    pub(super) seed: u64,
    draws: u64,
    pub(super) log: Arc<Log>,
    clock: Clock,
    pub(super) schemas: Schemas,
    pub(super) nodes: Vec<Node>,
    starts: u64,
    tally: Arc<Tally>,
    /// Records that the log has acknowledged, and where.
    pub(super) said: Vec<(NewRecord, Appended)>,
    /// Crashes that are told and not drawn: each start comes to the next. Workers of each but the
    /// first. In such a world there is no other fault.
    pub(super) told: Option<(VecDeque<Crash>, usize)>,
    /// What each crash does to what a process keeps; none: it is drawn.
    pub(super) loses: Option<Loss>,
    /// Where processes died by a crash.
    pub(super) died_at: Vec<Crash>,
}

impl World {
    pub(super) fn new(seed: u64, tally: &Arc<Tally>, schemas: &Schemas) -> Self {
        let clock = Clock::manual(BEGIN);
        let log = Log::new(clock.clone(), Arc::clone(&schemas.codec), Arc::clone(tally));
        let draws = mix(seed ^ 0x5eed);
        let node = |index: u64| Node {
            views: Views::new(),
            files: Files::new(Arc::clone(tally)),
            life: None,
            behind_ms: i64::try_from(mix(draws ^ index) % 1_500).expect("small"),
        };
        let nodes = (0..2 + draws % 2).map(node).collect();
        let (schemas, tally) = (schemas.clone(), Arc::clone(tally));
        let (said, died_at) = (Vec::new(), Vec::new());
        Self {
            seed,
            draws,
            log,
            clock,
            schemas,
            nodes,
            starts: 0,
            tally,
            said,
            told: None,
            loses: None,
            died_at,
        }
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        mix(self.draws) % below
    }

    pub(super) fn count(&self, what: &'static str) {
        *self.tally.lock().unwrap().entry(what).or_default() += 1;
    }

    /// Runs it to its end, and checks it.
    pub(super) fn run(&mut self) {
        let steps = steps(self.seed, STEPS);
        for (number, step) in steps.iter().take(STEPS).enumerate() {
            self.log.arrives();
            for node in 0..self.nodes.len() {
                self.fate(node);
            }
            self.say(step);
            if self.seed.is_multiple_of(2) {
                self.a_week_passes(number, &steps);
            }
            let passed = Duration::from_millis(200 + self.draw(700));
            self.passes(passed);
            self.decide();
        }
        self.heal();
        self.end();
    }

    /// In the middle nothing happens for so long that what was settled is past; then all that was said
    /// before that is said once more.
    fn a_week_passes(&mut self, number: usize, steps: &[Step]) {
        if number == STEPS / 2 {
            self.passes(Duration::from_hours(8 * 24));
        } else if number == STEPS - 1 {
            steps[..STEPS / 2].iter().for_each(|step| self.say(step));
        }
    }

    /// Starts a process; it may find that what it needs does not answer.
    pub(super) fn start(&mut self, node: usize, role: Role) {
        let workers = 1 + self.draw(3) as usize;
        self.start_with(node, role, workers);
    }

    pub(super) fn start_with(&mut self, node: usize, role: Role, workers: usize) {
        self.starts += 1;
        let line = Arc::new(Line::new(self.seed, self.starts));
        let every = [Duration::ZERO, Duration::from_millis(700), Duration::from_secs(2)];
        let mut every = every[self.draw(3) as usize];
        if let Some((crashes, _)) = &mut self.told {
            every = Duration::ZERO;
            crashes.pop_front().into_iter().for_each(|crash| line.will_crash(crash));
        }
        let Node { views, files, behind_ms, .. } = &self.nodes[node];
        let clock = Clock::manual(Timestamp(self.clock.now().0 - behind_ms));
        let parts = Parts {
            log: self.log.over(Arc::clone(&line)),
            views: Some(views.over(Arc::clone(&line))),
            schemas: self.schemas.clone(),
            checkpoints: Some((Arc::new(files.over(Arc::clone(&line))), every)),
            clock: clock.clone(),
        };
        let settings = Settings { reservation_timeout_ms: TIMEOUT_MS };
        let options = Options { workers, settings, hash_seed: self.starts, role };
        match Engine::start(&parts, options) {
            Ok(engine) => self.nodes[node].life = Some(Life { engine, line, clock }),
            Err(failure) if failure.may_pass() => {
                self.count("start fails");
                self.died_at.extend(line.died_at());
            }
            Err(failure) => panic!("process {node} cannot start: {failure:?}"),
        }
    }

    pub(super) fn say(&mut self, step: &Step) {
        let appended = self.log.take(step);
        self.said.extend(step.iter().cloned().zip(appended));
    }

    pub(super) fn passes(&self, time: Duration) {
        self.clock.advance(time);
        self.lives().for_each(|life| life.clock.advance(time));
    }

    fn lives(&self) -> impl Iterator<Item = &Life> {
        self.nodes.iter().filter_map(|node| node.life.as_ref())
    }

    fn goes_on(&self) -> impl Iterator<Item = &Life> {
        self.lives().filter(|life| !life.line.is_stalled())
    }

    /// Goes on until who leads has nothing to decide any more.
    pub(super) fn decide(&mut self) {
        for look in 1.. {
            assert!(look < LOOKS_MAX, "nothing is decided any more: {}", self.standings());
            self.log.answers();
            self.bury();
            let ends = self.ends();
            let plans_end = self.log.end(EPOCHS);
            let idle = |state: &State| {
                state.leads() && state.plans_read_to >= plans_end && is_idle(state, &ends)
            };
            if self.goes_on().any(|life| life.engine.pulse(MOMENT, idle)) {
                return;
            }
            if look % PATIENCE == 0 {
                if self.told.is_none() {
                    self.lives().for_each(|life| life.line.stall(false));
                }
                self.nodes.iter().for_each(|node| node.files.silent.store(false, Ordering::SeqCst));
                if !self.goes_on().any(|life| life.engine.pulse(MOMENT, State::leads)) {
                    self.somebody_takes_over();
                }
            }
        }
    }

    fn ends(&self) -> Vec<u64> {
        TopicPartition::inputs().map(|at| self.log.end(at)).collect()
    }

    /// Time passes until one of those who stand by claims; where there is none, one starts.
    fn somebody_takes_over(&mut self) {
        self.passes(Duration::from_secs(1));
        let node = self.draw(self.nodes.len() as u64) as usize;
        if self.nodes[node].life.is_none() {
            self.start(node, Role::TakesOver);
        }
        let may_lead = |life: &Life| life.engine.pulse(MOMENT, |state| state.own_claim.is_some());
        if self.lives().all(|life| !may_lead(life)) && self.nodes[node].life.is_some() {
            self.kill(node);
        }
    }

    fn kill(&mut self, node: usize) {
        if let Some(life) = &self.nodes[node].life {
            life.line.cut();
        }
        self.bury();
    }

    /// Takes away what is dead; an engine that failed is started anew, as the supervisor does.
    fn bury(&mut self) {
        for node in 0..self.nodes.len() {
            let Some(life) = &self.nodes[node].life else { continue };
            if life.line.is_stalled() {
                continue;
            }
            let look = |state: &State| {
                let unpublished = state.published < state.finished;
                let at = [state.left > 0, state.next_deadline.is_some(), unpublished];
                (state.failure.clone(), at)
            };
            let (failure, at) = life.engine.pulse(Duration::ZERO, look);
            // Looked at last: whoever has failed because it is dead is seen to be dead.
            let cut = life.line.is_cut();
            if !cut && failure.is_none() {
                continue;
            }
            let failed = failure.filter(|failure| !cut || matches!(failure, Failure::Bug(_)));
            if let Some(failure) = failed {
                assert!(
                    failure.may_pass(),
                    "process {node} ended: {failure:?}; {}",
                    self.standings()
                );
                self.count("engine ended, started anew");
            }
            let life = self.nodes[node].life.take().expect("looked at above");
            self.died_at.extend(life.line.died_at());
            // None of its threads waits for an answer that nobody gives it.
            life.line.cut();
            self.log.answers();
            drop(life.engine);
            if cut {
                self.died(at);
                self.loses(node);
            }
            if let Some((_, workers)) = self.told {
                while self.nodes[node].life.is_none() {
                    self.start_with(node, Role::Leads, workers);
                }
                continue;
            }
            if !cut || self.draw(2) == 0 {
                let role = self.role();
                self.start(node, role);
            }
        }
    }

    /// No more faults; all that is down is started; all is decided, and every timer runs out.
    pub(super) fn heal(&mut self) {
        self.log.heal();
        for node in 0..self.nodes.len() {
            self.nodes[node].files.silent.store(false, Ordering::SeqCst);
            if let Some(life) = &self.nodes[node].life {
                life.line.is_spared();
                life.line.stall(false);
            }
        }
        self.bury();
        for node in 0..self.nodes.len() {
            while self.nodes[node].life.is_none() {
                self.start(node, Role::StandsBy);
            }
        }
        for _ in 0..2 * TIMEOUT_MS / 1_000 {
            self.decide();
            self.passes(Duration::from_secs(1));
        }
        self.decide();
    }

    /// Ends the processes, at last the one that leads alone, and compares what they came to.
    pub(super) fn end(&mut self) {
        let mut ended = Vec::new();
        loop {
            self.decide();
            let alone = self.lives().count() == 1;
            let leads = |node: &Node| {
                let life = node.life.as_ref();
                life.is_some_and(|life| life.engine.pulse(MOMENT, State::leads))
            };
            let leader = self.nodes.iter().position(leads);
            for node in (0..self.nodes.len()).filter(|node| alone || Some(*node) != leader) {
                if let Some(life) = self.nodes[node].life.take() {
                    ended.push(Ended::of(self, node, life));
                }
            }
            if alone {
                return check::world(self, &ended);
            }
        }
    }

    /// How the processes stand, for who reads of a failure.
    fn standings(&self) -> String {
        let told = self.nodes.iter().map(|node| match &node.life {
            None => "down".to_owned(),
            Some(life) => life.engine.pulse(Duration::ZERO, |state| {
                format!(
                    "{:?} stalled {} planned {} finished {} published {} viewed {} waiting {} left {}",
                    state.standing,
                    life.line.is_stalled(),
                    state.plans.epoch(),
                    state.finished,
                    state.published,
                    state.viewed,
                    state.waiting(),
                    state.left,
                )
            }),
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

impl Drop for World {
    /// A world that failed has processes left, of which some may be stalled: they end.
    fn drop(&mut self) {
        self.lives().for_each(|life| life.line.cut());
        self.log.heal();
    }
}

/// Whether all that stands on the log is decided and out.
fn is_idle(state: &State, ends: &[u64]) -> bool {
    let all = state.inputs.iter().zip(ends).all(|(input, end)| input.planned >= *end);
    // Timers over the sweep's cap: who leads plans on until none is overdue.
    let sweeps = state.next_deadline.is_some_and(|at| state.plans.now() >= Some(at));
    all && !sweeps && state.finished == state.plans.epoch() && state.left == 0 && state.settled()
}
