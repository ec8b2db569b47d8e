//! Stories of a worker, a log on files, and a bank that answers as it is told and says in which
//! order it was asked.

use super::calls::{BACKOFF, POLL_AFTER};
use super::requests::{Next, RequestId};
use super::worker::READ_BYTES;
use super::*;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::envelope::{Envelope, Role};
use schemas::events::customer_actions::PaymentOutcome::{
    Authorized, Captured, Declined, Refunded, Voided,
};
use schemas::events::customer_actions::{PaymentOutcome, PaymentReported};
use schemas::events::payment_requests::PaymentRequested;
use schemas::events::payment_requests::PaymentVerb::{self, Authorize, Capture, Refund, Void};
use schemas::events::{Event, EventKind};
use schemas::id::{CustomerId, EventId, OrderId, PaymentMethod};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::Topic;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{NewRecord, OutputId, Record};
use sinks::payment_gateway::embedded::{Sandbox, Webhook};
use sinks::payment_gateway::signature::Secrets;
use sinks::payment_gateway::{Attempt, Call, GatewayError};
use sinks::schema_registry::embedded::Compiled;
use sinks::schema_registry::{RegistryError, SchemaRegistry, Schemas, Version};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

const START: Timestamp = Timestamp(1_000_000_000_000);

#[derive(Debug, PartialEq)]
enum Heard {
    Call(String),
    Ask(String),
}

fn heard_call(key: &str) -> Heard {
    Heard::Call(format!("payment-requests/{key}"))
}

fn heard_ask(key: &str) -> Heard {
    Heard::Ask(format!("payment-requests/{key}"))
}

/// Answers calls as scripted, then with `Ok`. A key that it took stays open until told otherwise.
struct Bank {
    answers: bool,
    heard: mpsc::Sender<Heard>,
    script: Mutex<VecDeque<(bool, Result<(), GatewayError>)>>,
    attempts: Mutex<HashMap<String, Attempt>>,
    recalled: Mutex<Vec<String>>,
}

impl PaymentGateway for Bank {
    fn recall(&self, call: &Call) {
        self.recalled.lock().unwrap().push(call.idempotency_key.clone());
    }

    fn call(&self, calls: &[Call]) -> Vec<Result<(), GatewayError>> {
        let answer = |call: &Call| {
            let scripted = self.script.lock().unwrap().pop_front();
            let (is_taken, answer) = scripted.unwrap_or((true, Ok(())));
            let key = call.idempotency_key.clone();
            if is_taken {
                self.attempts.lock().unwrap().entry(key.clone()).or_insert(Attempt::Open);
            }
            self.heard.send(Heard::Call(key)).unwrap();
            answer
        };
        calls.iter().map(answer).collect()
    }

    fn attempt(&self, key: &str) -> Result<Attempt, GatewayError> {
        let known = self.attempts.lock().unwrap().get(key).copied();
        self.heard.send(Heard::Ask(key.to_owned())).unwrap();
        Ok(known.unwrap_or(Attempt::NeverMade))
    }

    fn answers(&self) -> bool {
        self.answers
    }
}

struct Story {
    clock: Clock,
    log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    bank: Arc<Bank>,
    heard: mpsc::Receiver<Heard>,
    _dir: tempfile::TempDir,
}

