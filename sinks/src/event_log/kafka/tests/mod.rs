//! The adapter against real brokers (`compose/servers test`), and, where a real broker cannot be
//! made to fail as wanted, against the library's mock: what that shows is the adapter's conduct,
//! never a broker's.

mod faults;
mod foreign;
mod unsafe_topics;

use super::*;
use crate::clock::Clock;
use crate::event_log::{EventLog as _, NewRecord, ReadError, Record, conformance};
use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use schemas::topic::{Topic, TopicPartition};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const OPTIONS: Options = Options {
    connect_timeout: Duration::from_secs(30),
    single_broker: true,
    append_timeout: Some(Duration::from_secs(30)),
};
const AT: TopicPartition = conformance::QUIET;
/// How long anything may take here before it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// `host:port` of a broker that tests may fill.
pub(super) fn brokers() -> String {
    #[expect(clippy::disallowed_methods, reason = "the servers' script says where they are")]
    let brokers = std::env::var("WATERMART_TEST_KAFKA");
    brokers.expect("WATERMART_TEST_KAFKA names a broker: use compose/servers test")
}

/// A namespace that no other test has.
fn fresh() -> Cluster {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let (now, pid) = (Clock::system().now().0, std::process::id());
    format!("{}/test-{now}-{pid}-{count}", brokers()).parse().unwrap()
}

fn admin(cluster: &Cluster) -> AdminClient<DefaultClientContext> {
    settings::client(cluster).create().unwrap()
}

fn done<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn make_topic(cluster: &Cluster, topic: Topic, partitions: i32, settings: &[(&str, &str)]) {
    let name = cluster.topic(topic);
    let new = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for made in done(admin(cluster).create_topics(&[new], &options)).unwrap() {
        made.unwrap();
    }
}

fn record(value: &str) -> NewRecord {
    let value = Bytes::copy_from_slice(value.as_bytes());
    NewRecord { partition: AT, key: Bytes::from_static(b"key"), value, output_id: None }
}

/// Reads from `offset` to the end as it is now.
fn read_to_end(log: &KafkaLog, offset: u64) -> Result<Vec<Record>, ReadError> {
    let end = log.ends(&[AT])?[0];
    let mut reader = log.reader(&[(AT, offset)])?;
    let mut records = Vec::new();
    let clock = Clock::system();
    while reader.position(AT) < end {
        reader.read(1 << 20, &mut records)?;
        reader.wait(Duration::from_millis(10));
        assert!(clock.elapsed() < PATIENCE, "at {} of {end}", reader.position(AT));
    }
    Ok(records)
}

fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn it_keeps_the_contract() {
    let cluster = fresh();
    conformance::check_all(&mut || Arc::new(KafkaLog::open(&cluster, OPTIONS).unwrap()));
}

/// `.cargo/config.toml` says how the library is built, and a build that did not read it would not
/// be seen otherwise.
#[test]
fn the_library_is_built_with_zeroed_memory() {
    // Not `include_str!`: then the marker would be there in any case.
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/librdkafka/zeroed-malloc.h");
    let header = std::fs::read_to_string(header).unwrap();
    let marker = header.split('"').nth(1).unwrap().as_bytes();
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(program.windows(marker.len()).any(|window| window == marker), "decision 9");
}
