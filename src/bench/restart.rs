//! A shop that ends and is started again, and where the time goes until it decides.

use super::caller::Caller;
use super::process::{Load, Process};
use super::reservations::{self, checkpointed, decided, fill, reserve};
use super::{Bar, Figure};
use serde_json::Value;
use sinks::clock::Clock;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Orders a second of the load beside it: enough that there is something to replay.
const RATE: &str = "50";
/// The load is ended long before.
const LOAD_SECONDS_MORE: u16 = 300;
/// Reservations outlive the bench.
const TIMEOUT: [&str; 4] = ["--payments-url", "manual:", "--reservation-timeout", "24h"];

/// A shop with its directory, that is started again and again at one port.
pub(super) struct Stage {
    home: TempDir,
    port: String,
    products: u32,
    pub(super) runtime: Runtime,
    pub(super) clock: Clock,
}

/// How a shop ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// As at a power cut.
    Killed,
    /// As an operator has it end.
    Stopped,
}

/// Where the time went, from the word that ended the shop to the first new decision. In
/// milliseconds, as the parts that the shop tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Restart {
    whole: f64,
    end: f64,
    /// From the order to start it to the word that it is ready, less the parts that it tells.
    spawn: f64,
    before: f64,
    checkpoint: f64,
    load: f64,
    replay: f64,
    decision: f64,
}

impl Stage {
    /// A shop of this size, filled, with all of it in a checkpoint; it runs.
    ///
    /// # Errors
    /// It does not come to that.
    pub(super) fn open(
        products: u32,
        reservations: u32,
        clock: &Clock,
    ) -> Result<(Self, Process), String> {
        let home = TempDir::with_prefix("watermart-bench-");
        let home = home.map_err(|error| format!("could not make a directory: {error}"))?;
        let runtime = crate::serving::runtime().map_err(|failure| failure.to_string())?;
        let stage = Self { home, port: free_port()?, products, runtime, clock: clock.clone() };
        let shop = stage.start(&["--checkpoint-interval", "1s"])?;
        fill(&shop.caller, products)?;
        stage.runtime.block_on(async {
            reserve(&shop.caller, 0..reservations, products).await?;
            decided(&shop.caller, clock).await?;
            checkpointed(&shop.caller, clock).await
        })?;
        shop.stop()?;
        let shop = stage.start(&[])?;
        Ok((stage, shop))
    }

    fn start(&self, flags: &[&str]) -> Result<Process, String> {
        let data: PathBuf = self.home.path().join("shop");
        Process::start(&data, &[&["--port", &self.port], &TIMEOUT[..], flags].concat())
    }

    /// Sells for a while, ends the shop under that load, starts it with these flags more, and
    /// watches it until it decides again.
    ///
    /// # Errors
    /// It does not come to that.
    pub(super) fn restart(
        &self,
        shop: Process,
        end: End,
        seconds: u16,
        flags: &[&str],
    ) -> Result<(Process, Restart), String> {
        let (products, length) =
            (self.products.to_string(), (seconds + LOAD_SECONDS_MORE).to_string());
        let shape = ["steady", "--rate", RATE, "--seconds", &length, "--products", &products];
        let load = Load::start(shop.caller.url(), &shape)?;
        std::thread::sleep(Duration::from_secs(seconds.into()));
        let begun = self.clock.elapsed();
        match end {
            End::Killed => shop.kill()?,
            End::Stopped => shop.stop()?,
        }
        let ended = self.clock.elapsed();
        let shop = self.start(flags)?;
        let ready = self.clock.elapsed();
        self.runtime.block_on(reservations::decision(&shop.caller))?;
        let decided = self.clock.elapsed();
        load.end()?;
        let started = self.runtime.block_on(started(&shop.caller))?;
        let restart = Restart::of([begun, ended, ready, decided], &started)
            .ok_or_else(|| format!("/v1/status does not tell how the start was: {started}"))?;
        Ok((shop, restart))
    }
}

/// A port that nobody listens on.
fn free_port() -> Result<String, String> {
    let socket = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    socket
        .map(|address| address.port().to_string())
        .map_err(|error| format!("could not find a free port: {error}"))
}

async fn started(caller: &Caller) -> Result<Value, String> {
    let status = caller.get("/v1/status").await?.is(200)?;
    Ok(status.body["started"].clone())
}

type Part = (&'static str, fn(&Restart) -> f64);

/// In the order in which they come.
const PARTS: [Part; 7] = [
    ("process gone", |restart| restart.end),
    ("spawn, claim, ready told", |restart| restart.spawn),
    ("log and views opened", |restart| restart.before),
    ("manifest and files read", |restart| restart.checkpoint),
    ("state loaded", |restart| restart.load),
    ("log replayed", |restart| restart.replay),
    ("first decision", |restart| restart.decision),
];

impl Restart {
    /// Of these moments (the word to end, ended, ready, decided) and what the shop tells.
    fn of([begun, ended, ready, decided]: [Duration; 4], started: &Value) -> Option<Self> {
        let ms = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() * 1000.0;
        let part = |name: &str| started[name].as_f64();
        let (before, checkpoint) = (part("before_ms")?, part("checkpoint_ms")?);
        let (load, replay) = (part("load_ms")?, part("replay_ms")?);
        let (whole, end) = (ms(begun, decided), ms(begun, ended));
        let rest = whole - end - before - checkpoint - load - replay;
        let decision = ms(ready, decided);
        Some(Self {
            whole,
            end,
            spawn: rest - decision,
            before,
            checkpoint,
            load,
            replay,
            decision,
        })
    }

    /// The figures of these restarts: the whole in seconds, which is never over the bar, and its
    /// parts in milliseconds.
    pub(super) fn figures(
        (what, whole): (&str, &str),
        restarts: &[Self],
        seconds_max: f64,
    ) -> Vec<Figure> {
        let seconds = restarts.iter().map(|restart| restart.whole / 1000.0).collect();
        let name = format!("{what} {whole}");
        let mut figures = vec![Figure::of(name, "s", seconds, Bar::NeverOver(seconds_max))];
        for (part, of) in PARTS {
            let samples = restarts.iter().map(of).collect();
            figures.push(Figure::of(format!("{what}: {part}"), "ms", samples, Bar::None));
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_parts_of_a_restart_are_the_whole() {
        let moments = [1_000, 1_100, 3_100, 3_150].map(Duration::from_millis);
        let told =
            json!({ "before_ms": 700, "checkpoint_ms": 100, "load_ms": 900, "replay_ms": 200 });
        let restart = Restart::of(moments, &told).unwrap();
        let Restart { whole, spawn, decision, .. } = restart;
        assert_eq!([whole, spawn, decision].map(|ms| format!("{ms:.0}")), ["2150", "100", "50"]);
        let parts: f64 = PARTS.iter().map(|(_, of)| of(&restart)).sum();
        assert!((parts - whole).abs() < 1e-6, "{restart:?}");
        assert_eq!(Restart::of(moments, &json!(null)), None, "an older build");
    }
}