impl Story {
    fn new(answers: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START);
        let log = FileLog::open(dir.path(), clock.clone(), Durability::NotDurable).unwrap();
        let (sender, heard) = mpsc::channel();
        let bank = Bank {
            answers,
            heard: sender,
            script: Mutex::default(),
            attempts: Mutex::default(),
            recalled: Mutex::default(),
        };
        let codec = Arc::new(Codec::compiled());
        Self { clock, log: Arc::new(log), codec, bank: Arc::new(bank), heard, _dir: dir }
    }

    fn worker(&self) -> PaymentWorker {
        self.worker_with(Schemas::embedded())
    }

    fn worker_with(&self, schemas: Schemas) -> PaymentWorker {
        let bank: Arc<dyn PaymentGateway> = Arc::<Bank>::clone(&self.bank);
        let log = Arc::clone(&self.log);
        PaymentWorker::start(log, schemas, bank, self.clock.clone())
    }

    /// A worker that has caught up: it has called for request 0, an authorization.
    fn begun(&self) -> PaymentWorker {
        self.request(Authorize, 0);
        let worker = self.worker();
        self.hears(&[heard_ask("3/1/0"), heard_call("3/1/0")]);
        worker
    }

    fn append(&self, record: NewRecord) {
        assert!(self.log.append(vec![record]).wait()[0].is_ok());
    }

    /// Appends a request of order 3 in epoch 1: its key is `3/1/n`.
    fn request(&self, verb: PaymentVerb, n: u32) {
        let mut value = Vec::new();
        self.codec.encode(&envelope(), &request(verb).into(), &mut value);
        self.append(NewRecord {
            partition: at(Topic::PaymentRequests),
            key: Bytes::new(),
            value: value.into(),
            output_id: Some(OutputId { epoch: 1, n }),
        });
    }

    fn report(&self, outcome: PaymentOutcome) {
        self.append(report_record(&self.codec, outcome));
    }

    fn hears(&self, expected: &[Heard]) {
        let heard: Vec<_> = expected.iter().map(|_| self.heard.recv().unwrap()).collect();
        assert_eq!(heard, expected);
    }

    fn attempt_is(&self, key: &str, attempt: Attempt) {
        self.bank.attempts.lock().unwrap().insert(format!("payment-requests/{key}"), attempt);
    }

    /// Blocks until the result with this number, from 0, is on the log.
    fn result(&self, number: usize) -> (NewRecord, PaymentReported) {
        let mut reader = self.log.reader(&[(at(Topic::CustomerActions), 0)]).unwrap();
        let mut records = Vec::new();
        while records.len() <= number {
            let before = records.len();
            reader.read(READ_BYTES, &mut records).unwrap();
            if records.len() == before {
                reader.wait(Duration::from_secs(10));
            }
        }
        let Record { partition, key, value, output_id, .. } = records.remove(number);
        let (_, event) = self.codec.decode(&value).unwrap();
        let Event::PaymentReported(report) = event else { panic!("{event:?}") };
        (NewRecord { partition, key, value, output_id }, report)
    }
}

/// A provider's word on order 3.
fn report_record(codec: &Codec, outcome: PaymentOutcome) -> NewRecord {
    let PaymentRequested { order_id, payment_id, amount, currency, .. } = request(Authorize);
    let provider_event_id = format!("evt_{outcome:?}");
    let decline_code = None;
    let report = PaymentReported {
        provider_event_id,
        payment_id,
        order_id,
        outcome,
        amount,
        currency,
        decline_code,
    };
    let mut value = Vec::new();
    codec.encode(&envelope(), &report.into(), &mut value);
    let partition = at(Topic::CustomerActions);
    NewRecord { partition, key: Bytes::new(), value: value.into(), output_id: None }
}

fn at(topic: Topic) -> TopicPartition {
    TopicPartition { topic, partition: 3 }
}

fn envelope() -> Envelope {
    Envelope {
        event_id: EventId([1; 16]),
        occurred_at: START,
        role: Role::Engine,
        subject: None,
        causation_id: EventId([1; 16]),
        correlation_id: EventId([1; 16]),
    }
}

fn request(verb: PaymentVerb) -> PaymentRequested {
    let order_id = OrderId::new(3, [9; 16]);
    PaymentRequested {
        payment_id: order_id.payment(),
        order_id,
        customer_id: CustomerId::parse("C1").unwrap(),
        verb,
        amount: 500,
        currency: Currency::parse("USD").unwrap(),
        payment_method: PaymentMethod::parse("tok_ok").unwrap(),
        expires_at: START.plus_ms(60_000),
    }
}

#[test]
fn a_request_is_called_once_under_its_place_on_the_log_however_often_it_is_published() {
    let story = Story::new(true);
    let worker = story.begun();
    for n in [0, 1, 0, 1, 2] {
        story.request(Capture, n);
    }
    story.hears(&[heard_call("3/1/1"), heard_call("3/1/2")]);
    worker.stop().unwrap();
    assert!(story.heard.try_recv().is_err());
}

/// A registry that is away when it is first asked.
#[derive(Default)]
struct Away(AtomicBool);

impl SchemaRegistry for Away {
    fn register(&self, kind: EventKind) -> Result<u32, RegistryError> {
        Compiled.register(kind)
    }
    fn versions(&self, kind: EventKind) -> Result<Vec<Version>, RegistryError> {
        Compiled.versions(kind)
    }
    fn schema(&self, id: u32) -> Result<String, RegistryError> {
        if self.0.swap(true, Ordering::SeqCst) {
            return Compiled.schema(id);
        }
        Err(RegistryError::Unavailable("it is away".to_owned()))
    }
}

#[test]
fn a_request_waits_for_its_schema() {
    let story = Story::new(true);
    story.request(Authorize, 0);
    // It knows nothing, as if another build had written the request.
    let away = Arc::new(Away::default());
    let asked = Arc::clone(&away);
    let worker = story.worker_with(Schemas::over(Codec::reading(), away));
    story.hears(&[heard_ask("3/1/0"), heard_call("3/1/0")]);
    assert!(asked.0.load(Ordering::SeqCst));
    worker.stop().unwrap();
}

