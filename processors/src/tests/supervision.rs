//! An engine that ends is started anew where that helps; payments are asked for by who leads.

use super::determinism::SEED;
use super::history::steps;
use super::process::{BEGIN, SILENCE, each_output_once, open, say};
use crate::engine::{Options, Parts, Role};
use crate::failure::Failure;
use crate::hub::Hub;
use crate::standing::Standing;
use crate::supervisor::{OpenGateway, OpenLog, Supervisor, Supplies};
use crate::threads::Threads;
use schemas::events::epochs::Settings;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{AppendError, Appending, EventLog, NewRecord, ReadError, Reader};
use sinks::payment_gateway::manual::Manual;
use sinks::payment_gateway::{Attempt, Call, GatewayError, PaymentGateway};
use sinks::schema_registry::Schemas;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A log that answers every append of outputs so: for fault injection.
struct Refusing {
    log: Arc<dyn EventLog>,
    answer: AppendError,
}

impl EventLog for Refusing {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        if records.iter().all(|record| record.output_id.is_none()) {
            return self.log.append(records);
        }
        Appending::ready(vec![Err(self.answer.clone()); records.len()])
    }
    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        self.log.ends(partitions)
    }
    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        self.log.reader(from)
    }
    fn close(&self) {
        self.log.close();
    }
}

fn supplies(log: Arc<dyn EventLog>, clock: &Clock, role: Role) -> Supplies {
    let schemas = Schemas::embedded();
    let settings = Settings { reservation_timeout_ms: 900_000 };
    Supplies {
        mesh: None,
        parts: Parts { log, views: None, schemas, checkpoints: None, clock: clock.clone() },
        options: Options { workers: 1, settings, hash_seed: 0, role },
        role_again: role,
        reopen: Box::new(|| panic!("the log is not opened anew")),
        gateway: Box::new(|| Ok(Arc::new(Manual))),
    }
}

fn unknown() -> AppendError {
    AppendError::Unknown("the connection broke".to_owned())
}

/// Blocks until an output stands on the log.
fn an_output_is_there(log: &dyn EventLog) {
    let outputs = Topic::OUTPUTS.into_iter().flat_map(TopicPartition::all).map(|at| (at, 0));
    let (mut reader, mut records) = (log.reader(&outputs.collect::<Vec<_>>()).unwrap(), Vec::new());
    while records.is_empty() {
        reader.read(1 << 20, &mut records).unwrap();
        reader.wait(Duration::from_secs(10));
    }
}

#[test]
fn an_engine_whose_outputs_may_be_there_or_not_is_started_anew_from_the_log() {
    let dir = TempDir::new().unwrap();
    let (log, clock) = (open(dir.path()), Clock::manual(BEGIN));
    let broken: Arc<dyn EventLog> = Arc::new(Refusing { log: Arc::clone(&log), answer: unknown() });
    let mut supplies = supplies(Arc::clone(&broken), &clock, Role::Leads);
    // The brokers do not answer at first; then one more connection breaks; then all is well.
    let mut left = vec![Ok(Arc::clone(&log)), Ok(broken), Err(unavailable())];
    let logs = Mutex::new(std::iter::from_fn(move || left.pop()));
    let (opened, opens) = mpsc::channel();
    let reopen: OpenLog = Box::new(move || {
        opened.send(()).unwrap();
        logs.lock().unwrap().next().expect("three are enough")
    });
    supplies.reopen = reopen;
    let supervisor = Supervisor::start(supplies).unwrap();
    supervisor.ready_source()().unwrap();
    say(log.as_ref(), &steps(SEED, 1)[0]);
    for _ in 0..3 {
        opens.recv().unwrap();
    }
    an_output_is_there(log.as_ref());
    supervisor.ready_source()().unwrap();
    let report = supervisor.report_source()();
    assert_eq!((report.not_ready(), report.engine.standing), (None, Standing::Leads));
    supervisor.stop().unwrap();
    assert!(each_output_once(log.as_ref()) > 0);
    assert!(opens.try_recv().is_err(), "the third engine goes on");
}

fn unavailable() -> Failure {
    Failure::Unavailable("no broker answered".to_owned())
}

#[test]
fn what_another_engine_would_come_to_as_well_ends_the_supervisor() {
    let dir = TempDir::new().unwrap();
    let (log, clock) = (open(dir.path()), Clock::manual(BEGIN));
    let answer = AppendError::TooLarge { bytes: 2, max: 1 };
    let told = Failure::from(answer.clone());
    let refusing: Arc<dyn EventLog> = Arc::new(Refusing { log: Arc::clone(&log), answer });
    let supervisor = Supervisor::start(supplies(refusing, &clock, Role::Leads)).unwrap();
    supervisor.ready_source()().unwrap();
    say(log.as_ref(), &steps(SEED, 1)[0]);
    assert_eq!(supervisor.failure_source()(), Some(told.clone()));
    assert_eq!(supervisor.report_source()().not_ready(), Some(told.to_string()));
    assert_eq!(supervisor.ready_source()(), Err(told.clone()));
    assert_eq!(supervisor.stop(), Err(told));
}

