//! `watermart topics`: what stands on the log, as it is shown.

use crate::doctor::made;
use crate::servers;
use crate::shop::{Ask, Shop, basket, command, run};
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::json::to_json;
use schemas::topic::{Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, OutputId};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A shop that has sold this many baskets.
fn sold(baskets: usize) -> (Shop, TempDir) {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 1_000)]);
    let ask = |n| {
        let body = basket(&format!("C{n}"), "tok_silent", &[("P1", 1)]);
        Ask::post("/v1/checkouts", &format!("k{n}"), body).and_wait()
    };
    let answers = shop.ask_all((0..baskets).map(ask).collect());
    assert!(answers.iter().flatten().all(|answer| answer.status == 201));
    (shop, data)
}

/// What the command prints, a document a line.
fn lines(data: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = run(data, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn tail_shows_what_stands_on_a_topic_beside_a_running_shop_and_list_how_much() {
    let (shop, data) = sold(20);
    let shown = lines(data.path(), &["topics", "tail", "orders", "--json"]);
    let mut by_partition: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for line in &shown {
        by_partition.entry(line["partition"].as_u64().unwrap()).or_default().push(line);
    }
    for records in by_partition.values() {
        let offsets: Vec<_> = records.iter().map(|line| line["offset"].as_u64().unwrap()).collect();
        assert_eq!(offsets, (0..records.len() as u64).collect::<Vec<_>>());
        let ids = records.iter().map(|line| {
            let (epoch, n) = line["watermart_id"].as_str().unwrap().split_once('.').unwrap();
            (epoch.parse::<u64>().unwrap(), n.parse::<u64>().unwrap())
        });
        assert!(ids.clone().zip(ids.skip(1)).all(|(one, next)| one < next));
    }
    let requested = shown.iter().filter(|line| line["type"] == "OrderRequested");
    let mut customers: Vec<_> = requested
        .map(|line| {
            assert_eq!(line["topic"], "watermart.orders");
            assert_eq!(line["event"]["envelope"]["role"], "engine");
            assert!(line["event"]["order_id"].as_str().unwrap().starts_with("ord_"), "{line}");
            line["key"].as_str().unwrap()
        })
        .collect();
    customers.sort_unstable();
    let mut expected: Vec<_> = (0..20).map(|n| format!("C{n}")).collect();
    expected.sort_unstable();
    assert_eq!(customers, expected);

    let listed = lines(data.path(), &["topics", "list", "--json"]).remove(0);
    assert_eq!(listed["log"], "embedded:");
    let topics = listed["topics"].as_array().unwrap();
    assert_eq!(topics.len(), Topic::ALL.len());
    let orders = topics.iter().find(|topic| topic["topic"] == "watermart.orders").unwrap();
    for partition in orders["partitions"].as_array().unwrap() {
        let number = partition["partition"].as_u64().unwrap();
        let records = by_partition.get(&number).map_or(0, Vec::len);
        assert_eq!((&partition["start"], &partition["end"]), (&json!(0), &json!(records)));
    }
    assert_eq!(shop.stop(), Some(0));
}

#[test]
fn tail_begins_and_ends_where_it_is_told() {
    let (shop, data) = sold(20);
    // A shop that is killed may have decided what it has not published yet.
    assert_eq!(shop.stop(), Some(0));
    let tail = |more: &[&str]| {
        lines(data.path(), &[&["topics", "tail", "watermart.inventory", "--json"], more].concat())
    };
    let all = tail(&[]);
    // All of it lies where product P1 does, but for nothing.
    let partition = all[0]["partition"].to_string();
    assert!(all.len() > 20 && all.iter().all(|line| line["partition"] == all[0]["partition"]));
    assert_eq!(tail(&["--from", "7", "--count", "3"]), all[7..10]);
    assert_eq!(tail(&["--partition", &partition, "--from", "7"]), all[7..]);
    assert_eq!(tail(&["--from", &all.len().to_string()]), [json!(null); 0]);
    let text = run(data.path(), &["topics", "tail", "inventory", "--count", "1"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("watermart.inventory/{partition}@0")), "{text}");
}

#[test]
fn tail_follows_what_comes() {
    let (shop, data) = sold(1);
    let mut tail = command(data.path())
        .args(["topics", "tail", "customer-actions", "--follow", "--from", "1", "--count", "1"])
        .arg("--json")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let again = basket("C0", "tok_silent", &[("P1", 2)]);
    assert_eq!(shop.ask(Ask::post("/v1/checkouts", "again", again).and_wait()).status, 201);
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["offset"], &line["type"]), (&json!(1), &json!("CheckoutRequested")));
    assert!(tail.wait().unwrap().success());
}

