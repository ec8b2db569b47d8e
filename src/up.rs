//! `watermart up`: the whole shop in one process.
//!
//! Opens the parts, starts the engine, the gateway and its worker, serves, and says `ready` when
//! `/readyz` is 200. A signal stops it: no new requests, those accepted are finished, the engine
//! finishes what it planned, everything is flushed. A second signal ends it at once.

use crate::cli::{Auth, Global, Up};
use crate::exit::Failure;
use crate::parts;
use crate::server;
use edge::front::front;
use ingest_api::action::Resource;
use ingest_api::ingest::{Ingest, Limits, Ports, Resources};
use processors::engine::{Engine, Held, Options, Parts, Role};
use processors::invariants::Count;
use processors::payment_worker::PaymentWorker;
use queries::{EngineStatus, Invariant, Queries};
use schemas::events::epochs::Settings;
use schemas::time::Timestamp;
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::event_log::EventLog;
use sinks::payment_gateway::PaymentGateway;
use sinks::payment_gateway::embedded::{Sandbox, Webhook};
use sinks::payment_gateway::manual::Manual;
use sinks::payment_gateway::signature::Secrets;
use sinks::view_store::{ViewError, ViewStore};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// How long requests under way may take to finish after a signal.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Runs the shop until a signal or a failure.
///
/// # Errors
/// What stopped it from serving, or from going on.
pub(crate) fn run(up: &Up, global: &Global) -> Result<(), Failure> {
    check(up)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("could not start threads: {error}")))?;
    let shop = Shop::open(up, &global.data, &runtime)?;
    let served = runtime.block_on(shop.serve(up, global));
    let stopped = shop.stop();
    // Connections that outlived the drain are cut.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served.and(stopped)
}

/// Refuses what this build cannot do, by flag.
fn check(up: &Up) -> Result<(), Failure> {
    for (flag, url) in [("log-url", &up.log_url), ("views-url", &up.views_url)] {
        if url != "embedded:" {
            let detail = format!("`{url}` is not known to this build; it knows `embedded:`");
            return Err(Failure::flag(flag, detail));
        }
    }
    if !matches!(up.payments_url.as_str(), "sandbox:" | "manual:") {
        let url = &up.payments_url;
        let detail = format!("`{url}` is not known to this build; it knows `sandbox:`, `manual:`");
        return Err(Failure::flag("payments-url", detail));
    }
    if up.reservation_timeout.is_zero() {
        return Err(Failure::flag("reservation-timeout", "must be at least 1ms"));
    }
    match up.auth {
        Auth::On => Err(Failure::flag("auth", "`on` is not known to this build; use `off`")),
        Auth::Off if !is_loopback(up.host) => {
            let detail = "everyone is operator with --auth off, so the host must be loopback: \
                          use 127.0.0.1";
            Err(Failure::flag("host", detail))
        }
        Auth::Off => Ok(()),
    }
}

fn is_loopback(host: IpAddr) -> bool {
    host.is_loopback()
}

/// An open shop: everything but the socket.
pub(crate) struct Shop {
    log: Arc<dyn EventLog>,
    views: Arc<dyn ViewStore>,
    engine: Engine,
    payments: PaymentWorker,
    ingest: Ingest,
    queries: Queries,
}

