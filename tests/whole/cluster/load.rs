//! `watermart load` against parts that run apart, and how far it has come.

use super::{Part, Parts};
use crate::shop::{Ask, command};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long the next decisions may take before they do not come.
const PATIENCE: Duration = Duration::from_secs(60);
/// What all loads sell.
const PRODUCTS: &str = "50";

/// A load that is being sent.
pub(super) struct Load {
    process: Child,
}

/// Sends a load; what is asked and told is written to `ledger`.
pub(super) fn start(profile: &str, ways: (&Part, &Part), ledger: &Path, more: &[&str]) -> Load {
    let (way_in, way_out) = ways;
    let process = command(ledger)
        .args(["load", profile, "--json", "--products", PRODUCTS, "--customers", "300"])
        .args(["--url", way_in.url(), "--query-url", way_out.url()])
        .arg("--ledger")
        .arg(ledger)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Load { process }
}

impl Load {
    /// Has it end now; gives its report.
    pub(super) fn end(self) -> Value {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.finish()
    }

    /// Waits for its end; gives its report.
    pub(super) fn finish(self) -> Value {
        let output = self.process.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Fills the shop, waits until it can be read, and gives the ledger of it.
pub(super) fn fill(parts: &Parts, way_in: &Part, way_out: &Part) -> PathBuf {
    let ledger = parts.root.path().join("fill.ledger");
    start("stock", (way_in, way_out), &ledger, &[]).finish();
    let last = PRODUCTS.parse::<u32>().unwrap() - 1;
    let path = format!("/v1/products/p{last}?consistency=strong&wait=30");
    assert_eq!(way_out.ask(Ask::get(&path)).status, 200);
    ledger
}

/// Waits until this many more records stand on the topic of decided orders: until the load is
/// under way.
pub(super) fn wait_decisions(parts: &Parts, more: usize) {
    let orders = ["topics", "tail", "orders", "--json", "--log-url", &parts.url];
    let data = parts.root.path();
    let mut ended = command(data);
    let there = ended.args(orders).output().unwrap();
    assert!(there.status.success(), "{}", String::from_utf8_lossy(&there.stderr));
    let there = there.stdout.iter().filter(|byte| **byte == b'\n').count();
    let wanted = (there + more).to_string();
    let mut followed = command(data);
    followed.args(orders).args(["--follow", "--from", "0", "--count", &wanted]);
    let mut followed = followed.stdout(Stdio::piped()).spawn().unwrap();
    let mut told = followed.stdout.take().unwrap();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let copied = std::io::copy(&mut told, &mut std::io::sink());
        // Nobody listens any more after the deadline.
        let _ = sender.send(copied);
    });
    let in_time = ended.recv_timeout(PATIENCE);
    if in_time.is_err() {
        followed.kill().unwrap();
    }
    let ended = followed.wait().unwrap();
    assert!(in_time.is_ok(), "{more} more records on orders did not come in {PATIENCE:?}");
    assert!(ended.success());
}

/// One ledger of several.
pub(super) fn ledgers(parts: &Parts, of: &[PathBuf]) -> String {
    let whole: Vec<_> = of.iter().flat_map(|ledger| std::fs::read(ledger).unwrap()).collect();
    let path = parts.root.path().join("whole.ledger");
    std::fs::write(&path, whole).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// Holds every action to have been acknowledged: the way in was there all the time.
pub(super) fn all_taken(report: &Value) {
    let lost = ["shed", "failed", "unknown"].map(|outcome| &report["outcomes"][outcome]);
    assert_eq!(lost, [0, 0, 0], "{report:#}");
}