#[test]
fn bytes_that_are_no_event_are_shown_and_are_no_failure() {
    let (shop, data) = sold(1);
    assert_eq!(shop.stop(), Some(0));
    let log =
        FileLog::open(&data.path().join("log"), Clock::system(), Durability::Durable).unwrap();
    let partition = TopicPartition { topic: Topic::WarehouseActions, partition: 3 };
    let [key, value] = [&b"W\xff"[..], b"\0\0\0\0\x01?"].map(Bytes::from_static);
    let record = NewRecord { partition, key, value, output_id: None };
    let end = log.ends(&[partition]).unwrap()[0];
    assert!(log.append(vec![record]).wait().iter().all(Result::is_ok));
    drop(log);
    let from = end.to_string();
    let shown = lines(
        data.path(),
        &["topics", "tail", "warehouse-actions", "--partition", "3", "--from", &from, "--json"],
    );
    let [line] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(
        (&line["type"], &line["event"], &line["key"]),
        (&Value::Null, &Value::Null, &json!("W\u{fffd}"))
    );
    assert_eq!(line["value_base64"], "AAAAAAE/");
    assert!(line["undecodable"].as_str().unwrap().starts_with("not a CheckoutRequested"), "{line}");
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    let (shop, data) = sold(1);
    drop(shop);
    for (arguments, named) in [
        (&["nothing"][..], "`nothing`; there are epochs, customer-actions"),
        (&["shop.orders"], "`shop.orders`"),
        (&["orders", "--partition", "16"], "--partition: orders has no partition 16; use 0 to 15"),
        (&["epochs", "--partition", "1"], "use 0 to 0"),
        (&["orders", "--from", "1000000"], "--from: nothing has the offset 1000000 yet"),
        (&["orders", "--from", "18446744073709551615"], "--from"),
        (&["orders", "--from", "18446744073709551616"], "--from"),
        (&["orders", "--count", "0"], "--count"),
        (&["orders", "--log-url", "http://h"], "--log-url"),
    ] {
        let output = run(data.path(), &[&["topics", "tail"], arguments].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(named), "{arguments:?}: {message}");
    }
    let empty = TempDir::new().unwrap();
    for list_or_tail in [&["topics", "list"][..], &["topics", "tail", "orders"]] {
        assert_eq!(run(empty.path(), list_or_tail).status.code(), Some(2));
    }
}

