//! A server from its socket to its end: says `ready` when its part of the shop is, serves until a
//! signal or a failure, lets what is under way finish. A second signal ends it at once.

use crate::cli::{Auth, Door, Global};
use crate::engine;
use crate::exit::Failure;
use crate::server;
use crate::stdout::{Ended, Lines, until_closed};
use axum::Router;
use processors::supervisor::Supervisor;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinError;

/// How long requests under way may take to finish after a signal.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Refuses a door that this build cannot guard.
///
/// # Errors
/// Which flag, and the fix.
pub(crate) fn check(door: &Door) -> Result<(), Failure> {
    match door.auth {
        Auth::On => Err(Failure::flag("auth", "`on` is not known to this build; use `off`")),
        Auth::Off if !door.host.is_loopback() => {
            let detail = "everyone is operator with --auth off, so the host must be loopback: \
                          use 127.0.0.1";
            Err(Failure::flag("host", detail))
        }
        Auth::Off => Ok(()),
    }
}

/// The threads that serve.
///
/// # Errors
/// The system gives none.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("could not start threads: {error}")))
}

/// A part of the shop that is served: open, but for the socket.
pub(crate) trait Service {
    /// All it answers to.
    fn router(&self) -> Router;

    /// Its engine, if it has one: it is ready when that is, and ends when that does.
    fn engine(&self) -> Option<&Supervisor>;

    /// Finishes what was accepted, and closes.
    ///
    /// # Errors
    /// A part had failed, or fails now.
    fn stop(self) -> Result<(), Failure>;
}

/// Serves until a signal or a failure, then closes the shop and the threads.
///
/// # Errors
/// What stopped it from serving, or from going on, or from closing.
pub(crate) fn run(
    service: impl Service,
    runtime: Runtime,
    door: &Door,
    global: &Global,
) -> Result<(), Failure> {
    let served = runtime.block_on(serve(&service, door, global));
    let stopped = service.stop();
    // Connections that outlived the drain are cut.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served.and(stopped)
}

async fn serve(service: &impl Service, door: &Door, global: &Global) -> Result<(), Failure> {
    let engine = service.engine();
    let address = SocketAddr::new(door.host, door.port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::flag("port", format!("cannot listen on {address}: {error}")))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::flag("port", format!("cannot listen: {error}")))?;
    let mut signals = Signals::listen()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut server =
        tokio::spawn(server::serve(listener, service.router(), server::HEAD_MAX, stopped));
    let announced = async {
        if ready(engine).await
            && let Err(failure) = until_closed(announce(address, global))
        {
            return failure;
        }
        std::future::pending().await
    };
    tokio::select! {
        failure = announced => return Err(failure),
        _ = signals.next() => {}
        failure = failed(engine) => return Err(failure),
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

/// Waits until it can serve; false: it never will.
async fn ready(engine: Option<&Supervisor>) -> bool {
    let Some(engine) = engine else { return true };
    let ready = tokio::task::spawn_blocking(engine.ready_source()).await;
    ready.is_ok_and(|ready| ready.is_ok())
}

/// Waits until the engine has failed, for ever if it does not, or if there is none.
async fn failed(engine: Option<&Supervisor>) -> Failure {
    let Some(engine) = engine else { return std::future::pending().await };
    let failure = tokio::task::spawn_blocking(engine.failure_source()).await;
    let panicked = |error: JoinError| Failure::Bug(format!("could not wait: {error}"));
    match failure.map_err(panicked) {
        Ok(Some(failure)) => engine::failure(failure),
        Ok(None) => std::future::pending().await,
        Err(failure) => failure,
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

/// The one line that says where the shop is.
fn announce(address: SocketAddr, global: &Global) -> Result<(), Ended> {
    let mut lines = Lines::lock();
    let url = format!("http://{address}");
    if global.json {
        let (pid, data) = (std::process::id(), &global.data);
        lines.json(&json!({ "ready": true, "url": url, "pid": pid, "data": data }))?;
    } else {
        lines.line(&format_args!("ready {url}"))?;
    }
    lines.flush()
}
