//! Records that other programs wrote: in transactions, without keys, with odd headers.

use super::*;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

fn producer(cluster: &Cluster, transactional_id: Option<&str>) -> BaseProducer {
    let mut config: ClientConfig = settings::client(cluster);
    if let Some(id) = transactional_id {
        config.set("transactional.id", id);
    }
    config.create().unwrap()
}

fn send(producer: &BaseProducer, cluster: &Cluster, value: &str) {
    let topic = cluster.topic(AT.topic);
    let record = BaseRecord::<str, str>::to(&topic).partition(AT.partition.into()).payload(value);
    assert!(producer.send(record).is_ok());
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_gap_at_the_end_is_passed_and_what_was_aborted_is_not_read() {
    let cluster = fresh();
    let log = KafkaLog::open(&cluster, OPTIONS).unwrap();
    let mut tailing = log.reader(&[(AT, 0)]).unwrap();
    let mut seen = Vec::new();
    // The coordinator tells the partition of a transaction's end in its own time.
    let await_end = |end| {
        let clock = Clock::system();
        while log.ends(&[AT]).unwrap()[0] < end {
            assert!(clock.elapsed() < PATIENCE);
        }
    };
    let mut catch_up = |end| {
        await_end(end);
        let clock = Clock::system();
        while tailing.position(AT) < end {
            tailing.read(1 << 20, &mut seen).unwrap();
            tailing.wait(Duration::from_millis(10));
            assert!(clock.elapsed() < PATIENCE, "at {} of {end}", tailing.position(AT));
        }
        assert_eq!(log.ends(&[AT]).unwrap(), [end]);
        values(&seen)
    };
    assert!(log.append(vec![record("ours")]).wait()[0].is_ok());

    let foreign = producer(&cluster, Some(&format!("{}-tx", cluster.namespace)));
    foreign.init_transactions(PATIENCE).unwrap();
    foreign.begin_transaction().unwrap();
    send(&foreign, &cluster, "committed");
    foreign.commit_transaction(PATIENCE).unwrap();
    let behind_a_control_record = 3;
    assert_eq!(catch_up(behind_a_control_record), ["ours", "committed"]);

    foreign.begin_transaction().unwrap();
    send(&foreign, &cluster, "aborted");
    foreign.flush(PATIENCE).unwrap();
    foreign.abort_transaction(PATIENCE).unwrap();
    assert_eq!(catch_up(5), ["ours", "committed"]);

    let appended = log.append(vec![record("behind the gap")]).wait().remove(0).unwrap();
    assert_eq!(appended.offset, 5);
    assert_eq!(catch_up(6), ["ours", "committed", "behind the gap"]);
    assert_eq!(values(&read_to_end(&log, 0).unwrap()), ["ours", "committed", "behind the gap"]);
    assert_eq!(read_to_end(&log, 4).unwrap().len(), 1, "from within a gap");
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn an_open_transaction_holds_back_nothing_that_was_there_before() {
    let cluster = fresh();
    let log = KafkaLog::open(&cluster, OPTIONS).unwrap();
    assert!(log.append(vec![record("before")]).wait()[0].is_ok());
    let foreign = producer(&cluster, Some(&format!("{}-open", cluster.namespace)));
    foreign.init_transactions(PATIENCE).unwrap();
    foreign.begin_transaction().unwrap();
    send(&foreign, &cluster, "undecided");
    foreign.flush(PATIENCE).unwrap();
    assert!(log.append(vec![record("behind it")]).wait()[0].is_ok());
    assert_eq!(log.ends(&[AT]).unwrap(), [1], "what is undecided is not there yet");
    assert_eq!(values(&read_to_end(&log, 0).unwrap()), ["before"]);
    foreign.commit_transaction(PATIENCE).unwrap();
    let clock = Clock::system();
    // The coordinator tells the partition of the commit in its own time.
    while log.ends(&[AT]).unwrap()[0] < 4 {
        assert!(clock.elapsed() < PATIENCE);
    }
    let read = values(&read_to_end(&log, 0).unwrap());
    assert_eq!(read, ["before", "undecided", "behind it"]);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn whatever_others_write_is_read_as_it_is() {
    let cluster = fresh();
    let log = KafkaLog::open(&cluster, OPTIONS).unwrap();
    let foreign = producer(&cluster, None);
    let topic = cluster.topic(AT.topic);
    let base = || BaseRecord::<[u8], [u8]>::to(&topic).partition(AT.partition.into());
    let header = |value| {
        OwnedHeaders::new()
            .insert(Header { key: "trace", value: Some("x") })
            .insert(Header { key: appends::OUTPUT_ID, value })
    };
    assert!(foreign.send(base()).is_ok());
    assert!(foreign.send(base().key(&[0, 255]).payload(&[1]).timestamp(5)).is_ok());
    for id in [Some("7.3"), Some("7"), Some("-1.0"), Some("7.4294967296"), None] {
        assert!(foreign.send(base().payload(b"x").headers(header(id))).is_ok());
    }
    foreign.flush(PATIENCE).unwrap();
    let read = read_to_end(&log, 0).unwrap();
    assert_eq!((read[0].key.len(), read[0].value.len()), (0, 0));
    assert_eq!((&read[1].key[..], &read[1].value[..]), (&[0, 255][..], &[1][..]));
    assert!(read[1].appended_at.0 > 5, "the broker says when");
    let ids: Vec<_> = read[2..].iter().map(|record| record.output_id).collect();
    let id = super::super::super::OutputId { epoch: 7, n: 3 };
    assert_eq!(ids, [Some(id), None, None, None, None]);
}