#[test]
fn who_stops_reading_ends_it_without_a_word() {
    let (shop, data) = sold(400);
    drop(shop);
    let mut tail = command(data.path())
        .args(["topics", "tail", "inventory", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More is to come than a pipe holds.
    let mut first = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut words = String::new();
    tail.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((tail.wait().unwrap().code(), words.as_str()), (Some(0), ""));
    assert!(first.contains("watermart.inventory"));
}

/// A record as another client shows it: partition, offset, time, key, header, value.
type Foreign = (u64, u64, i64, String, String, Vec<u8>);

/// What kcat reads of a topic, from its beginning to its end.
fn kcat(topic: &str) -> Vec<Foreign> {
    let format = "%p %o %T %h %K %S\n%k%s\n";
    let output = Command::new("kcat")
        .args(["-b", &servers::brokers(), "-C", "-q", "-e", "-o", "beginning", "-t", topic])
        .args(["-f", format])
        .output()
        .expect("kcat is there: compose/servers tools installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = &output.stdout[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let [partition, offset, time, header, key, value] =
            head.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (key, value): (usize, usize) = (key.parse().unwrap(), value.parse().unwrap());
        let body = &rest[end + 1..];
        records.push((
            partition.parse().unwrap(),
            offset.parse().unwrap(),
            time.parse().unwrap(),
            String::from_utf8(body[..key].to_vec()).unwrap(),
            header.to_owned(),
            body[key..key + value].to_vec(),
        ));
        rest = &body[key + value + 1..];
    }
    records.sort();
    records
}

/// Appends to the log what a shop has on one topic of its files.
fn copied(shop: &Path, topic: Topic, to: &dyn EventLog) -> usize {
    let log = FileLog::open_read_only(&shop.join("log")).unwrap();
    let from: Vec<_> = TopicPartition::all(topic).map(|at| (at, 0)).collect();
    let mut records = Vec::new();
    log.reader(&from).unwrap().read(usize::MAX, &mut records).unwrap();
    let copies = records.into_iter().map(|record| NewRecord {
        partition: record.partition,
        key: record.key,
        value: record.value,
        output_id: record.output_id,
    });
    let answers = to.append(copies.collect()).wait();
    assert!(answers.iter().all(Result::is_ok));
    answers.len()
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn kcat_shows_the_same_records() {
    let (shop, data) = sold(30);
    assert_eq!(shop.stop(), Some(0));
    let url = servers::log_url();
    let log = made(&url);
    let count = copied(data.path(), Topic::Orders, &log);
    let garbage = NewRecord {
        partition: TopicPartition { topic: Topic::Orders, partition: 15 },
        key: Bytes::from_static(b"C1"),
        value: Bytes::from_static(b"\0\0\0\0\xff\n \n"),
        output_id: Some(OutputId { epoch: 1_000_000, n: 7 }),
    };
    assert!(log.append(vec![garbage]).wait().iter().all(Result::is_ok));
    drop(log);

    let name = format!("{}.orders", url.rsplit('/').next().unwrap());
    let outside = ["--json", "--log-url", url.as_str()];
    let mut shown = lines(data.path(), &[&["topics", "tail", &name][..], &outside].concat());
    shown.sort_by_key(|line| (line["partition"].as_u64(), line["offset"].as_u64()));
    let codec = Codec::compiled();
    let foreign = kcat(&name);
    assert_eq!((shown.len(), foreign.len()), (count + 1, count + 1));
    for (line, (partition, offset, time, key, header, value)) in shown.iter().zip(foreign) {
        let mut expected = json!({
            "topic": name, "partition": partition, "offset": offset, "key": key,
            "appended_at": schemas::time::Timestamp(time).rfc3339(),
            "watermart_id": header.strip_prefix("watermart-id=").unwrap(),
        });
        if let Ok((envelope, event)) = codec.decode(&value) {
            expected["type"] = event.kind().name().into();
            expected["event"] = to_json(Some(&envelope), &event);
        } else {
            expected["type"] = Value::Null;
            expected["event"] = Value::Null;
            expected["undecodable"] = "unknown schema id 255".into();
            expected["value_base64"] = "AAAAAP8KIAo=".into();
        }
        assert_eq!(*line, expected);
    }

    let listed = lines(data.path(), &[&["topics", "list"][..], &outside].concat()).remove(0);
    let topics = listed["topics"].as_array().unwrap();
    let orders = topics.iter().find(|topic| topic["topic"] == *name).unwrap();
    assert_eq!(
        (&orders["replication"], orders["settings"]["retention.ms"].as_str()),
        (&json!(1), Some("-1"))
    );
    let ends =
        orders["partitions"].as_array().unwrap().iter().map(|at| at["end"].as_u64().unwrap());
    assert_eq!(ends.sum::<u64>(), u64::try_from(count + 1).unwrap());
}
