//! What each part says of itself, and how it stops.

use super::{Parts, stop_all};
use crate::servers;
use crate::shop::Ask;
use serde_json::{Value, json};
use sinks::clock::Clock;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How long a stop may take, whatever is away.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A broker of one test alone, that may be paused.
struct Broker {
    run: TempDir,
}

impl Broker {
    fn start() -> Self {
        let broker = Self { run: TempDir::new().unwrap() };
        broker.script(&["start", "kafka"]);
        broker
    }

    fn script(&self, words: &[&str]) -> String {
        let output = Command::new(servers::script())
            .args(words)
            .env("RUN", self.run.path().join("servers"))
            .envs([("BROKERS", "1"), ("KAFKA_PORT", "0"), ("REGISTRY_PORT", "0")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn log_url(&self) -> String {
        let told = self.script(&["env"]);
        let told = told.split("WATERMART_TEST_KAFKA='").nth(1).unwrap();
        format!("kafka://{}/paused", told.split('\'').next().unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.script(&["pid", "kafka", "0"]);
        let name = format!("-{name}");
        assert!(Command::new("kill").args([&name, pid.trim()]).status().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.script(&["wipe"]);
    }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn each_part_stops_in_time_while_the_broker_does_not_answer() {
    let broker = Broker::start();
    let mut parts = Parts::on(broker.log_url());
    let leads = parts.start("process", &["--take-over"]);
    let all =
        [parts.start("ingest", &[]), parts.start("query", &[]), parts.start("process", &[]), leads];
    broker.signal("STOP");
    // An action that nobody can tell the fate of is under way.
    let body = json!({ "name": "A", "region": "eu", "priority": 10 });
    let answer = all[0].ask(Ask::put("/v1/warehouses/A", body));
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("log_unavailable")));
    let clock = Clock::system();
    std::thread::scope(|scope| {
        for part in all {
            scope.spawn(|| part.stop());
        }
    });
    assert!(clock.elapsed() < STOP_MAX, "{:?}", clock.elapsed());
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn each_part_says_what_it_is_and_stops_at_once() {
    let mut parts = Parts::new();
    let process = parts.start("process", &["--take-over"]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    let standby = parts.start("process", &[]);
    for (part, ready, standing, epoch, views) in [
        (&process, "ok", json!("leads"), true, false),
        (&standby, "standing by", json!("follows"), true, false),
        (&way_in, "ok", Value::Null, false, false),
        (&way_out, "ok", json!("follows"), true, true),
    ] {
        assert_eq!(part.ask(Ask::get("/livez")).status, 200);
        assert_eq!(part.ready(), ready);
        let status = part.status();
        assert_eq!((&status["standing"], &status["log_replication"]), (&standing, &json!(1)));
        assert_eq!(
            (status["epoch"].is_u64(), status["views"] != json!([])),
            (epoch, views),
            "{status:#}"
        );
        let orders = format!("{}", status["log"]);
        assert!(orders.contains("customer-actions/0"), "{status:#}");
        let metrics = part.raw(b"GET /metrics HTTP/1.0\r\n\r\n");
        let metrics = String::from_utf8(metrics).unwrap();
        assert!(metrics.contains("\nwatermart_"), "{metrics}");
    }
    let clock = Clock::system();
    stop_all([process, standby, way_in, way_out]);
    assert!(clock.elapsed() < STOP_MAX, "{:?}", clock.elapsed());
}
