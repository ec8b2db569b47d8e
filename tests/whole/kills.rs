//! The shop is killed again and again while it sells, at moments that a seed draws; each start goes
//! on behind a checkpoint. At the end the log, the views and the load's ledger agree.

use crate::shop::{Ask, Shop, command, run};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// At most one start in so many may have had nothing to replay.
const REPLAYS: u64 = 2;
const CHECKPOINTS: [&str; 2] = ["--checkpoint-interval", "150ms"];

/// How often it is killed, and the seed that draws when: `WATERMART_TEST_KILLS` and
/// `WATERMART_TEST_KILLS_SEED` set others.
#[expect(clippy::disallowed_methods, reason = "a longer run, and a seed given back")]
pub(crate) fn drawn() -> (u64, u64) {
    let set = |name: &str, default| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    (set("WATERMART_TEST_KILLS", 50), set("WATERMART_TEST_KILLS_SEED", 20_261_125).max(1))
}

/// The next number of a sequence.
pub(crate) fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// A load that goes on while its shop is killed and started, until it is ended.
fn load(data: &Path, url: &str) -> Child {
    command(data)
        .args(["load", "steady", "--url", url, "--json", "--products", "40", "--customers", "400"])
        .args(["--rate", "150", "--batch", "5", "--seconds", "600", "--ledger"])
        .arg(data.join("ledger"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Something is decided, so often.
fn decides(shop: &Shop, times: u64) {
    for _ in 0..times {
        let body = json!({ "name": "A", "region": "eu", "priority": 10 });
        assert_eq!(shop.ask(Ask::put("/v1/warehouses/A", body).and_wait()).status, 200);
    }
}

fn status(shop: &Shop) -> Value {
    shop.ask(Ask::get("/v1/status")).body
}

#[test]
fn fifty_kills_under_load_lose_and_double_nothing() {
    let (data, (kills, mut seed)) = (TempDir::new().unwrap(), drawn());
    println!("WATERMART_TEST_KILLS={kills} WATERMART_TEST_KILLS_SEED={seed}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let arguments = [&["--port", &port][..], &CHECKPOINTS].concat();
    let mut shop = Shop::start(data.path(), &arguments);
    let load = load(data.path(), shop.url());
    let sold = || std::fs::read_to_string(data.path().join("ledger")).unwrap_or_default();
    while !sold().contains(r#""kind":"checkout""#) {
        decides(&shop, 1);
    }
    // Epochs known before a kill that no checkpoint had: replayed at least.
    let (mut replayed, mut replays, mut behind) = (0, 0, 0);
    for kill in 0..kills {
        decides(&shop, 1 + next(&mut seed) % 25);
        let before = status(&shop)["epoch"].as_u64().unwrap();
        shop.kill();
        // Another number of workers each time.
        let workers = (1 + kill % 3).to_string();
        let arguments = [&arguments[..], &["--workers", &workers]].concat();
        shop = Shop::start(data.path(), &arguments);
        let status = status(&shop);
        let checkpoint = status["checkpoint"]["epoch"].as_u64().unwrap_or(0);
        behind += u64::from(checkpoint > 0);
        replayed += before.saturating_sub(checkpoint);
        replays += u64::from(before > checkpoint);
    }
    println!("{replayed} epochs replayed in {replays} of {kills} starts");
    assert_eq!(behind, kills, "each start goes on behind a checkpoint");
    assert!(replays * REPLAYS >= kills, "kills come between checkpoints: {replays} of {kills}");
    let pid = load.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let report = load.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert!(report["outcomes"]["confirmed"].as_u64() > Some(300), "{report:#}");
    assert_eq!(shop.stop(), Some(0));
    let ledger = data.path().join("ledger");
    let audit = run(data.path(), &["audit", "--json", "--ledger", ledger.to_str().unwrap()]);
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert!(audit["ok"] == true && audit["ledger"]["differences"] == 0, "{audit:#}");
}
