//! The address of a cluster and the names of the shop's topics there.

use schemas::topic::Topic;
use std::fmt;
use std::str::FromStr;

/// The first word of all names, if the URL has none.
pub(in crate::event_log) const NAMESPACE: &str = "watermart";
/// What a topic's name may have before its suffix, so that the whole is legal.
const NAMESPACE_CHARS_MAX: usize = 128;

/// Brokers, and the namespace of one shop on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `host:port` of at least one broker, comma-separated.
    pub brokers: String,
    /// The first word of topic and subject names, so that several shops share servers.
    pub namespace: String,
}

impl Cluster {
    /// What the topic is called there.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> String {
        topic.named(&self.namespace)
    }
}

impl FromStr for Cluster {
    type Err = String;

    /// Of `h1:9092,h2:9092/NAMESPACE`, the part of the URL behind its scheme.
    fn from_str(text: &str) -> Result<Self, String> {
        let (brokers, namespace) = text.split_once('/').unwrap_or((text, ""));
        let namespace = if namespace.is_empty() { NAMESPACE } else { namespace };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if namespace.len() > NAMESPACE_CHARS_MAX || !namespace.chars().all(legal) {
            return Err(format!(
                "the namespace `{namespace}` must be 1 to {NAMESPACE_CHARS_MAX} of A-Z a-z 0-9 . _ -"
            ));
        }
        for broker in brokers.split(',') {
            let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
                return Err(format!("`{broker}` is no broker; a broker is HOST:PORT"));
            }
        }
        Ok(Self { brokers: brokers.to_owned(), namespace: namespace.to_owned() })
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}", self.brokers, self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_brokers_and_perhaps_a_namespace() {
        let cluster: Cluster = "h1:9092,[::1]:9093/shop-2".parse().unwrap();
        assert_eq!(cluster.brokers, "h1:9092,[::1]:9093");
        assert_eq!(cluster.topic(Topic::Epochs), "shop-2.epochs");
        assert_eq!(cluster.to_string(), "kafka://h1:9092,[::1]:9093/shop-2");
        for default in ["h:1", "h:1/"] {
            let cluster: Cluster = default.parse().unwrap();
            assert_eq!(cluster.topic(Topic::Orders), "watermart.orders");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        let refused = |text: &str| text.parse::<Cluster>().unwrap_err();
        for broker in ["", "h", "h:", ":9092", "h:x", "h:70000", "h:0"] {
            assert!(refused(&format!("ok:1,{broker}/n")).contains(&format!("`{broker}`")));
        }
        for namespace in ["a b", "a/b", "ä", &"n".repeat(129)] {
            assert!(refused(&format!("h:1/{namespace}")).contains(namespace));
        }
    }
}