#[test]
fn a_stop_does_not_wait_for_a_log_that_does_not_answer() {
    let dir = TempDir::new().unwrap();
    let (log, clock) = (open(dir.path()), Clock::manual(BEGIN));
    let broken: Arc<dyn EventLog> = Arc::new(Refusing { log: Arc::clone(&log), answer: unknown() });
    let mut supplies = supplies(broken, &clock, Role::Leads);
    let (opened, opens) = mpsc::channel();
    supplies.reopen = Box::new(move || {
        opened.send(()).unwrap();
        Err(unavailable())
    });
    let supervisor = Supervisor::start(supplies).unwrap();
    supervisor.ready_source()().unwrap();
    say(log.as_ref(), &steps(SEED, 1)[0]);
    opens.recv().unwrap();
    assert!(supervisor.report_source()().not_ready().unwrap().contains("the connection broke"));
    supervisor.stop().unwrap();
}

/// A gateway that tells when it is closed.
struct Told(&'static str, Sender<String>);

impl PaymentGateway for Told {
    fn call(&self, calls: &[Call]) -> Vec<Result<(), GatewayError>> {
        vec![Ok(()); calls.len()]
    }
    fn attempt(&self, _: &str) -> Result<Attempt, GatewayError> {
        Ok(Attempt::Open)
    }
    fn answers(&self) -> bool {
        false
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.1.send(format!("{} closed", self.0)).unwrap();
    }
}

fn telling(name: &'static str, tell: &Sender<String>) -> OpenGateway {
    let tell = tell.clone();
    Box::new(move || {
        tell.send(format!("{name} opened")).unwrap();
        Ok(Arc::new(Told(name, tell.clone())))
    })
}

#[test]
fn payments_are_asked_for_by_the_one_that_leads() {
    let (dir, steps) = (TempDir::new().unwrap(), steps(SEED, 2));
    let log = open(dir.path());
    let (tell, told) = mpsc::channel();
    let start = |name, role| {
        let clock = Clock::manual(BEGIN);
        let supplies =
            Supplies { gateway: telling(name, &tell), ..supplies(Arc::clone(&log), &clock, role) };
        (Supervisor::start(supplies).unwrap(), clock)
    };
    let (first, _clock) = start("first", Role::Leads);
    assert_eq!(told.recv().unwrap(), "first opened");
    let (second, clock) = start("second", Role::StandsBy);
    second.engine().wait_standing(Standing::Waits);
    say(log.as_ref(), &steps[0]);
    second.ready_source()().unwrap();
    assert_eq!(second.report_source()().engine.standing, Standing::Follows);
    assert!(told.try_recv().is_err(), "who follows asks nobody");

    clock.advance(SILENCE);
    second.engine().wake();
    let mut both = [told.recv().unwrap(), told.recv().unwrap()];
    both.sort();
    assert_eq!(both, ["first closed", "second opened"]);
    second.stop().unwrap();
    assert_eq!(told.recv().unwrap(), "second closed");
    first.stop().unwrap();
    assert!(told.try_recv().is_err());
}

#[test]
fn a_gateway_that_cannot_be_opened_yet_is_opened_later() {
    let dir = TempDir::new().unwrap();
    let (log, clock) = (open(dir.path()), Clock::manual(BEGIN));
    let mut supplies = supplies(log, &clock, Role::Leads);
    let (opened, opens) = mpsc::channel();
    let first = Mutex::new(Some(Failure::Unavailable("another process has it open".to_owned())));
    supplies.gateway = Box::new(move || {
        opened.send(()).unwrap();
        let failure = first.lock().unwrap().take();
        failure.map_or_else(|| Ok(Arc::new(Manual) as Arc<dyn PaymentGateway>), Err)
    });
    let supervisor = Supervisor::start(supplies).unwrap();
    opens.recv().unwrap();
    opens.recv().unwrap();
    assert_eq!(supervisor.report_source()().not_ready(), None);
    supervisor.stop().unwrap();
}

/// A bug has an exit code of its own, so it must not be taken for a check that failed.
#[test]
fn a_panic_ends_as_a_bug() {
    let dir = TempDir::new().unwrap();
    let (log, clock) = (open(dir.path()), Clock::manual(BEGIN));
    let gateway: OpenGateway = Box::new(|| panic!("this test breaks the supervisor"));
    let supplies = Supplies { gateway, ..supplies(log, &clock, Role::Leads) };
    let supervisor = Supervisor::start(supplies).unwrap();
    let failure = supervisor.failure_source()();
    assert!(matches!(failure, Some(Failure::Bug(_))), "{failure:?}");
    assert!(matches!(supervisor.stop(), Err(Failure::Bug(_))));
}

#[test]
fn a_panic_of_an_engines_thread_ends_it_as_a_bug() {
    let hub = Hub::new(1);
    let mut threads = Threads::over(Arc::clone(&hub));
    threads.spawn("breaks", |_| panic!("this test breaks a thread")).unwrap();
    assert!(matches!(threads.join(), Err(Failure::Bug(_))));
    assert!(matches!(hub.lock().failure, Some(Failure::Bug(_))));
}
