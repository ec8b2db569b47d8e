//! A shop in this process, wired as `watermart up` wires it, whose ports and operators can be made
//! to lie. Its clock moves only when told to.

use super::lies::{LogLie, LyingLog, LyingViews, Provider, ProviderLie, ViewLie};
use crate::shop::Caller;
use ingest_api::ingest::{Decisions, Ingest, Limits, Ports};
use processors::engine::{Engine, Options, Parts, Role};
use processors::failure::Failure;
use processors::payment_worker::PaymentWorker;
use processors::sabotage::Hooks;
use queries::{LogStatus, ProcessStatus, Queries};
use schemas::events::epochs::Settings;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::payment_gateway::PaymentGateway;
use sinks::payment_gateway::signature::Secrets;
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::EmbeddedViews;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// How long an unpaid order keeps its units, in milliseconds.
pub(crate) const TIMEOUT_MS: i64 = 60_000;
/// Nothing takes so long unless it hangs.
const HANGS: Duration = Duration::from_secs(60);

/// What is broken. By itself: nothing.
pub(crate) struct Lies {
    pub(crate) operators: Hooks,
    pub(crate) log: LogLie,
    pub(crate) views: ViewLie,
    pub(crate) provider: ProviderLie,
}

impl Default for Lies {
    fn default() -> Self {
        Self {
            operators: Hooks::default(),
            log: Box::new(|_| true),
            views: Box::new(|_| ()),
            provider: Box::new(|_, _| ()),
        }
    }
}

/// The shop.
pub(crate) struct Stage {
    caller: Caller,
    runtime: Runtime,
    log: Arc<dyn EventLog>,
    views: Arc<dyn ViewStore>,
    engine: Engine,
    payments: PaymentWorker,
    provider: Arc<Provider>,
    pub(crate) clock: Clock,
    gone: Receiver<()>,
}

impl Stage {
    /// Opens a shop in `data`.
    pub(crate) fn open(data: &Path, lies: Lies) -> Self {
        Self::open_by(data, lies, Clock::manual(BEGIN))
    }

    /// The same, by a clock of its own.
    pub(crate) fn open_by(data: &Path, lies: Lies, clock: Clock) -> Self {
        let stage = Self::start(data, lies, clock);
        stage.engine.handle().wait_ready().unwrap();
        stage
    }

