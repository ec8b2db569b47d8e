//! Several processes on one log: one leads, the others follow and append nothing, and claim when
//! no valid plan has come for 3 s of their own clock. And the operator's words to who leads.

use super::determinism::{SEED, outputs, replay};
use super::history::steps;
use super::process::{
    BEGIN, EPOCHS, Process, SILENCE, WithoutOutputs, claims_and_plans, each_output_once, open, say,
    say_to_planner,
};
use crate::engine::Role;
use crate::failure::Failure;
use crate::planner::{DRAINED, JUMPED};
use crate::standing::Standing;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
use schemas::events::epochs::{PlanningDrained, RecordSkipped, TimeAccepted};
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, OutputId};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn a_standby_claims_after_three_seconds_without_a_plan_and_never_before() {
    claims_after(SILENCE, Role::StandsBy);
}

#[test]
fn a_hot_standby_claims_after_one() {
    claims_after(Duration::from_secs(1), Role::StandsByHot);
}

fn claims_after(silence: Duration, role: Role) {
    let a_while = silence.mul_f32(0.95);
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 5));
    let log = open(dir.path());
    let first = Process::start(&log, Role::Leads);
    first.is(Standing::Leads);
    let second = Process::start(&log, role);
    second.is(Standing::Waits);
    let mut said = 0;
    for step in &steps[..3] {
        // Twice this is more than the silence, but for the plan in between.
        second.passes(a_while);
        said += say(log.as_ref(), step);
        first.has_applied(said);
        second.has_applied(said);
    }
    assert_eq!(claims_and_plans(log.as_ref())[0], 1, "valid plans keep the standby passive");
    let published = each_output_once(log.as_ref());
    assert!(published > 0);

    second.passes(silence);
    second.is(Standing::Leads);
    first.is(Standing::Follows);
    said += say(log.as_ref(), &steps[3]);
    first.has_applied(said);
    second.has_applied(said);
    assert!(each_output_once(log.as_ref()) > published, "the new leader publishes");

    // The old one comes back the same way.
    first.passes(SILENCE);
    first.is(Standing::Leads);
    second.is(Standing::Follows);
    said += say(log.as_ref(), &steps[4]);
    first.has_applied(said);
    second.has_applied(said);
    each_output_once(log.as_ref());
    let epochs = first.engine.status().epoch;
    let expected = [3, usize::try_from(epochs).unwrap()];
    assert_eq!(claims_and_plans(log.as_ref()), expected, "nobody plans under another's claim");
    let states = [first, second].map(|process| process.engine.stop_with_dump().unwrap());
    assert!(states[0] == states[1], "the follower's state is the leader's");
}

#[test]
fn who_takes_over_publishes_what_the_leader_did_not_get_to() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let cut_off: Arc<dyn EventLog> = Arc::new(WithoutOutputs(Arc::clone(&log)));
    let first = Process::start(&cut_off, Role::Leads);
    first.is(Standing::Leads);
    let second = Process::start(&log, Role::StandsBy);
    let said = say(log.as_ref(), &steps[0]) + say(log.as_ref(), &steps[1]);
    second.has_applied(said);
    assert_eq!(each_output_once(log.as_ref()), 0, "a follower publishes nothing");
    // Its clock stands still: it has nothing more to plan.
    first.has_nothing_to_plan();
    second.has_read(log.ends(&[EPOCHS]).unwrap()[0]);

    second.is(Standing::Follows);
    second.passes(SILENCE);
    second.is(Standing::Leads);
    second.engine.wait_until(|state| state.spooled == 0).unwrap();
    let published = each_output_once(log.as_ref());
    assert!(published > 0);
    // The old leader finds its outputs on the log, and lets go of them.
    first.is(Standing::Follows);
    first.engine.wait_until(|state| state.spooled == 0).unwrap();
    for process in [first, second] {
        process.engine.stop().unwrap();
    }
    assert_eq!(each_output_once(log.as_ref()), published);
}

#[test]
fn a_follower_keeps_up_and_never_claims_nor_appends() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 3));
    let log = open(dir.path());
    let leader = Process::without_views(&log, Role::Leads);
    leader.is(Standing::Leads);
    let mut said = say(log.as_ref(), &steps[0]);
    leader.has_applied(said);
    let follower = Process::start(&log, Role::Follows);
    follower.is(Standing::Follows);
    said += say(log.as_ref(), &steps[1]);
    for process in [&leader, &follower] {
        process.has_applied(said);
    }
    // Its outputs go nowhere: what is on the log is the leader's.
    follower.engine.wait_until(|state| state.spooled == 0).unwrap();
    let published = each_output_once(log.as_ref());
    let states = [leader.engine.stop_with_dump().unwrap()];

    follower.passes(2 * SILENCE);
    said += say(log.as_ref(), &steps[2]);
    // Nobody leads now: one that starts follows all the same, and what is said waits.
    let late = Process::start(&log, Role::Follows);
    late.is(Standing::Follows);
    late.passes(2 * SILENCE);
    let marks: Vec<_> = [&follower, &late].map(Process::mark).into();
    assert_eq!(marks[0], marks[1], "who replays writes the rows of who followed");
    for process in [follower, late] {
        process.is(Standing::Follows);
        assert!(states[0] == process.engine.stop_with_dump().unwrap());
    }
    assert_eq!(claims_and_plans(log.as_ref())[0], 1);
    assert_eq!(each_output_once(log.as_ref()), published);
    assert!(said > 0 && published > 0);
}

