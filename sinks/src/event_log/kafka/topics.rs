//! The shop's topics: made as they must be, and refused if they are not, with the command that
//! mends it.

use super::context::Context;
use super::ends::Ends;
use super::{Cluster, OpenError, settings};
use crate::clock::Clock;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::{Metadata, MetadataTopic};
use schemas::topic::{Topic, TopicPartition};
use std::time::Duration;

/// Replicas of each record, unless one broker is all there is.
const REPLICAS: usize = 3;
/// How many of them must have it before it is acknowledged.
const IN_SYNC: usize = 2;
/// How long the brokers may take for what is asked of them.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What is wrong with a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its name there.
    pub topic: String,
    /// What is wrong, and what mends it.
    pub detail: String,
}

/// A topic as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Which.
    pub topic: Topic,
    /// Its name there.
    pub name: String,
    /// None: it is not there.
    pub found: Option<Found>,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Partitions.
    pub partitions: usize,
    /// Replicas of its partition that has the fewest.
    pub replicas: usize,
    /// The settings that matter, as `(name, value)`.
    pub settings: Vec<(String, String)>,
}

/// The brokers, asked.
pub(super) struct Topics<'a> {
    cluster: &'a Cluster,
    ends: &'a Ends,
    timeout: Duration,
}

impl<'a> Topics<'a> {
    pub(super) fn new(cluster: &'a Cluster, ends: &'a Ends, timeout: Duration) -> Self {
        Self { cluster, ends, timeout }
    }

    /// Brokers that can be reached now, and the topics as they are.
    pub(super) fn describe(&self) -> Result<(usize, Vec<Described>), OpenError> {
        let metadata = self.metadata()?;
        let there = |topic: Topic| {
            let name = self.cluster.topic(topic);
            let found = metadata.topics().iter().find(|found| found.name() == name);
            (topic, name, found.filter(|found| found.error().is_none()))
        };
        let topics: Vec<_> = Topic::ALL.into_iter().map(there).collect();
        let names: Vec<_> =
            topics.iter().filter_map(|(_, name, found)| found.map(|_| name.as_str())).collect();
        let mut configs = self.configs(&names)?.into_iter();
        let described = topics.iter().map(|(topic, name, metadata)| Described {
            topic: *topic,
            name: name.clone(),
            found: metadata.and_then(|found| Some(describe(found, &configs.next()?))),
        });
        let described = described.collect();
        Ok((metadata.brokers().len(), described))
    }

    /// Makes the topics that are not there, and refuses those that are unsafe.
    pub(super) fn ensure(&self, single_broker: bool) -> Result<usize, OpenError> {
        let (brokers, described) = self.describe()?;
        self.refuse_flaws(&described, single_broker)?;
        let missing: Vec<_> = described.iter().filter(|topic| topic.found.is_none()).collect();
        if !missing.is_empty() {
            self.make(&missing, brokers, single_broker)?;
            self.wait_for_leaders(single_broker)?;
        }
        self.check(single_broker)
    }

    /// Refuses topics that are not there or unsafe; gives the least number of replicas.
    pub(super) fn check(&self, single_broker: bool) -> Result<usize, OpenError> {
        let (_, described) = self.describe()?;
        self.refuse_flaws(&described, single_broker)?;
        let replicas = described.iter().map(|topic| match &topic.found {
            Some(found) => Ok(found.replicas),
            None => {
                let (cluster, topic) = (self.cluster.to_string(), topic.name.clone());
                Err(OpenError::Missing { cluster, topic })
            }
        });
        Ok(replicas.collect::<Result<Vec<_>, _>>()?.into_iter().min().unwrap_or(0))
    }

    fn refuse_flaws(&self, described: &[Described], single_broker: bool) -> Result<(), OpenError> {
        let mut flaws = described.iter().flat_map(|t| flaws(self.cluster, t, single_broker));
        flaws
            .next()
            .map_or(Ok(()), |Flaw { topic, detail }| Err(OpenError::Unsafe { topic, detail }))
    }

    fn metadata(&self) -> Result<Metadata, OpenError> {
        self.ends.client().fetch_metadata(None, self.timeout).map_err(|error| {
            self.unreachable(self.ends.last_error().unwrap_or_else(|| error.to_string()))
        })
    }

    fn unreachable(&self, detail: String) -> OpenError {
        OpenError::Unreachable { cluster: self.cluster.to_string(), detail }
    }

    fn admin(
        &self,
    ) -> Result<(AdminClient<Context>, AdminOptions, tokio::runtime::Runtime), OpenError> {
        let unreachable = |error: &dyn std::error::Error| self.unreachable(error.to_string());
        let config = settings::client(self.cluster);
        let client = AdminClient::from_config_and_context(&config, Context::default())
            .map_err(|error| unreachable(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| unreachable(&error))?;
        let options = AdminOptions::new()
            .request_timeout(Some(ADMIN_TIMEOUT))
            .operation_timeout(Some(ADMIN_TIMEOUT));
        Ok((client, options, runtime))
    }

    fn configs(&self, names: &[&str]) -> Result<Vec<ConfigResource>, OpenError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (client, options, runtime) = self.admin()?;
        let asked: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let described = runtime
            .block_on(client.describe_configs(&asked, &options))
            .map_err(|error| self.unreachable(error.to_string()))?;
        let refused = |code: RDKafkaErrorCode| self.unreachable(format!("settings: {code}"));
        described.into_iter().map(|resource| resource.map_err(refused)).collect()
    }