    /// The same, without waiting until it is ready: it may never be.
    pub(crate) fn start(data: &Path, lies: Lies, clock: Clock) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let file = FileLog::open(&data.join("log"), clock.clone(), Durability::NotDurable).unwrap();
        let (until_gone, gone) = channel();
        let log: Arc<dyn EventLog> = Arc::new(LyingLog {
            inner: Arc::new(file),
            lie: lies.log,
            _until_gone: until_gone.clone(),
        });
        let views: Arc<dyn ViewStore> = Arc::new(LyingViews {
            inner: Arc::new(EmbeddedViews::open(&data.join("views")).unwrap()),
            lie: lies.views,
            _until_gone: until_gone,
        });
        let schemas = Schemas::embedded();
        let (parts_log, parts_views) = (Arc::clone(&log), Arc::clone(&views));
        let parts = Parts {
            checkpoints: None,
            log: parts_log,
            views: Some(parts_views),
            schemas: schemas.clone(),
            clock: clock.clone(),
        };
        let settings = Settings { reservation_timeout_ms: TIMEOUT_MS };
        let options = Options { workers: 1, settings, hash_seed: 7, role: Role::Leads };
        let engine = Engine::start_sabotaged(&parts, options, lies.operators.into()).unwrap();
        let status = Arc::new(status(&engine));
        let queries = Queries::new(Arc::clone(&views), Arc::clone(&log), clock.clone(), status);
        let resources = Arc::new(queries.clone());
        let ports = Ports {
            log: Arc::clone(&log),
            codec: Arc::clone(&schemas.codec),
            decisions: Some(Decisions { views: Arc::clone(&views), resources }),
        };
        let secrets = Secrets::one(b"between us");
        let ingest = Ingest::new(ports, clock.clone(), secrets.clone(), Limits::default());
        let caller = serve(&runtime, queries, ingest.clone());
        let handle = runtime.handle().clone();
        let provider = Arc::new(Provider {
            post: Box::new(move |webhooks| {
                let taken = handle.block_on(ingest.deliver(&webhooks));
                assert!(taken.iter().all(|taken| *taken), "{webhooks:?}");
            }),
            secrets,
            clock: clock.clone(),
            lie: lies.provider,
            calls: Mutex::default(),
            called: Condvar::new(),
        });
        let gateway = Arc::clone(&provider) as Arc<dyn PaymentGateway>;
        let payments = PaymentWorker::start(Arc::clone(&log), schemas, gateway, clock.clone());
        Self { caller, runtime, log, views, engine, payments, provider, clock, gone }
    }

    /// Who asks it.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who is paid.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What came of orders that were settled long ago.
    pub(crate) fn late(&self) -> u64 {
        self.engine.status().late
    }

    /// What the provider was asked.
    pub(crate) fn requests(&self) -> u64 {
        let requests: Vec<_> = TopicPartition::all(Topic::PaymentRequests).collect();
        self.log.ends(&requests).unwrap().iter().sum()
    }

    /// Waits until all that was asked is decided, published and shown, and all that the provider
    /// was asked is answered, and that decided too.
    pub(crate) fn settle(&self) {
        let requests: Vec<_> = TopicPartition::all(Topic::PaymentRequests).collect();
        let inputs: Vec<_> = TopicPartition::inputs().collect();
        let ends = |of: &[TopicPartition]| self.log.ends(of).unwrap();
        loop {
            let before = (ends(&inputs), ends(&requests));
            self.shown(&before.0);
            let plans = TopicPartition { topic: Topic::Epochs, partition: 0 };
            self.engine.wait_replayed(ends(&[plans])[0]).unwrap();
            let asked: u64 = ends(&requests).iter().sum();
            self.provider.wait(usize::try_from(asked).unwrap());
            if (ends(&inputs), ends(&requests)) == before {
                return;
            }
        }
    }

    /// Waits until the views have all inputs up to these ends.
    fn shown(&self, ends: &[u64]) {
        let mut marks = self.views.marks();
        let reached = marks.wait_for(|mark| {
            let applied = mark.applied.iter().copied().chain(std::iter::repeat(0));
            applied.zip(ends).all(|(applied, end)| applied >= *end)
        });
        let waited = self.runtime.block_on(async { tokio::time::timeout(HANGS, reached).await });
        let status = self.engine.status();
        waited.unwrap_or_else(|_| panic!("the shop hangs: {status:?}")).unwrap();
    }

    /// Waits until the engine has failed; gives why.
    pub(crate) fn failure(self) -> Failure {
        let handle = self.engine.handle();
        let ended = handle.wait_claim(true).and_then(|()| handle.wait_claim(false));
        assert!(ended.is_err(), "its claim is in force as long as it runs");
        let Self { runtime, log, views, engine, payments, provider, gone, .. } = self;
        let failure = engine.stop().unwrap_err();
        runtime.shutdown_timeout(HANGS);
        payments.stop().unwrap();
        drop((provider, log, views));
        assert_eq!(gone.recv_timeout(HANGS), Err(RecvTimeoutError::Disconnected));
        failure
    }

    /// Closes it, as `up` does at a signal.
    pub(crate) fn close(self) {
        let Self { runtime, log, views, engine, payments, provider, gone, .. } = self;
        runtime.shutdown_timeout(HANGS);
        payments.stop().unwrap();
        engine.stop().unwrap();
        views.flush().unwrap();
        log.close();
        drop((provider, log, views));
        // A thread of the read side may hold them a moment longer.
        assert_eq!(gone.recv_timeout(HANGS), Err(RecvTimeoutError::Disconnected));
    }
}

fn serve(runtime: &Runtime, queries: Queries, ingest: Ingest) -> Caller {
    let merged = queries::router(queries).merge(ingest_api::routes::router(ingest));
    let app = edge::front::front(queries::documented(merged));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(axum::serve(listener, app).into_future());
    Caller::of(url)
}

fn status(engine: &Engine) -> impl Fn() -> ProcessStatus + Send + Sync + use<> {
    let handle = engine.handle();
    move || {
        let ready = handle.status().not_ready().map_or(Ok("ok"), Err);
        let log = LogStatus { namespace: "watermart".to_owned(), replication: None };
        ProcessStatus { ready, engine: None, log }
    }
}
