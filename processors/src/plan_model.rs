//! A model of the plan topic, explored state by state: lost acknowledgements, copies, two
//! starters, late claims and plans, processes that die while their records are still on the way.
//!
//! The readers are the real [`PlanTopic`] over real bytes; the model owns the network, the order
//! of steps, and who is alive. Bounded: it finds breaches within its bounds, it proves nothing
//! beyond. Held in every state:
//! - S: no epoch is acted on with two contents, by anyone;
//! - L: when everything sent has arrived and is read, at most one process leads.

use crate::plan::{PlanTopic, Read};
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::epochs::{EpochPlanned, GenerationClaimed, Settings};
use schemas::id::EventId;
use schemas::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

const PROCESSES: usize = 2;
const TOPIC_MAX: usize = 6;
const PLANS_EACH: u8 = 2;
const CLAIMS_EACH: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Role {
    /// Follows; may claim.
    Follows,
    /// Has sent this claim and not read it back.
    Claims(usize),
    /// Its claim is in force as far as it has read.
    Leads,
    /// Was killed; what it sent may still arrive.
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    role: Role,
    read_to: usize,
    /// The plan in the air.
    plan: Option<usize>,
    plans: u8,
    claims: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    topic: Vec<usize>,
    /// Sent and not arrived. An answer may have been lost: the sender does not know.
    on_the_way: BTreeSet<usize>,
    processes: Vec<Process>,
    copies_left: u8,
    acted: BTreeSet<(u64, usize)>,
}

/// Which plans a reader takes for valid.
#[derive(Clone, Copy)]
enum Rules {
    /// Ours.
    PlanTopic,
    /// "Any plan of the last epoch or the next": what one might write at first.
    Naive,
}

struct Model {
    codec: Codec,
    rules: Rules,
    records: Vec<(Vec<u8>, Event)>,
    known: BTreeMap<Vec<u8>, usize>,
}

impl Model {
    fn new(rules: Rules) -> Self {
        let codec = Codec::compiled();
        Self { codec, rules, records: Vec::new(), known: BTreeMap::new() }
    }

    fn record(&mut self, event: Event) -> usize {
        let mut bytes = Vec::new();
        self.codec.encode_bare(&event, &mut bytes);
        *self.known.entry(bytes.clone()).or_insert_with(|| {
            self.records.push((bytes, event));
            self.records.len() - 1
        })
    }

    fn claim(&mut self, process: usize, number: u8, follows: i64) -> usize {
        self.record(
            GenerationClaimed {
                claim_id: EventId([u8::try_from(process).unwrap() * 16 + number; 16]),
                follows,
                era: 0,
                rules_version: 1,
                groups: 1024,
                partitions: 16,
                settings: Settings { reservation_timeout_ms: 1 },
            }
            .into(),
        )
    }

    fn plan(&mut self, process: usize, number: u8, topic: &PlanTopic) -> usize {
        let own = i64::try_from(process).unwrap() * 100 + i64::from(number);
        self.record(
            EpochPlanned {
                generation: topic.generation().unsigned_abs(),
                epoch: topic.epoch() + 1,
                previous: topic.previous(),
                planner_ms: Timestamp(own),
                bound_ms: Timestamp(own),
                cut: Vec::new(),
                digests: Vec::new(),
                held: Vec::new(),
            }
            .into(),
        )
    }

    /// Reads a prefix: the topic's state, and what the last record meant.
    fn read(&self, prefix: &[usize]) -> (PlanTopic, Read) {
        let mut topic = PlanTopic::default();
        let mut last = Read::Void;
        for (offset, record) in prefix.iter().enumerate() {
            let (bytes, event) = &self.records[*record];
            last = topic.read(offset as u64, Timestamp(0), bytes, event.clone());
        }
        (topic, last)
    }

    fn acts_on(&self, prefix: &[usize], read: &Read) -> Option<u64> {
        let record = *prefix.last().unwrap();
        let Event::EpochPlanned(plan) = &self.records[record].1 else { return None };
        match self.rules {
            Rules::PlanTopic => matches!(read, Read::Planned(_)).then_some(plan.epoch),
            Rules::Naive => {
                let (before, _) = self.read(&prefix[..prefix.len() - 1]);
                (plan.epoch == before.epoch() || plan.epoch == before.epoch() + 1)
                    .then_some(plan.epoch)
            }
        }
    }

