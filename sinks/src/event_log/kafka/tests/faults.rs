//! What the adapter says when brokers fail in ways that a real one cannot be made to.

use super::super::appends::Appends;
use super::super::ends::Ends;
use super::super::gaps;
use super::super::reader::KafkaReader;
use super::*;
use crate::event_log::{AppendError, BATCH_BYTES_MAX, Reader as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::pin::Pin;
use std::task::{Context, Waker};

/// Longer than a healthy append takes on a busy machine.
const SOON: Duration = Duration::from_secs(2);

/// A mock of one broker with the shop's topics, and appends to it.
struct Mock {
    mock: MockCluster<'static, DefaultProducerContext>,
    appends: Appends,
}

fn mock(timeout: Duration) -> Mock {
    let mock = MockCluster::new(1).unwrap();
    let cluster: Cluster = format!("{}/mock", mock.bootstrap_servers()).parse().unwrap();
    mock.create_topic(&cluster.topic(AT.topic), AT.topic.partitions().into(), 1).unwrap();
    Mock { mock, appends: Appends::open(&cluster, Some(timeout)).unwrap() }
}

fn answer(mock: &Mock, value: &str) -> Result<u64, AppendError> {
    let answer = mock.appends.append(&[record(value)]).wait().remove(0);
    answer.map(|appended| appended.offset)
}

#[test]
fn a_lost_acknowledgement_is_made_good_by_sending_again() {
    let mock = mock(PATIENCE);
    assert_eq!(answer(&mock, "first"), Ok(0));
    let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT;
    mock.mock.request_errors(RDKafkaApiKey::Produce, &[lost, lost]);
    assert_eq!(answer(&mock, "second"), Ok(1));
}

#[test]
fn what_no_broker_answers_for_is_unknown_and_later_appends_are_served() {
    let mock = mock(SOON);
    assert_eq!(answer(&mock, "first"), Ok(0));
    mock.mock.broker_down(1).unwrap();
    let unknown = answer(&mock, "lost?");
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    mock.mock.broker_up(1).unwrap();
    let clock = Clock::system();
    loop {
        match answer(&mock, "after") {
            Ok(offset) => return assert!(offset >= 1),
            Err(error) => assert!(clock.elapsed() < PATIENCE, "{error}"),
        }
    }
}

#[test]
fn what_would_wait_for_a_silent_partition_is_refused_alone() {
    let mock = mock(SOON);
    let other = TopicPartition { partition: AT.partition + 1, ..AT };
    assert_eq!(answer(&mock, "first"), Ok(0));
    mock.mock.broker_down(1).unwrap();
    assert!(matches!(answer(&mock, "lost?"), Err(AppendError::Unknown(_))));
    let tries = mock.appends.append(&[record("tries")]);
    let elsewhere = NewRecord { partition: other, ..record("elsewhere") };
    let both = mock.appends.append(&[record("refused"), elsewhere]);
    mock.mock.broker_up(1).unwrap();
    let answers = both.wait();
    assert!(matches!(answers[0], Err(AppendError::NotAppended(_))), "{answers:?}");
    assert!(matches!(answers[1], Ok(_) | Err(AppendError::Unknown(_))), "{answers:?}");
    assert_eq!(tries.wait().len(), 1);
}

#[test]
fn what_a_broker_refuses_is_not_appended() {
    let mock = mock(PATIENCE);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    mock.mock.request_errors(RDKafkaApiKey::Produce, &[refused]);
    let answer = answer(&mock, "not ours to write");
    assert!(matches!(answer, Err(AppendError::NotAppended(_))), "{answer:?}");
}

#[test]
fn a_producer_that_is_broken_for_good_is_replaced() {
    let mock = mock(PATIENCE);
    assert_eq!(answer(&mock, "first"), Ok(0));
    let fatal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    mock.mock.request_errors(RDKafkaApiKey::Produce, &[fatal]);
    let unknown = answer(&mock, "second");
    assert!(unknown.is_err(), "{unknown:?}");
    let clock = Clock::system();
    while let Err(error) = answer(&mock, "third") {
        assert!(clock.elapsed() < PATIENCE, "{error}");
    }
}

#[test]
fn memory_is_bounded_while_the_brokers_are_away() {
    let mock = mock(PATIENCE);
    assert_eq!(answer(&mock, "first"), Ok(0));
    mock.mock.broker_down(1).unwrap();
    let megabyte = NewRecord { value: Bytes::from(vec![0; 1 << 20]), ..record("") };
    let batch = vec![megabyte; (BATCH_BYTES_MAX >> 20) - 1];
    let taken = (0..100).map_while(|_| {
        let mut appending = mock.appends.append(&batch);
        let polled = Pin::new(&mut appending).poll(&mut Context::from_waker(Waker::noop()));
        polled.is_pending().then_some(())
    });
    let taken = taken.count();
    assert!((1..=settings::IN_FLIGHT_BYTES_MAX / BATCH_BYTES_MAX + 2).contains(&taken), "{taken}");
    let refused = mock.appends.append(&batch).wait().remove(0);
    assert!(matches!(refused, Err(AppendError::NotAppended(_))), "{refused:?}");
    mock.mock.broker_up(1).unwrap();
    let clock = Clock::system();
    while answer(&mock, "after").is_err() {
        assert!(clock.elapsed() < PATIENCE);
    }
}

#[test]
fn closing_answers_what_cannot_be_delivered() {
    let mock = mock(SOON);
    assert_eq!(answer(&mock, "first"), Ok(0));
    mock.mock.broker_down(1).unwrap();
    let appending = mock.appends.append(&[record("under way")]);
    mock.appends.close();
    let answer = appending.wait().remove(0);
    assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
    let refused = mock.appends.append(&[record("late")]).wait().remove(0);
    assert!(matches!(refused, Err(AppendError::NotAppended(_))), "{refused:?}");
}

/// A stop must not wait until a reader gives up.
#[test]
fn closing_ends_who_waits_for_what_does_not_come() {
    let mock = mock(PATIENCE);
    assert_eq!(answer(&mock, "there"), Ok(0));
    let away = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; 1_000];
    mock.mock.request_errors(RDKafkaApiKey::Fetch, &away);
    let cluster: Cluster = format!("{}/mock", mock.mock.bootstrap_servers()).parse().unwrap();
    let ends = Arc::new(Ends::connect(&cluster).unwrap());
    let mut reader = KafkaReader::open(&cluster, Arc::clone(&ends), &[(AT, 0)]).unwrap();
    let reading = std::thread::spawn(move || reader.read(1, &mut Vec::new()));
    ends.close();
    let closed = ReadError::Unavailable("the log is closed".to_owned());
    assert_eq!(reading.join().unwrap(), Err(closed));
}