impl Shop {
    /// Opens what is in `data`; the engine starts at once. `runtime` delivers webhooks.
    ///
    /// # Errors
    /// What cannot be opened, and why.
    pub(crate) fn open(up: &Up, data: &Path, runtime: &Runtime) -> Result<Self, Failure> {
        std::fs::create_dir_all(data)
            .map_err(|error| Failure::flag("data", format!("{}: {error}", data.display())))?;
        let clock = Clock::system();
        // Before the log: what is kept of a registry is there when a log is.
        let schemas =
            parts::open_schemas(&up.registry_url, parts::NAMESPACE, data, up.connect_timeout)?;
        let log: Arc<dyn EventLog> = Arc::new(parts::open_log(data, clock.clone())?);
        let views: Arc<dyn ViewStore> = Arc::new(parts::open_views(data)?);
        let codec = Arc::clone(&schemas.codec);
        let secrets = secrets(up, data)?;
        let engine = Engine::start(
            &Parts {
                log: Arc::clone(&log),
                views: Arc::clone(&views),
                schemas: schemas.clone(),
                clock: clock.clone(),
            },
            Options {
                workers: up.workers.into(),
                settings: settings(up),
                hash_seed: u64::from(std::process::id()),
                role: Role::Leads,
            },
        )
        .map_err(engine_failure)?;
        let payments_failed = Arc::new(OnceLock::new());
        let queries = Queries::new(
            Arc::clone(&views),
            Arc::clone(&log),
            clock.clone(),
            Arc::new(engine_status(&engine, up.workers.into(), Arc::clone(&payments_failed))),
        );
        let ports = Ports {
            log: Arc::clone(&log),
            codec: Arc::clone(&codec),
            views: Arc::clone(&views),
            resources: Arc::new(Shown(queries.clone())),
        };
        let ingest = Ingest::new(ports, clock.clone(), secrets.clone(), Limits::default());
        let gateway = gateway(up, data, secrets, &clock, &ingest, runtime.handle())?;
        let payments = PaymentWorker::start(Arc::clone(&log), schemas, gateway, clock);
        payments_failed.get_or_init(|| Box::new(payments.failure_source()));
        Ok(Self { log, views, engine, payments, ingest, queries })
    }

    async fn serve(&self, up: &Up, global: &Global) -> Result<(), Failure> {
        let address = SocketAddr::new(up.host, up.port);
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::flag("port", format!("cannot listen on {address}: {error}"))
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::flag("port", format!("cannot listen: {error}")))?;
        let mut signals = Signals::listen()?;
        let app = self.router();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut server = tokio::spawn(server::serve(listener, app, server::HEAD_MAX, stopped));
        let failed = tokio::task::spawn_blocking(self.engine.failure_source());
        let ready = tokio::task::spawn_blocking(self.engine.ready_source());
        let announced = async {
            if ready.await.is_ok_and(|ready| ready.is_ok()) {
                announce(address, global);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = announced => {}
            _ = signals.next() => {}
            failure = failed => {
                let reason = failure.ok().flatten().unwrap_or_else(|| "it panicked".to_owned());
                return Err(engine_failure(reason));
            }
        }
        // The server may have ended by itself; then there is nobody to tell.
        let _ = stop.send(());
        tokio::select! {
            _ = tokio::time::timeout(DRAIN_MAX, &mut server) => Ok(()),
            code = signals.next() => {
                std::process::exit(code);
            }
        }
    }

    /// Blocks until it is ready to decide.
    ///
    /// # Errors
    /// The engine failed before.
    pub(crate) fn wait_ready(&self) -> Result<(), Failure> {
        self.engine.ready_source()().map_err(engine_failure)
    }

    /// Everything it answers to.
    pub(crate) fn router(&self) -> axum::Router {
        let merged = queries::router(self.queries.clone())
            .merge(ingest_api::routes::router(self.ingest.clone()));
        front(queries::documented(merged))
    }