    fn make(
        &self,
        missing: &[&Described],
        brokers: usize,
        single_broker: bool,
    ) -> Result<(), OpenError> {
        let (replicas, in_sync) = if single_broker { (1, 1) } else { (REPLICAS, IN_SYNC) };
        if brokers < replicas {
            return Err(OpenError::Unsafe {
                topic: missing[0].name.clone(),
                detail: format!(
                    "it is to be made with {replicas} replicas, and only {brokers} of the brokers \
                     can be reached; start the others, or say --single-broker where what is \
                     acknowledged may be lost with its broker"
                ),
            });
        }
        let settings = settings::topic(in_sync);
        let topics = missing.iter().map(|topic| {
            let partitions = topic.topic.partitions().into();
            let replication = TopicReplication::Fixed(i32::try_from(replicas).unwrap_or(i32::MAX));
            let new = NewTopic::new(&topic.name, partitions, replication);
            settings.iter().fold(new, |new, (name, value)| new.set(name, value))
        });
        let topics: Vec<_> = topics.collect();
        let (client, options, runtime) = self.admin()?;
        let made = runtime
            .block_on(client.create_topics(&topics, &options))
            .map_err(|error| self.unreachable(error.to_string()))?;
        for outcome in made {
            match outcome {
                // Another process may have been quicker.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let detail = format!("it could not be made: {code}");
                    return Err(OpenError::Unsafe { topic, detail });
                }
            }
        }
        Ok(())
    }

    /// New topics are not led at once, and nobody tells when they are: their ends are asked for
    /// until then.
    fn wait_for_leaders(&self, single_broker: bool) -> Result<(), OpenError> {
        let all: Vec<_> = Topic::ALL.into_iter().flat_map(TopicPartition::all).collect();
        let clock = Clock::system();
        loop {
            match self.ends.ends(&all) {
                Ok(_) => return Ok(()),
                Err(error) if clock.elapsed() > ADMIN_TIMEOUT => {
                    return Err(self.unreachable(error.to_string()));
                }
                // Another process may have made one otherwise.
                Err(_) => self.refuse_flaws(&self.describe()?.1, single_broker)?,
            }
        }
    }
}

fn describe(metadata: &MetadataTopic, config: &ConfigResource) -> Found {
    let partitions = metadata.partitions();
    let settings = settings::topic(IN_SYNC).into_iter().filter_map(|(name, _)| {
        let value = config.get(name)?.value.clone()?;
        Some((name.to_owned(), value))
    });
    Found {
        partitions: partitions.len(),
        replicas: partitions.iter().map(|p| p.replicas().len()).min().unwrap_or(0),
        settings: settings.collect(),
    }
}

/// What is unsafe about a topic that is there.
pub(super) fn flaws(cluster: &Cluster, topic: &Described, single_broker: bool) -> Vec<Flaw> {
    let Some(found) = &topic.found else { return Vec::new() };
    let mut flaws = Vec::new();
    let mut flaw = |detail| flaws.push(Flaw { topic: topic.name.clone(), detail });
    let partitions = usize::from(topic.topic.partitions());
    if found.partitions != partitions {
        flaw(format!(
            "it has {} partitions and must have {partitions}: keys would be on other partitions \
             than those they are looked for on; use another namespace, or, if nothing is lost by \
             it, `kafka-topics.sh --bootstrap-server {} --delete --topic {}`",
            found.partitions, cluster.brokers, topic.name
        ));
    }
    let replicas = if single_broker { 1 } else { REPLICAS };
    if found.replicas < replicas {
        flaw(format!(
            "it has {} replicas and must have {replicas}: raise it with \
             `kafka-reassign-partitions.sh --bootstrap-server {} ..`, or say --single-broker where \
             what is acknowledged may be lost with its broker",
            found.replicas, cluster.brokers
        ));
    }
    let in_sync = if single_broker && found.replicas < REPLICAS { 1 } else { IN_SYNC };
    for (name, wanted) in settings::topic(in_sync) {
        let value = found.settings.iter().find(|(found, _)| found == name).map(|(_, v)| v.as_str());
        if value.is_some_and(|value| is_enough(name, value, &wanted)) {
            continue;
        }
        let value = value.unwrap_or("unknown");
        flaw(format!(
            "{name} is {value} and must be {wanted}: `kafka-configs.sh --bootstrap-server {} \
             --alter --topic {} --add-config {name}={wanted}`",
            cluster.brokers, topic.name
        ));
    }
    flaws
}

/// Numbers may be larger than they must be; other settings are as they must be.
fn is_enough(name: &str, value: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    match name {
        "min.insync.replicas" | "max.message.bytes" => number(value) >= number(wanted),
        _ => value == wanted,
    }
}
