//! `watermart epochs skip|drain|time`: operators' words on the plan topic of files.

use crate::shop::{Ask, Shop, basket, run};
use bytes::Bytes;
use schemas::topic::{Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, Record};
use std::path::Path;
use tempfile::TempDir;

/// The one document that a command prints.
pub(crate) fn document(data: &Path, arguments: &[&str]) -> Value {
    let output = run(data, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one document of JSON")
}

/// What a command that is refused says, and its exit code.
pub(crate) fn refused(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(data, arguments);
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Appends a record to the log of a stopped shop; gives its offset.
pub(crate) fn append(data: &Path, partition: TopicPartition, key: Bytes, value: Bytes) -> u64 {
    let log = FileLog::open(&data.join("log"), Clock::system(), Durability::Durable).unwrap();
    let record = NewRecord { partition, key, value, output_id: None };
    log.append(vec![record]).wait().remove(0).unwrap().offset
}

/// All records of a stopped shop's topic.
pub(crate) fn records(data: &Path, topic: Topic) -> Vec<Record> {
    let log = FileLog::open_read_only(&data.join("log")).unwrap();
    let from: Vec<_> = TopicPartition::all(topic).map(|at| (at, 0)).collect();
    let mut records = Vec::new();
    log.reader(&from).unwrap().read(usize::MAX, &mut records).unwrap();
    records
}

/// A shop that has sold one basket to C1, and was stopped.
pub(crate) fn stopped() -> TempDir {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 100)]);
    let order = basket("C1", "tok_silent", &[("P1", 1)]);
    assert_eq!(shop.ask(Ask::post("/v1/checkouts", "k1", order).and_wait()).status, 201);
    assert_eq!(shop.stop(), Some(0));
    data
}

/// Has a shop apply all that stands on its log, and more.
pub(crate) fn applied(shop: &Shop) -> Value {
    let body = json!({ "name": "A", "region": "eu", "priority": 11 });
    assert_eq!(shop.ask(Ask::put("/v1/warehouses/A", body).and_wait()).status, 200);
    shop.ask(Ask::get("/v1/status")).body
}

#[test]
fn a_record_that_is_skipped_before_a_plan_takes_it_becomes_a_dead_letter() {
    let data = stopped();
    let checkout = records(data.path(), Topic::CustomerActions).remove(0);
    let at = checkout.partition;
    let offset = append(data.path(), at, checkout.key, checkout.value);
    let (partition, offset) = (at.partition.to_string(), offset.to_string());
    let skip = ["epochs", "skip", "customer-actions", &*partition, &*offset];

    let said = document(data.path(), &skip);
    assert_eq!(
        (&said["type"], &said["appended"]["topic"]),
        (&json!("RecordSkipped"), &json!("watermart.epochs"))
    );
    let event = json!({ "topic": 2, "partition": at.partition, "offset": 1 });
    assert_eq!(said["event"], event);
    assert!(said["effect"].as_str().unwrap().contains("becomes a dead letter when"), "{said}");
    let again = document(data.path(), &skip);
    assert!(again["effect"].as_str().unwrap().contains("stood there before"), "{again}");
    assert_eq!(
        again["appended"]["offset"].as_u64().unwrap(),
        said["appended"]["offset"].as_u64().unwrap() + 1
    );

    let shop = Shop::start(data.path(), &[]);
    assert_eq!(applied(&shop)["dead_letters"], 1);
    assert_eq!(shop.stop(), Some(0));
    let letters = document(data.path(), &["dlq", "list"]);
    assert_eq!(letters["total"], 1);
    assert_eq!(letters["dead_letters"][0]["cause"], "skipped");
    assert_eq!(letters["dead_letters"][0]["record"]["offset"], 1);
    assert!(run(data.path(), &["audit"]).status.success());
}

#[test]
fn drain_and_time_do_no_harm_to_a_stopped_shop_and_say_so() {
    let data = stopped();
    let drained = document(data.path(), &["epochs", "drain"]);
    assert_eq!(drained["type"], "PlanningDrained");
    let generation = drained["event"]["generation"].to_string();
    let effect = drained["effect"].as_str().unwrap();
    assert!(effect.contains(&format!("generation {generation} is drained")), "{effect}");
    let accepted = document(data.path(), &["epochs", "time"]);
    assert_eq!(accepted["type"], "TimeAccepted");
    assert!(accepted["effect"].as_str().unwrap().contains("the last plan's time is 20"));
    assert!(accepted["event"]["wall_ms"].is_i64(), "{accepted}");

    let text = String::from_utf8(run(data.path(), &["epochs", "drain"]).stdout).unwrap();
    assert!(text.starts_with("appended PlanningDrained {\"generation\":"), "{text}");
    assert!(text.contains(" at watermart.epochs/0@"), "{text}");
    let shop = Shop::start(data.path(), &[]);
    assert_eq!(applied(&shop)["dead_letters"], 0);
    assert_eq!(shop.stop(), Some(0));
    assert!(run(data.path(), &["audit"]).status.success());
}

#[test]
fn no_word_is_said_beside_a_running_shop_on_files() {
    let (shop, data) = Shop::with_warehouses(&[]);
    for word in [&["drain"][..], &["time"], &["skip", "warehouse-actions", "0", "0"]] {
        let (code, told) = refused(data.path(), &[&["epochs"], word].concat());
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains(&format!("process {} has it open", shop.pid())), "{told}");
        assert!(told.contains("stop that one first, say the word, and start it again"), "{told}");
    }
    // What can be seen without the log is told first.
    let (code, told) = refused(data.path(), &["epochs", "skip", "orders", "0", "0"]);
    assert_eq!(code, Some(2), "{told}");
}

#[test]
fn words_that_cannot_be_meant_are_refused_and_nothing_is_appended() {
    let data = stopped();
    let checkout = records(data.path(), Topic::CustomerActions).remove(0);
    let sold = checkout.partition.partition.to_string();
    let before = records(data.path(), Topic::Epochs).len();
    for (arguments, named) in [
        (["orders", "0", "0"], "`orders` is no topic of actions; those are customer-actions"),
        (["customer-actions", "16", "0"], "customer-actions has no partition 16; use 0 to 15"),
        (["customer-actions", &*sold, "1"], "no record of watermart.customer-actions"),
        (["customer-actions", &*sold, "x"], "OFFSET"),
        (["watermart.customer-actions", &*sold, "0"], "it cannot be skipped any more"),
    ] {
        let (code, told) = refused(data.path(), &[&["epochs", "skip"], &arguments[..]].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {told}");
        assert!(told.contains(named), "{arguments:?}: {told}");
    }
    assert_eq!(records(data.path(), Topic::Epochs).len(), before);
    let empty = TempDir::new().unwrap();
    let (code, told) = refused(empty.path(), &["epochs", "drain"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("holds no shop"), "{told}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn completion_knows_the_words_and_the_letters() {
    let data = TempDir::new().unwrap();
    let script = String::from_utf8(run(data.path(), &["completion", "bash"]).stdout).unwrap();
    for words in
        ["epochs,skip", "epochs,drain", "epochs,time", "dlq,list", "dlq,show", "dlq,replay"]
    {
        let [command, word] = words.split(',').collect::<Vec<_>>().try_into().unwrap();
        assert!(script.contains(&format!("watermart__subcmd__{command},{word})")), "{words}");
    }
}