#[test]
fn who_has_no_views_takes_over_like_any_other() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let first = Process::without_views(&log, Role::Leads);
    first.is(Standing::Leads);
    let second = Process::without_views(&log, Role::StandsBy);
    second.is(Standing::Waits);
    let mut said = say(log.as_ref(), &steps[0]);
    // With its outputs: what it had not published yet, both might.
    first.has_applied(said);
    second.has_applied(said);
    second.is(Standing::Follows);
    let status = second.engine.status();
    assert_eq!(status.applied.iter().sum::<u64>(), said as u64);
    assert!(status.invariants.iter().all(|(id, count)| id == "I16" || count.checked == 0));
    second.passes(SILENCE);
    second.is(Standing::Leads);
    said += say(log.as_ref(), &steps[1]);
    for process in [first, second] {
        process.has_applied(said);
        process.engine.stop().unwrap();
    }
    assert!(each_output_once(log.as_ref()) > 0);
}

#[test]
fn drained_planning_goes_on_under_the_next_claim() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let first = Process::start(&log, Role::Leads);
    first.is(Standing::Leads);
    let mut said = say(log.as_ref(), &steps[0]);
    first.has_applied(said);
    let generation = first.engine.status().generation.unsigned_abs();
    say_to_planner(log.as_ref(), PlanningDrained { generation: generation + 1_000 });
    say_to_planner(log.as_ref(), PlanningDrained { generation });
    first.is(Standing::Halts(DRAINED));
    let [_, plans] = claims_and_plans(log.as_ref());
    said += say(log.as_ref(), &steps[1]);
    let next = Process::start(&log, Role::StandsBy);
    next.is(Standing::Waits);
    next.passes(SILENCE);
    next.is(Standing::Leads);
    next.has_applied(said);
    first.is(Standing::Follows);
    first.has_applied(said);
    let [claims, planned] = claims_and_plans(log.as_ref());
    assert_eq!((claims, planned > plans), (2, true), "the records waited for the next claim");
    for process in [first, next] {
        process.engine.stop().unwrap();
    }
}

#[test]
fn a_clock_that_was_set_waits_for_the_operators_word() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let word = |process: &Process| {
        say_to_planner(log.as_ref(), TimeAccepted { wall_ms: process.clock.now() });
    };
    let process = Process::start(&log, Role::Leads);
    process.is(Standing::Leads);
    process.clock.set_ahead(Duration::from_secs(3_600));
    process.engine.handle().wake();
    process.is(Standing::Halts(JUMPED));
    word(&process);
    process.is(Standing::Leads);
    process.has_applied(say(log.as_ref(), &steps[0]));
    process.engine.stop().unwrap();

    // The word was for that process: the next one's clock is its own.
    let next = Process::start(&log, Role::Leads);
    next.is(Standing::Leads);
    assert!(next.engine.wait_until(|state| state.time_accepted.is_none()).is_ok());
    next.engine.stop().unwrap();
}

#[test]
fn a_record_that_is_skipped_before_it_is_planned_is_a_dead_letter() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let path = dir.path().join("log");
    let log = open(&path);
    let set_up = say(log.as_ref(), &steps[0]);
    let answers = log.append(steps[1].clone()).wait();
    let (at, offset) = steps[1]
        .iter()
        .zip(&answers)
        .find(|(record, _)| record.partition.topic == Topic::CustomerActions)
        .map(|(record, answer)| (record.partition, answer.as_ref().unwrap().offset))
        .unwrap();
    let skip = RecordSkipped { topic: at.topic as u8, partition: at.partition, offset };
    say_to_planner(log.as_ref(), skip);
    let process = Process::start(&log, Role::Leads);
    process.has_applied(set_up + answers.len());
    // It is planned by now: the same word again comes too late, and so does one of no input.
    say_to_planner(log.as_ref(), skip);
    say_to_planner(log.as_ref(), RecordSkipped { topic: u8::MAX, ..skip });
    let after = say(log.as_ref(), &vec![steps[1][0].clone()]);
    process.has_applied(set_up + answers.len() + after);
    assert_eq!(process.engine.status().dead_letters, 1);
    process.engine.stop().unwrap();

    let codec = Codec::compiled();
    let letters: Vec<_> = outputs(log.as_ref())
        .iter()
        .filter_map(|(.., value)| match codec.decode(value).unwrap().1 {
            Event::DeadLetter(letter) => Some(letter),
            _ => None,
        })
        .collect();
    let [DeadLetter { topic, partition, offset: of, cause, .. }] = &letters[..] else {
        panic!("one letter: {letters:?}")
    };
    assert_eq!((*topic, *partition, *of), (skip.topic, skip.partition, skip.offset));
    assert_eq!(*cause, DeadLetterCause::Skipped);
    let published = outputs(log.as_ref());
    log.close();
    drop(log);
    let again = replay(dir.path(), 2, 1).expect("a replay skips the same record");
    assert_eq!(again.outputs, published);
}

#[test]
fn outputs_that_are_ahead_of_the_plans_stop_who_would_lead() {
    let dir = TempDir::new().unwrap();
    let files = FileLog::open(dir.path(), Clock::manual(BEGIN), Durability::NotDurable).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(files);
    let output = NewRecord {
        partition: TopicPartition { topic: Topic::Inventory, partition: 3 },
        key: Bytes::new(),
        value: Bytes::new(),
        output_id: Some(OutputId { epoch: 7, n: 0 }),
    };
    assert!(log.append(vec![output]).wait().iter().all(Result::is_ok));
    for role in [Role::Leads, Role::StandsBy] {
        let process = Process::without_views(&log, role);
        let failure = process.engine.handle().wait_ready().unwrap_err();
        let said = failure.to_string();
        assert!(matches!(failure, Failure::HistoryRedone(_)), "{failure:?}");
        assert!(said.contains("are of epoch 7, its plans end with 0"), "{said}");
    }
    assert_eq!(log.ends(&[EPOCHS]).unwrap(), [0], "nobody claims");
}
