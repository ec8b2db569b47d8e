//! Ports that lie: around a real log and a real view store, and a payment provider.

use schemas::events::payment_requests::{PaymentRequested, PaymentVerb};
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use serde_json::json;
use sinks::clock::Clock;
use sinks::event_log::{Appended, Appending, EventLog, NewRecord, ReadError, Reader};
use sinks::payment_gateway::signature::{Secrets, sign};
use sinks::payment_gateway::{Attempt, Call, GatewayError, PaymentGateway};
use sinks::view_store::rows::{Row, View};
use sinks::view_store::{Mark, Stored, ViewError, ViewStore};
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::{oneshot, watch};

/// Dropped behind the part that it is in: whoever waits for the other end to hang up knows that
/// nobody has that part open any more.
pub(crate) type Gone = std::sync::mpsc::Sender<()>;

/// What a log does to the records of an append before it takes them: the answer is that of an
/// honest log whatever becomes of them. `false`: it takes none now, and says so.
pub(crate) type LogLie = Box<dyn Fn(&mut Vec<NewRecord>) -> bool + Send + Sync>;

/// A log that lies about appends.
pub(crate) struct LyingLog {
    pub(crate) inner: Arc<dyn EventLog>,
    pub(crate) lie: LogLie,
    pub(crate) _until_gone: Gone,
}

impl EventLog for LyingLog {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        let mut told = records.clone();
        if !(self.lie)(&mut told) {
            let refused = sinks::event_log::AppendError::NotAppended("not now".to_owned());
            return Appending::ready(vec![Err(refused); records.len()]);
        }
        if told == records {
            return self.inner.append(records);
        }
        let ends = records.iter().map(|record| self.inner.ends(&[record.partition]).unwrap()[0]);
        let (ends, count): (Vec<u64>, _) = (ends.collect(), records.len());
        let appending = self.inner.append(told);
        let (sender, answers) = oneshot::channel();
        std::thread::spawn(move || {
            let told = appending.wait();
            let at = |end| Ok(Appended { offset: end, appended_at: Timestamp(0) });
            let kept = told.len() == ends.len();
            let answers = if kept { told } else { ends.into_iter().map(at).collect() };
            // Whoever asked may have gone.
            let _ = sender.send(answers);
        });
        Appending::new(count, answers)
    }

    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        self.inner.ends(partitions)
    }

    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        self.inner.reader(from)
    }

    fn close(&self) {
        self.inner.close();
    }
}

/// What a store does to rows before it keeps them.
pub(crate) type ViewLie = Box<dyn Fn(&mut Vec<Row>) + Send + Sync>;

/// A store that lies about rows.
pub(crate) struct LyingViews {
    pub(crate) inner: Arc<dyn ViewStore>,
    pub(crate) lie: ViewLie,
    pub(crate) _until_gone: Gone,
}

impl ViewStore for LyingViews {
    fn apply(&self, mut rows: Vec<Row>, mark: Mark) -> Result<(), ViewError> {
        (self.lie)(&mut rows);
        self.inner.apply(rows, mark)
    }

    fn get(&self, view: View, key: &[u8]) -> Result<Option<Stored>, ViewError> {
        self.inner.get(view, key)
    }

    fn scan(
        &self,
        view: View,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>, ViewError> {
        self.inner.scan(view, prefix, after, limit)
    }

    fn rows(&self, view: View) -> Result<u64, ViewError> {
        self.inner.rows(view)
    }

    fn marks(&self) -> watch::Receiver<Arc<Mark>> {
        self.inner.marks()
    }

    fn flush(&self) -> Result<(), ViewError> {
        self.inner.flush()
    }
}

/// Posts webhooks (signature, body) to the shop and waits until they are durable.
pub(crate) type Post = Box<dyn Fn(Vec<(String, Vec<u8>)>) + Send + Sync>;

/// What a provider reports of a call, in the place of the honest words.
pub(crate) type ProviderLie = Box<dyn Fn(&PaymentRequested, &mut Vec<&'static str>) + Send + Sync>;

/// A payment provider that answers a call before it returns, so that a test can wait for it.
pub(crate) struct Provider {
    pub(crate) post: Post,
    pub(crate) secrets: Secrets,
    pub(crate) clock: Clock,
    pub(crate) lie: ProviderLie,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) called: Condvar,
}

impl Provider {
    /// Blocks until it was called this often.
    pub(crate) fn wait(&self, calls: usize) {
        let taken = self.calls.lock().unwrap();
        drop(self.called.wait_while(taken, |taken| taken.len() < calls).unwrap());
    }

    /// Says of all that it was ever asked to authorize that it did.
    pub(crate) fn authorizes_all(&self) {
        let calls = self.calls.lock().unwrap().clone();
        let asked = calls.iter().filter(|call| call.request.verb == PaymentVerb::Authorize);
        (self.post)(asked.map(|call| self.webhook(call, 9, "authorized")).collect());
    }

    fn webhook(&self, call: &Call, n: usize, outcome: &str) -> (String, Vec<u8>) {
        let request = &call.request;
        let body = json!({
            "id": format!("{}-{n}", call.idempotency_key), "type": format!("payment.{outcome}"),
            "payment_id": request.payment_id, "order_id": request.order_id,
            "amount": request.amount, "currency": request.currency,
        });
        let body = body.to_string().into_bytes();
        (sign(&self.secrets, self.clock.now(), &body), body)
    }
}

/// What an honest provider says.
fn honest(request: &PaymentRequested) -> Vec<&'static str> {
    let method = request.payment_method.to_string();
    match request.verb {
        PaymentVerb::Authorize if method == "tok_silent" => vec![],
        PaymentVerb::Authorize if method == "tok_decline" => vec!["declined"],
        PaymentVerb::Authorize => vec!["authorized"],
        PaymentVerb::Capture => vec!["captured"],
        PaymentVerb::Void => vec!["voided"],
        PaymentVerb::Refund => vec!["refunded"],
    }
}

impl PaymentGateway for Provider {
    fn call(&self, calls: &[Call]) -> Vec<Result<(), GatewayError>> {
        let mut webhooks = Vec::new();
        for call in calls {
            let mut outcomes = honest(&call.request);
            (self.lie)(&call.request, &mut outcomes);
            let told = outcomes.iter().enumerate();
            webhooks.extend(told.map(|(n, outcome)| self.webhook(call, n, outcome)));
        }
        if !webhooks.is_empty() {
            (self.post)(webhooks);
        }
        self.calls.lock().unwrap().extend_from_slice(calls);
        self.called.notify_all();
        vec![Ok(()); calls.len()]
    }

    fn attempt(&self, idempotency_key: &str) -> Result<Attempt, GatewayError> {
        let calls = self.calls.lock().unwrap();
        // A worker that starts late meets requests that nobody has called for yet.
        let made = calls.iter().any(|call| call.idempotency_key == idempotency_key);
        Ok(if made { Attempt::Open } else { Attempt::NeverMade })
    }

    fn answers(&self) -> bool {
        true
    }
}