    fn steps(&mut self, world: &World) -> Vec<World> {
        let mut next = Vec::new();
        if world.topic.len() < TOPIC_MAX {
            for record in &world.on_the_way {
                let mut arrived = world.clone();
                arrived.topic.push(*record);
                if world.copies_left > 0 {
                    let mut copied = arrived.clone();
                    copied.copies_left -= 1;
                    next.push(copied);
                }
                arrived.on_the_way.remove(record);
                next.push(arrived);
            }
        }
        for index in 0..PROCESSES {
            self.process_steps(world, index, &mut next);
        }
        next
    }

    fn process_steps(&mut self, world: &World, index: usize, next: &mut Vec<World>) {
        let process = &world.processes[index];
        if process.role == Role::Dead {
            return;
        }
        let mut killed = world.clone();
        killed.processes[index].role = Role::Dead;
        if world.processes.iter().any(|other| other.role != Role::Dead && other != process) {
            next.push(killed);
        }
        if process.read_to < world.topic.len() {
            next.push(self.reads(world, index));
            return;
        }
        let (topic, _) = self.read(&world.topic[..process.read_to]);
        let mut sent = world.clone();
        let own = &mut sent.processes[index];
        match process.role {
            Role::Follows if process.claims < CLAIMS_EACH => {
                let claim = self.claim(index, process.claims, topic.generation());
                own.role = Role::Claims(claim);
                own.claims += 1;
                sent.on_the_way.insert(claim);
                next.push(sent);
            }
            // The answer is unknown: the same bytes again.
            Role::Leads if process.plan.is_some() => {
                sent.on_the_way.extend(process.plan);
                next.push(sent);
            }
            Role::Leads if process.plans < PLANS_EACH => {
                let plan = self.plan(index, process.plans, &topic);
                own.plan = Some(plan);
                own.plans += 1;
                sent.on_the_way.insert(plan);
                next.push(sent);
            }
            Role::Follows | Role::Claims(_) | Role::Leads | Role::Dead => {}
        }
    }

    fn reads(&self, world: &World, index: usize) -> World {
        let mut after = world.clone();
        let own = &mut after.processes[index];
        own.read_to += 1;
        let prefix = &world.topic[..own.read_to];
        let (topic, read) = self.read(prefix);
        if let Some(epoch) = self.acts_on(prefix, &read) {
            after.acted.insert((epoch, *prefix.last().unwrap()));
        }
        let own = &mut after.processes[index];
        if own.plan.is_some_and(|plan| self.is_over(plan, &topic)) {
            own.plan = None;
        }
        let record = *prefix.last().unwrap();
        match (own.role, matches!(read, Read::Claimed(_))) {
            (Role::Claims(claim), true) if claim == record => own.role = Role::Leads,
            // A claim that follows a generation no longer in force can never be valid.
            (Role::Claims(_) | Role::Leads, true) => {
                own.role = Role::Follows;
                own.plan = None;
            }
            _ => {}
        }
        after
    }

    fn is_over(&self, plan: usize, topic: &PlanTopic) -> bool {
        let Event::EpochPlanned(plan) = &self.records[plan].1 else { return true };
        topic.epoch() >= plan.epoch || topic.generation().unsigned_abs() != plan.generation
    }

    fn breach(world: &World) -> Option<&'static str> {
        let epochs: BTreeSet<_> = world.acted.iter().map(|(epoch, _)| epoch).collect();
        if epochs.len() != world.acted.len() {
            return Some("S: an epoch was acted on with two contents");
        }
        let read = |p: &&Process| p.role == Role::Leads && p.read_to == world.topic.len();
        if world.on_the_way.is_empty() && world.processes.iter().filter(read).count() > 1 {
            return Some("L: two processes lead, and all is read");
        }
        None
    }
}

/// Explores everything within the bounds; gives how many states there are, and the first breach.
fn explore(rules: Rules) -> (usize, Option<&'static str>) {
    let mut model = Model::new(rules);
    let idle = Process { role: Role::Follows, read_to: 0, plan: None, plans: 0, claims: 0 };
    let start = World {
        topic: Vec::new(),
        on_the_way: BTreeSet::new(),
        processes: vec![idle; PROCESSES],
        copies_left: 1,
        acted: BTreeSet::new(),
    };
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some(world) = queue.pop_front() {
        if let Some(breach) = Model::breach(&world) {
            return (seen.len(), Some(breach));
        }
        for next in model.steps(&world) {
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    (seen.len(), None)
}

#[test]
fn one_epoch_has_one_content_and_one_process_leads() {
    let (states, breach) = explore(Rules::PlanTopic);
    assert_eq!(breach, None);
    assert!(states > 10_000, "the bounds leave only {states} states");
}

#[test]
fn the_model_finds_the_breach_of_a_naive_rule() {
    let (_, breach) = explore(Rules::Naive);
    assert_eq!(breach, Some("S: an epoch was acted on with two contents"));
}