#[test]
fn places_that_many_partitions_stand_at_are_looked_at_together() {
    let mock = MockCluster::new(1).unwrap();
    let cluster: Cluster = format!("{}/mock", mock.bootstrap_servers()).parse().unwrap();
    let topics = [Topic::CustomerActions, Topic::PaymentRequests];
    for topic in topics {
        mock.create_topic(&cluster.topic(topic), topic.partitions().into(), 1).unwrap();
    }
    let appends = Appends::open(&cluster, Some(PATIENCE)).unwrap();
    let there = TopicPartition { topic: Topic::PaymentRequests, partition: 3 };
    let appended = appends.append(&[NewRecord { partition: there, ..record("there") }]).wait();
    assert!(appended[0].is_ok());
    let all: Vec<_> = topics.into_iter().flat_map(TopicPartition::all).collect();
    let places: Vec<_> = all.iter().map(|at| (*at, 0)).collect();
    let mut ends = gaps::ends_among(&cluster, &places).unwrap();
    ends.sort_unstable();
    let empty: Vec<_> = all.into_iter().filter(|at| *at != there).collect();
    assert_eq!(ends, empty, "of the one that has a record, nothing is known to be passed");

    mock.broker_down(1).unwrap();
    let clock = Clock::system();
    assert_eq!(gaps::ends_among(&cluster, &places), Ok(Vec::new()));
    let took = clock.elapsed();
    assert!(took < 2 * gaps::LOOK_TIMEOUT, "{took:?} for {} partitions", places.len());
}
