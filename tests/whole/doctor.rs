//! `watermart doctor`: what it says of sound parts, of broken ones, and of those that are not there.

use crate::servers;
use crate::shop::{Shop, run};
use schemas::topic::Topic;
use serde_json::{Value, json};
use sinks::event_log::Location;
use sinks::event_log::kafka::{KafkaLog, Options};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The exit code, the report, and what was said on stderr.
pub(crate) fn examined(data: &Path, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = run(data, &[&["doctor", "--json"], arguments].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report, String::from_utf8(output.stderr).unwrap())
}

/// What a report says of one check: verdict and detail.
pub(crate) fn check<'a>(report: &'a Value, part: &str, name: &str) -> (&'a str, &'a str) {
    let named = |list: &'a Value, key: &str, name: &str| {
        let list = list.as_array().unwrap();
        list.iter().find(|entry| entry[key] == name).unwrap_or_else(|| panic!("{name}: {list:#?}"))
    };
    let found = named(&named(&report["parts"], "part", part)["checks"], "name", name);
    (found["verdict"].as_str().unwrap(), found["detail"].as_str().unwrap())
}

#[test]
fn a_directory_that_is_not_there_yet_is_sound_and_stays_so() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("to-be");
    let (code, report, _) = examined(&data, &[]);
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report:#}");
    let parts: Vec<_> = report["parts"].as_array().unwrap().iter().map(|p| &p["part"]).collect();
    assert_eq!(parts, ["data", "log", "registry", "views", "payments"]);
    assert_eq!(check(&report, "data", "writable"), ("ok", "it is made at the first start"));
    assert_eq!(check(&report, "payments", "gateway").0, "unsafe");
    assert!(!data.exists());
}

#[test]
fn beside_a_running_shop_it_names_the_process_and_after_it_what_is_unsafe() {
    let (shop, data) = Shop::with_warehouses(&[]);
    let (code, report, _) = examined(data.path(), &[]);
    assert_eq!(code, Some(0), "{report:#}");
    let holder = fs::read_to_string(data.path().join("log/LOCK")).unwrap();
    let expected = format!("process {} has it open", holder.trim());
    assert_eq!(check(&report, "log", "in use"), ("ok", expected.as_str()));
    assert!(check(&report, "log", "time").1.starts_with("the last plan is of 20"));
    assert_eq!(check(&report, "payments", "secrets").0, "ok");
    assert_eq!(shop.stop(), Some(0));

    let secret = data.path().join("webhook-secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let (code, report, _) = examined(data.path(), &[]);
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report:#}");
    let (verdict, detail) = check(&report, "payments", "secrets");
    assert_eq!(verdict, "unsafe");
    assert!(detail.contains(&format!("`chmod 600 {}`", secret.display())), "{detail}");
    assert_eq!(check(&report, "log", "in use"), ("ok", "no process has it open"));
    assert!(check(&report, "views", "files").1.starts_with("complete up to epoch "));
}

#[test]
fn damage_is_a_failed_check_and_is_named() {
    let (shop, data) = Shop::with_warehouses(&[]);
    assert_eq!(shop.stop(), Some(0));
    let journal = data.path().join("log/00000000.journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[40] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let (code, report, message) = examined(data.path(), &[]);
    assert_eq!((code, &report["ok"]), (Some(1), &json!(false)), "{report:#}");
    assert!(message.contains("failed: log: files"), "{message}");
    let (verdict, detail) = check(&report, "log", "files");
    assert_eq!(verdict, "failed");
    assert!(detail.contains(&journal.display().to_string()), "{detail}");
    // The same for a person.
    let text = String::from_utf8(run(data.path(), &["doctor"]).stdout).unwrap();
    assert!(text.contains("  FAILED  files: cannot open the event log"), "{text}");
}

#[test]
fn who_does_not_answer_is_named_and_ends_it_with_5() {
    let data = TempDir::new().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = format!("kafka://{nobody}/shop");
    let registry = format!("http://{nobody}");
    for (arguments, silent) in [
        (&["--log-url", log.as_str()][..], &["log"][..]),
        (&["--registry-url", &registry], &["registry"]),
        (&["--log-url", &log, "--registry-url", &registry], &["log", "registry"]),
    ] {
        let patience = ["--connect-timeout", "500ms"];
        let (code, report, message) = examined(data.path(), &[arguments, &patience].concat());
        assert_eq!((code, &report["ok"]), (Some(5), &json!(false)), "{report:#}");
        assert!(message.contains(&format!("no answer from: {}", silent.join(", "))), "{message}");
        for part in report["parts"].as_array().unwrap() {
            let answers = !silent.contains(&part["part"].as_str().unwrap());
            assert_eq!(part["answers"], answers, "{report:#}");
        }
        for part in silent {
            assert!(check(&report, part, "answers").1.contains(&nobody.to_string()));
        }
    }
    assert_eq!(run(data.path(), &["doctor", "--registry-url", "h:1"]).status.code(), Some(2));
    assert_eq!(run(data.path(), &["doctor", "--views-url", "scylla://h"]).status.code(), Some(2));
}

/// Makes the topics of a log with one broker.
pub(crate) fn made(log_url: &str) -> KafkaLog {
    let Ok(Location::Cluster(cluster)) = log_url.parse() else { panic!("{log_url}") };
    let connect_timeout = Duration::from_secs(30);
    let append_timeout = Some(connect_timeout);
    let options = Options { connect_timeout, single_broker: true, append_timeout };
    KafkaLog::open(&cluster, options).unwrap()
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn of_real_servers_it_says_the_version_and_what_one_broker_means() {
    let data = TempDir::new().unwrap();
    let (log, registry) = (servers::log_url(), servers::registry());
    let outside = ["--log-url", &log, "--registry-url", &registry];
    let (code, report, _) = examined(data.path(), &outside);
    assert_eq!(code, Some(0), "{report:#}");
    let version = |part: usize| report["parts"][part]["version"].as_str().unwrap().to_owned();
    assert!(version(1).starts_with("4.3 "), "{report:#}");
    assert!(version(2).contains(" 3.3.3"), "{report:#}");
    let namespace = log.rsplit('/').next().unwrap();
    let orders = format!("{namespace}.{}", Topic::Orders.suffix());
    let absent = ("ok", "it is not there; the first start makes it");
    assert_eq!(check(&report, "log", &orders), absent);

    drop(made(&log));
    let (code, report, message) = examined(data.path(), &outside);
    assert_eq!(code, Some(1), "{report:#}");
    let (verdict, detail) = check(&report, "log", &orders);
    assert_eq!(verdict, "failed");
    assert!(detail.contains("--single-broker"), "{detail}");
    assert!(message.contains(&format!("log: {orders}")), "{message}");

    let (code, report, _) = examined(data.path(), &[&outside[..], &["--single-broker"]].concat());
    assert_eq!((code, check(&report, "log", &orders).0), (Some(0), "unsafe"), "{report:#}");
}
