//! Dead letters of a shop that runs on brokers, and a replay beside it.

use super::{Parts, load, log, stop_all};
use crate::shop::{command, run};
use bytes::Bytes;
use schemas::topic::{PARTITIONS, Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::event_log::kafka::{KafkaLog, Options};
use sinks::event_log::{EventLog, Location, NewRecord};
use std::path::Path;
use std::time::Duration;

fn append(url: &str, partition: TopicPartition, key: Bytes, value: Bytes) {
    let Ok(Location::Cluster(cluster)) = url.parse() else { panic!("{url}") };
    let connect_timeout = Duration::from_secs(30);
    let options = Options { connect_timeout, single_broker: true, append_timeout: None };
    let log = KafkaLog::open(&cluster, options).unwrap();
    let record = NewRecord { partition, key, value, output_id: None };
    assert!(log.append(vec![record]).wait().iter().all(Result::is_ok));
}

fn dlq(parts: &Parts, data: &Path, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let outside = ["--json", "--log-url", &parts.url, "--single-broker"];
    let output = run(data, &[&["dlq"], arguments, &outside].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), document, String::from_utf8(output.stderr).unwrap())
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn letters_are_listed_and_replayed_beside_a_running_shop() {
    let mut parts = Parts::new();
    let process = parts.start("process", &["--take-over"]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    load::fill(&parts, &way_in, &way_out);
    let log = log::open(&parts.url);
    let listed = log::records(&log, TopicPartition::all(Topic::ProductActions)).remove(0);
    let right = listed.partition;
    let wrong = TopicPartition { partition: (right.partition + 1) % PARTITIONS, ..right };
    append(&parts.url, wrong, listed.key.clone(), listed.value.clone());
    append(&parts.url, wrong, Bytes::new(), Bytes::from_static(b"\0\0\0\0\x01?"));
    let data = parts.dir();
    let follow = ["topics", "tail", "dead-letters", "--from", "0", "--follow", "--count", "2"];
    let tail = command(&data).args(follow).args(["--log-url", &parts.url]).output().unwrap();
    assert!(tail.status.success());

    let (code, letters, told) = dlq(&parts, &data, &["list"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(letters["total"], 2);
    let [first, second] = &letters["dead_letters"].as_array().unwrap()[..] else { panic!() };
    let causes = [json!("wrong_partition"), json!("undecodable")];
    assert_eq!([&first["cause"], &second["cause"]], [&causes[0], &causes[1]]);
    let name = |letter: &Value| ["partition", "offset"].map(|field| letter[field].to_string());
    let [partition, offset] = &name(second);
    let (code, _, told) = dlq(&parts, &data, &["replay", partition, offset]);
    assert_eq!(code, Some(1), "{told}");
    let [partition, offset] = &name(first);
    let end = log.ends(&[right]).unwrap()[0];
    let (code, dry, told) = dlq(&parts, &data, &["replay", partition, offset, "--dry-run"]);
    assert_eq!((code, &dry["to"]["offset"]), (Some(0), &Value::Null), "{told}");
    assert_eq!(log.ends(&[right]).unwrap(), [end]);
    let (code, done, told) = dlq(&parts, &data, &["replay", partition, offset]);
    assert_eq!(code, Some(0), "{told}");
    let to = json!({
        "topic": format!("{}.product-actions", parts.namespace()), "partition": right.partition,
        "offset": end,
    });
    assert_eq!(done["to"], to);
    let copy = log::records(&log, std::iter::once(right)).pop().unwrap();
    assert_eq!((copy.key, copy.value), (listed.key, listed.value));
    way_out.wait_epochs(2);
    stop_all([process, way_in]);
    parts.audited(&way_out.stop(), &[]);
}
