//! What the clients and the topics are set to, and why. Durations in milliseconds.

use super::Cluster;
use super::context::Context;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use schemas::limits::RECORD_BYTES_MAX;
use std::time::Duration;

/// Bytes of appends under way: what is beyond it is not appended, so memory stays bounded while
/// the brokers are away.
pub(super) const IN_FLIGHT_BYTES_MAX: usize = 64 << 20;
/// A record of the largest value, with its key, header and framing.
const MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX + (64 << 10);

/// Settings of a topic, as `(name, value)`, for this many replicas that must have each record.
pub(super) fn topic(in_sync: usize) -> [(&'static str, String); 7] {
    [
        // The log is the history: nothing is compacted away or dropped.
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        // Time is the log's: the broker says when a record was taken, whoever sent it.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        // A replica that missed acknowledged records must never lead: better none.
        ("unclean.leader.election.enable", "false".to_owned()),
        ("min.insync.replicas", in_sync.to_string()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
    ]
}

/// What all clients share.
pub(super) fn client(cluster: &Cluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &cluster.brokers);
    config.set("client.id", "watermart");
    // By default a client may sleep 10 s after the broker is back.
    config.set("reconnect.backoff.ms", "50");
    config.set("reconnect.backoff.max.ms", "500");
    // A host that vanished without a word is noticed; and small requests do not wait for others.
    config.set("socket.keepalive.enable", "true");
    config.set("socket.nagle.disable", "true");
    // A request that is not answered is sent anew on another connection. By default after 60 s.
    config.set("socket.timeout.ms", "10000");
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// The client that appends.
pub(super) fn producer(cluster: &Cluster, timeout: Option<Duration>) -> ClientConfig {
    let mut config = client(cluster);
    // Durable on all replicas in sync before it is acknowledged; sent again without doubles and
    // in order.
    config.set("acks", "all");
    config.set("enable.idempotence", "true");
    // 0: no end. The time counts from the call, queueing included.
    let timeout = timeout.map_or(0, |timeout| timeout.as_millis());
    config.set("message.timeout.ms", timeout.to_string());
    config.set("retry.backoff.ms", "20");
    config.set("retry.backoff.max.ms", "250");
    // What comes while earlier batches are under way shares the next one; nothing waits for more.
    // A decision waits for two appends, the action's and its plan's, and so twice for a linger:
    // docs/status.md has figures.
    config.set("linger.ms", "0");
    config.set("batch.size", "262144");
    config.set("compression.codec", "lz4");
    config.set("message.max.bytes", MESSAGE_BYTES_MAX.to_string());
    // Never the limit that is met: `IN_FLIGHT_BYTES_MAX` is, so that a batch is taken whole or not.
    config.set("queue.buffering.max.messages", "10000000");
    config.set("queue.buffering.max.kbytes", "1048576");
    config
}

/// A client that reads. It joins no group: positions belong to the plan.
pub(super) fn consumer(cluster: &Cluster) -> ClientConfig {
    let mut config = client(cluster);
    // The library wants a name to assign partitions by hand.
    config.set("group.id", "watermart-unused");
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    // An offset that is not there is an error. Any other value silently reads from elsewhere.
    config.set("auto.offset.reset", "error");
    // What a foreign transaction has not committed was not acknowledged to anyone.
    config.set("isolation.level", "read_committed");
    // A fetch at the end waits this long at the broker for a record; one that comes is sent at
    // once. Assigning and seeking wait behind it.
    config.set("fetch.wait.max.ms", "100");
    config.set("fetch.min.bytes", "1");
    config.set("fetch.error.backoff.ms", "50");
    // By default a reader whose queue was full pauses for a second.
    config.set("fetch.queue.backoff.ms", "5");
    // Bounds what is read ahead, which would be 64 MiB and 100,000 messages a reader.
    config.set("queued.max.messages.kbytes", "16384");
    config.set("queued.min.messages", "20000");
    config.set("check.crcs", "true");
    config
}

/// A client that asks for ends and assigns nothing: questions would queue behind a waiting fetch.
pub(super) fn asker(cluster: &Cluster) -> ClientConfig {
    let mut config = client(cluster);
    // An end behind an open transaction could not be reached.
    config.set("isolation.level", "read_committed");
    config
}

/// Creates a client, which fails only if the library refuses a setting.
pub(super) fn create<T: rdkafka::config::FromClientConfigAndContext<Context>>(
    config: &ClientConfig,
) -> Result<T, String> {
    config
        .create_with_context(Context::default())
        .map_err(|error| format!("could not start a client: {error}"))
}
