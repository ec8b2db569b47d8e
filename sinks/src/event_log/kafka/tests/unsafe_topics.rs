//! Topics that are not as they must be are refused, with the command that mends it.

use super::*;
use rdkafka::TopicPartitionList;

/// The settings of a topic that is safe, but for these.
fn settings_but(name: &str, value: &'static str) -> Vec<(&'static str, String)> {
    let mut settings = settings::topic(1).to_vec();
    settings.retain(|(setting, _)| *setting != name);
    let name = settings::topic(1).into_iter().find(|(setting, _)| *setting == name).unwrap().0;
    settings.push((name, value.to_owned()));
    settings
}

fn refused(cluster: &Cluster) -> String {
    KafkaLog::open(cluster, OPTIONS).map(drop).unwrap_err().to_string()
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn unsafe_settings_are_refused_by_name_and_mended_by_the_command() {
    for (name, value, wanted) in [
        ("cleanup.policy", "compact", "delete"),
        ("retention.ms", "1000", "-1"),
        ("retention.bytes", "1000", "-1"),
        ("message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("unclean.leader.election.enable", "true", "false"),
        ("max.message.bytes", "1000", "1114112"),
    ] {
        let cluster = fresh();
        let settings = settings_but(name, value);
        let settings: Vec<_> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
        make_topic(&cluster, Topic::Orders, 16, &settings);
        let said = refused(&cluster);
        let topic = cluster.topic(Topic::Orders);
        let mends = format!("--alter --topic {topic} --add-config {name}={wanted}");
        assert!(said.contains(&format!("{name} is {value}")), "{said}");
        assert!(said.contains(&mends), "{said}");
    }
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn another_partition_count_is_refused() {
    let cluster = fresh();
    let settings = settings::topic(1);
    let settings: Vec<_> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    make_topic(&cluster, Topic::CustomerActions, 12, &settings);
    let said = refused(&cluster);
    assert!(said.contains("it has 12 partitions and must have 16"), "{said}");
    let (_, _, flaws) = inspect(&cluster, OPTIONS).unwrap();
    assert_eq!(flaws.len(), 1, "{flaws:?}");
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn one_replica_is_taken_only_if_it_is_said() {
    let options = Options { single_broker: false, ..OPTIONS };
    let cluster = fresh();
    let said = KafkaLog::open(&cluster, options).map(drop).unwrap_err().to_string();
    assert!(said.contains("3 replicas") && said.contains("--single-broker"), "{said}");
    let (_, described, _) = inspect(&cluster, options).unwrap();
    assert!(described.iter().all(|topic| topic.found.is_none()), "nothing was made");

    let log = KafkaLog::open(&cluster, OPTIONS).unwrap();
    assert_eq!(log.replicas(), 1);
    let said = KafkaLog::open(&cluster, options).map(drop).unwrap_err().to_string();
    assert!(said.contains("it has 1 replicas and must have 3"), "{said}");
    let (brokers, described, flaws) = inspect(&cluster, OPTIONS).unwrap();
    assert_eq!((brokers, described.len(), flaws), (1, 8, Vec::new()));
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn reading_makes_no_topics() {
    let cluster = fresh();
    let said = KafkaLog::open_read_only(&cluster, OPTIONS).map(drop).unwrap_err().to_string();
    assert!(said.contains(&format!("has no topic {}", cluster.topic(Topic::Epochs))), "{said}");
    let log = KafkaLog::open(&cluster, OPTIONS).unwrap();
    assert!(log.append(vec![record("kept")]).wait()[0].is_ok());
    let reading = KafkaLog::open_read_only(&cluster, OPTIONS).unwrap();
    assert_eq!(values(&read_to_end(&reading, 0).unwrap()), ["kept"]);
    let refused = reading.append(vec![record("more")]).wait().remove(0).unwrap_err();
    assert!(matches!(refused, super::super::super::AppendError::NotAppended(_)), "{refused}");
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn what_is_not_on_the_log_is_said_never_read_from_elsewhere() {
    let cluster = fresh();
    let log = KafkaLog::open(&cluster, OPTIONS).unwrap();
    let batch = (0..10).map(|n| record(&n.to_string())).collect();
    assert!(log.append(batch).wait().iter().all(Result::is_ok));
    let beyond = read_to_end(&log, 11).unwrap_err();
    assert_eq!(beyond, ReadError::BeyondEnd { partition: AT, asked: 11, end: 10 });

    let mut until = TopicPartitionList::new();
    let topic = cluster.topic(AT.topic);
    until.add_partition_offset(&topic, AT.partition.into(), rdkafka::Offset::Offset(4)).unwrap();
    done(admin(&cluster).delete_records(&until, &AdminOptions::new())).unwrap();
    let below = read_to_end(&log, 3).unwrap_err();
    assert_eq!(below, ReadError::BelowStart { partition: AT, asked: 3, start: 4 });
    assert_eq!(values(&read_to_end(&log, 4).unwrap()), ["4", "5", "6", "7", "8", "9"]);
    conformance::start(&log);
}

#[test]
fn brokers_that_do_not_answer_are_named_in_time() {
    let cluster: Cluster = "127.0.0.1:1/none".parse().unwrap();
    let options = Options { connect_timeout: Duration::from_millis(500), ..OPTIONS };
    let said = KafkaLog::open(&cluster, options).map(drop).unwrap_err();
    assert!(matches!(said, OpenError::Unreachable { .. }), "{said}");
    let said = said.to_string();
    assert!(said.contains("kafka://127.0.0.1:1/none") && said.contains("refused"), "{said}");
}
