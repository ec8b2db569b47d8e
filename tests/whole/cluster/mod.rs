//! The parts of a shop as processes of their own, on one log of a real broker: what they do
//! together, and when one of them is killed, paused, or finds the log otherwise than it left it.

mod apart;
mod kills;
mod letters;
mod load;
mod log;
mod mesh;
mod refused;
mod same_history;
mod stopping;
mod takeover;
mod words;

use crate::servers;
use crate::shop::{Ask, Shop, run};
use serde_json::Value;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A shop in parts: each process has a directory of its own.
pub(crate) struct Parts {
    url: String,
    root: TempDir,
    dirs: usize,
}

/// A process of it.
pub(crate) struct Part {
    process: Shop,
    dir: PathBuf,
}

impl Deref for Part {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.process
    }
}

impl Parts {
    /// None yet, on a log that no other test has.
    pub(crate) fn new() -> Self {
        Self::on(servers::log_url())
    }

    /// The same, on this log.
    pub(crate) fn on(url: String) -> Self {
        Self { url, root: TempDir::new().unwrap(), dirs: 0 }
    }

    /// The first word of its topics' names.
    pub(crate) fn namespace(&self) -> &str {
        self.url.rsplit_once('/').expect("a log's URL has a namespace").1
    }

    /// A directory that nobody has.
    fn dir(&mut self) -> PathBuf {
        self.dirs += 1;
        let dir = self.root.path().join(self.dirs.to_string());
        std::fs::create_dir(&dir).unwrap();
        dir
    }

    /// Starts one more process and waits until it is ready.
    pub(crate) fn start(&mut self, part: &str, flags: &[&str]) -> Part {
        let dir = self.dir();
        self.start_in(part, dir, flags)
    }

    /// The same, where another was before.
    fn start_in(&self, part: &str, dir: PathBuf, flags: &[&str]) -> Part {
        let flags = [&["--log-url", &self.url, "--single-broker"], flags].concat();
        Part { process: Shop::start_part(part, &dir, &flags), dir }
    }

    /// Runs a part that does not get to serve: its exit code, and what it says.
    fn refused(&self, part: &str, dir: &Path, flags: &[&str]) -> (Option<i32>, String) {
        let outside = ["--port", "0", "--log-url", &self.url, "--single-broker"];
        let output = run(dir, &[&[part][..], &outside, flags].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "it said that it is ready");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Holds the audit to be clean; gives its report.
    fn audited(&self, data: &Path, more: &[&str]) -> Value {
        let output = run(data, &[&["audit", "--json", "--log-url", &self.url], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
        assert!(output.status.success() && report["ok"] == true, "{report:#}");
        report
    }
}

impl Part {
    /// Ends it as a power cut would; gives its directory.
    fn kill(self) -> PathBuf {
        self.process.kill();
        self.dir
    }

    /// Has it stop, and holds it to end well; gives its directory.
    fn stop(self) -> PathBuf {
        assert_eq!(self.process.stop(), Some(0));
        self.dir
    }

    fn status(&self) -> Value {
        self.ask(Ask::get("/v1/status")).body
    }

    fn standing(&self) -> Value {
        self.status()["standing"].clone()
    }

    fn ready(&self) -> Value {
        self.ask(Ask::get("/readyz")).body["status"].clone()
    }

    /// Of a `query`: waits until its views are this many epochs on.
    fn wait_epochs(&self, more: u64) {
        let epoch = self.status()["epoch"].as_u64().unwrap() + more;
        let read = self.ask(Ask::get(&format!("/v1/products?after=e{epoch}&wait=30")));
        assert_eq!(read.status, 200, "{read:?}");
    }
}

/// Has these stop, one after the other.
fn stop_all<const N: usize>(parts: [Part; N]) {
    for part in parts {
        part.stop();
    }
}