    /// Finishes what was accepted, flushes, closes.
    ///
    /// # Errors
    /// A part had failed, or fails now.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        let Self { log, views, engine, payments, ingest, queries } = self;
        drop((ingest, queries));
        let payments = payments.stop().map_err(|error| Failure::Check(error.to_string()));
        let engine = engine.stop().map_err(engine_failure);
        let flushed = views
            .flush()
            .map_err(|error| Failure::Damaged(format!("could not write the views: {error}")));
        log.close();
        engine.and(payments).and(flushed)
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::Unreachable(format!("cannot listen to signals: {error}")))
        };
        let terminate = listen(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for one; gives the code of a process that it ends.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => 143,
            _ = self.interrupt.recv() => 130,
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line that says where the shop is")]
fn announce(address: SocketAddr, global: &Global) {
    let url = format!("http://{address}");
    if global.json {
        let (pid, data) = (std::process::id(), &global.data);
        println!("{}", json!({ "ready": true, "url": url, "pid": pid, "data": data }));
    } else {
        println!("ready {url}");
    }
}

fn settings(up: &Up) -> Settings {
    let ms = i64::try_from(up.reservation_timeout.as_millis()).unwrap_or(i64::MAX);
    Settings { reservation_timeout_ms: ms }
}

fn secrets(up: &Up, data: &Path) -> Result<Secrets, Failure> {
    up.webhook_secret_file
        .as_ref()
        .map_or_else(|| Secrets::load_or_create(&data.join("webhook-secret")), |f| Secrets::load(f))
        .map_err(|error| Failure::flag("webhook-secret-file", error))
}

/// A reason of the engine as the end of the command.
fn engine_failure(reason: String) -> Failure {
    if reason.starts_with("history was redone") {
        Failure::HistoryRedone(reason)
    } else if reason.contains("is damaged at byte") {
        Failure::Damaged(reason)
    } else {
        Failure::Check(reason)
    }
}

fn gateway(
    up: &Up,
    data: &Path,
    secrets: Secrets,
    clock: &Clock,
    ingest: &Ingest,
    handle: &Handle,
) -> Result<Arc<dyn PaymentGateway>, Failure> {
    if up.payments_url == "manual:" {
        return Ok(Arc::new(Manual));
    }
    let dir: PathBuf = data.join("sandbox");
    std::fs::create_dir_all(&dir)
        .map_err(|error| Failure::flag("data", format!("{}: {error}", dir.display())))?;
    let (ingest, handle) = (ingest.clone(), handle.clone());
    let deliver = move |webhooks: Vec<Webhook>| {
        let webhooks: Vec<_> = webhooks.into_iter().map(|w| (w.signature, w.body)).collect();
        handle.block_on(ingest.deliver(&webhooks))
    };
    let sandbox = Sandbox::open(&dir, secrets, clock.clone(), Box::new(deliver))
        .map_err(|error| Failure::Damaged(error.to_string()))?;
    Ok(Arc::new(sandbox))
}

/// Asks the payment worker for its failure, once there is a worker.
type PaymentsFailed = Arc<OnceLock<Box<dyn Fn() -> Option<String> + Send + Sync>>>;

fn engine_status(
    engine: &Engine,
    workers: usize,
    payments_failed: PaymentsFailed,
) -> impl Fn() -> EngineStatus + Send + Sync + use<> {
    let source = engine.status_source();
    move || {
        let status = source();
        let unpaid = payments_failed.get().and_then(|failed| failed());
        EngineStatus {
            ready: status.not_ready.or(unpaid).map_or(Ok(()), Err),
            generation: u64::try_from(status.generation).unwrap_or(0),
            epoch: status.epoch,
            now: status.now.unwrap_or(Timestamp(0)),
            workers,
            invariants: status.invariants.iter().map(counted).collect(),
            dead_letters: status.dead_letters,
            held: status.held.iter().map(held).collect(),
        }
    }
}

fn held(held: &Held) -> queries::Held {
    let Held { partition, offset, schema } = *held;
    queries::Held { partition: partition.to_string(), offset, schema_id: schema }
}

fn counted((id, count): (&'static str, Count)) -> (&'static str, Invariant) {
    (id, Invariant { checked: count.checked, breaches: count.breaches })
}

/// The read side's resources, for actions that wait for their decision.
struct Shown(Queries);

impl Resources for Shown {
    fn resource(&self, resource: Resource) -> Result<Option<Value>, ViewError> {
        match resource {
            Resource::Order(id) => self.0.order_json(id),
            Resource::Cart(id) => self.0.cart_json(id).map(Some),
            Resource::Product(id) => self.0.product_json(id),
            Resource::Stock(id) => self.0.stock_json(id),
            Resource::Warehouse(id) => self.0.warehouse_json(id),
        }
    }
}