#[test]
fn after_a_crash_between_call_and_answer_the_bank_is_asked_and_not_called_again() {
    for (taken, then) in
        [(true, vec![heard_ask("3/1/0")]), (false, vec![heard_ask("3/1/0"), heard_call("3/1/0")])]
    {
        let story = Story::new(true);
        let lost = Err(GatewayError::Unknown("the process died".to_owned()));
        story.bank.script.lock().unwrap().push_back((taken, lost));
        let worker = story.begun();
        worker.stop().unwrap();
        let worker = story.worker();
        story.hears(&then);
        // The next request shows that nothing else was asked in between.
        story.request(Capture, 1);
        story.hears(&[heard_call("3/1/1")]);
        worker.stop().unwrap();
    }
}

#[test]
fn an_answered_request_is_not_asked_for_after_a_restart_even_if_its_answer_is_older() {
    for (verb, outcome) in [(Authorize, Declined), (Capture, Captured), (Void, Captured)] {
        let story = Story::new(true);
        story.report(outcome);
        story.request(verb, 0);
        // An open one behind it ends the story; a refund is answered by none of these.
        story.request(Refund, 1);
        let worker = story.worker();
        story.hears(&[heard_ask("3/1/1"), heard_call("3/1/1")]);
        worker.stop().unwrap();
        assert!(story.heard.try_recv().is_err(), "{verb:?} was answered by {outcome:?}");
    }
}

#[test]
fn a_lost_webhook_is_made_good_by_what_the_attempt_says() {
    let story = Story::new(true);
    let worker = story.begun();
    story.attempt_is("3/1/0", Attempt::Done(Authorized));
    story.clock.advance(POLL_AFTER);
    story.hears(&[heard_ask("3/1/0")]);

    let PaymentRequested { order_id, payment_id, amount, currency, .. } = request(Authorize);
    let (record, report) = story.result(0);
    assert_eq!(record.partition, at(Topic::CustomerActions));
    assert_eq!(record.key, order_id.to_string());
    assert_eq!(record.output_id, None);
    let expected = PaymentReported {
        provider_event_id: "attempt:payment-requests/3/1/0".to_owned(),
        payment_id,
        order_id,
        outcome: Authorized,
        amount,
        currency,
        decline_code: None,
    };
    assert_eq!(report, expected);

    // Its own words answer the request: nothing is asked for any more.
    story.request(Capture, 1);
    story.hears(&[heard_call("3/1/1")]);
    story.report(Captured);
    story.request(Refund, 2);
    story.hears(&[heard_call("3/1/2")]);
    story.clock.advance(POLL_AFTER);
    story.hears(&[heard_ask("3/1/2")]);
    worker.stop().unwrap();
    assert!(story.heard.try_recv().is_err());
}

#[test]
fn an_open_attempt_is_asked_for_ever_more_seldom_and_a_day_after_its_deadline_no_more() {
    let story = Story::new(true);
    let worker = story.begun();
    for wait_s in [10, 20, 40, 80, 160, 320, 600, 600] {
        story.clock.advance(Duration::from_secs(wait_s));
        story.hears(&[heard_ask("3/1/0")]);
    }
    story.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    story.hears(&[heard_ask("3/1/0")]);
    story.clock.advance(Duration::from_secs(600));
    story.request(Capture, 1);
    story.hears(&[heard_call("3/1/1")]);
    worker.stop().unwrap();
    assert!(story.heard.try_recv().is_err());
}

#[test]
fn a_call_that_was_not_taken_is_repeated_and_one_of_unknown_outcome_is_asked_for_first() {
    let story = Story::new(true);
    let down = || Err(GatewayError::Unavailable("down".to_owned()));
    let lost = || Err(GatewayError::Unknown("lost".to_owned()));
    story.bank.script.lock().unwrap().extend([(false, down()), (false, lost()), (true, lost())]);
    let worker = story.begun();
    story.clock.advance(BACKOFF);
    story.hears(&[heard_call("3/1/0")]);
    story.clock.advance(2 * BACKOFF);
    story.hears(&[heard_ask("3/1/0"), heard_call("3/1/0")]);
    story.clock.advance(4 * BACKOFF);
    story.hears(&[heard_ask("3/1/0")]);
    worker.stop().unwrap();
    assert!(story.heard.try_recv().is_err());
}

#[test]
fn nobody_is_polled_where_nobody_answers() {
    let story = Story::new(false);
    let worker = story.begun();
    story.clock.advance(2 * POLL_AFTER);
    story.request(Capture, 1);
    story.hears(&[heard_call("3/1/1")]);
    worker.stop().unwrap();
    assert!(story.heard.try_recv().is_err());
}

#[test]
fn what_is_answered_is_recalled_to_the_gateway_whoever_had_asked() {
    let story = Story::new(true);
    // Answered before this process leads.
    story.request(Authorize, 0);
    story.report(Authorized);
    story.request(Capture, 1);
    let worker = story.worker();
    story.hears(&[heard_ask("3/1/1"), heard_call("3/1/1")]);
    // Answered while it does, by whatever it had asked or another.
    story.report(Captured);
    story.request(Refund, 2);
    story.hears(&[heard_call("3/1/2")]);
    worker.stop().unwrap();
    let recalled = story.bank.recalled.lock().unwrap();
    assert_eq!(*recalled, ["payment-requests/3/1/0", "payment-requests/3/1/1"]);
}

/// A sandbox of its own, whose webhooks come onto the story's log.
fn sandbox(story: &Story, dir: &Path) -> Arc<dyn PaymentGateway> {
    let (log, codec) = (Arc::clone(&story.log), Arc::clone(&story.codec));
    let deliver = move |webhooks: Vec<Webhook>| {
        let told = webhooks.iter().map(|webhook| report_record(&codec, outcome(&webhook.body)));
        log.append(told.collect()).wait().iter().map(Result::is_ok).collect()
    };
    let secrets = Secrets::one(b"between us");
    Arc::new(Sandbox::open(dir, secrets, story.clock.clone(), Box::new(deliver)).unwrap())
}

fn outcome(body: &[u8]) -> PaymentOutcome {
    let body = std::str::from_utf8(body).unwrap();
    let told = |outcome: &PaymentOutcome| {
        body.contains(&format!("payment.{}", format!("{outcome:?}").to_lowercase()))
    };
    [Authorized, Captured, Declined, Voided, Refunded].into_iter().find(told).unwrap()
}

#[test]
fn who_takes_over_captures_once_what_another_process_had_authorized_and_it_refunds_that() {
    let story = Story::new(true);
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let lead = |n: usize| {
        let gateway = sandbox(&story, dirs[n].path());
        let (log, schemas) = (Arc::clone(&story.log), Schemas::embedded());
        PaymentWorker::start(log, schemas, gateway, story.clock.clone())
    };
    let first = lead(0);
    story.request(Authorize, 0);
    assert_eq!(story.result(0).1.outcome, Authorized);
    // It ends between authorization and capture.
    first.stop().unwrap();
    story.request(Capture, 1);
    let second = lead(1);
    assert_eq!(story.result(1).1.outcome, Captured);
    second.stop().unwrap();

    let again = lead(0);
    story.request(Refund, 2);
    assert_eq!(story.result(2).1.outcome, Refunded);
    again.stop().unwrap();
    assert_eq!(story.log.ends(&[at(Topic::CustomerActions)]).unwrap(), [3], "each is told once");
}

#[test]
fn a_request_that_cannot_be_read_ends_the_worker_with_its_place() {
    let story = Story::new(true);
    let partition = at(Topic::PaymentRequests);
    let output_id = Some(OutputId { epoch: 1, n: 0 });
    let value = Bytes::from_static(b"nonsense");
    story.append(NewRecord { partition, key: Bytes::new(), value, output_id });
    let worker = story.worker();
    let error = worker.thread.join().unwrap().unwrap_err();
    let said = worker.failure.lock().unwrap().clone();
    assert_eq!(said, Some(error.to_string()));
    let PaymentWorkerError::Request { partition: found, offset: 0, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(found, partition);
}

#[test]
fn a_settled_request_is_forgotten() {
    let id = |n| RequestId { partition: 3, output: OutputId { epoch: 1, n } };
    let report = |outcome, amount| PaymentReported {
        provider_event_id: "evt_1".to_owned(),
        payment_id: request(Void).payment_id,
        order_id: request(Void).order_id,
        outcome,
        amount,
        currency: request(Void).currency,
        decline_code: None,
    };
    let mut requests = Requests::default();
    requests.add(id(0), request(Authorize), Next::Call);
    requests.add(id(1), request(Void), Next::Call);
    requests.add(id(2), PaymentRequested { amount: 501, ..request(Void) }, Next::Call);
    for (outcome, amount, left) in
        [(Authorized, 500, 2), (Authorized, 500, 2), (Voided, 501, 1), (Voided, 500, 0)]
    {
        requests.told(&report(outcome, amount));
        assert_eq!(requests.len(), left, "after {outcome:?} of {amount}");
    }
    assert_eq!(requests.next_due(), None);
}
