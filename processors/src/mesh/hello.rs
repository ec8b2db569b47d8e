//! What processes of a mesh say to each other before they are one: frames of a length and JSON, that
//! another build's can be read and named.

use super::Plan;
use machines::rules::Rules;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// No hello is longer: a stranger may say anything.
const FRAME_MAX: usize = 1 << 16;

/// Who asks, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    cluster: String,
    build: String,
    rules: u32,
    hosts: Vec<String>,
    workers: usize,
    /// Which of the hosts asks.
    pub(super) index: usize,
    /// What is asked for.
    pub(super) asks: Asks,
}

/// What a connection shall be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Asks {
    /// Of the head: to be told when all are there. It is the pulse afterwards.
    ToJoin,
    /// The pulse, in this run.
    Pulse(String),
    /// What timely sends, in this run.
    Data(String),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer<O> {
    /// Never, and why.
    Refused(String),
    /// Not in this moment.
    NotNow,
    /// These are not there yet.
    WaitsFor(Vec<String>),
    /// It is.
    Yes(O),
}

impl Hello {
    /// What this process says and expects to hear.
    pub(super) fn of(plan: &Plan) -> Self {
        let Plan { cluster, hosts, index, workers } = plan.clone();
        let build = env!("CARGO_PKG_VERSION").to_owned();
        Self {
            cluster,
            build,
            rules: Rules::NEWEST.version(),
            hosts,
            workers,
            index,
            asks: Asks::ToJoin,
        }
    }

    /// The same, asking for this.
    pub(super) fn asking(&self, asks: Asks) -> Self {
        Self { asks, ..self.clone() }
    }

    /// In what another differs so that it cannot be of this mesh; first what it is there.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("log", other.cluster.clone(), self.cluster.clone()),
            ("build", other.build.clone(), self.build.clone()),
            ("rules version", other.rules.to_string(), self.rules.to_string()),
            ("hosts", other.hosts.join(","), self.hosts.join(",")),
            ("workers", other.workers.to_string(), self.workers.to_string()),
        ];
        let differing = pairs.into_iter().find(|(_, theirs, ours)| theirs != ours);
        if let Some((what, theirs, ours)) = differing {
            return Some(format!("its {what} is {theirs}, here it is {ours}"));
        }
        let index = other.index;
        let is_another = index != self.index && index < self.hosts.len();
        (!is_another).then(|| format!("its host index is {index}, here it is {}", self.index))
    }
}

/// Writes a frame.
pub(super) fn say(mut to: impl Write, what: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(what)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes()[..], &body].concat())
}

/// Reads one.
pub(super) fn hear<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > FRAME_MAX {
        return Err(io::Error::other("this is no process of a mesh"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(index: usize) -> Plan {
        let hosts = ["h0:7000", "h1:7000"].map(str::to_owned).to_vec();
        Plan { cluster: "kafka/eu".to_owned(), hosts, index, workers: 2 }
    }

    #[test]
    fn what_differs_is_named() {
        let here = Hello::of(&plan(0));
        assert_eq!(here.differs(&Hello::of(&plan(1))), None);
        let check = |other: Plan, said: &str| {
            assert_eq!(here.differs(&Hello::of(&other)).as_deref(), Some(said));
        };
        check(plan(0), "its host index is 0, here it is 0");
        check(plan(2), "its host index is 2, here it is 0");
        check(
            Plan { cluster: "kafka/us".to_owned(), ..plan(1) },
            "its log is kafka/us, here it is kafka/eu",
        );
        check(Plan { workers: 3, ..plan(1) }, "its workers is 3, here it is 2");
        let mut hosts = plan(1).hosts;
        hosts.push("h2:7000".to_owned());
        check(
            Plan { hosts, ..plan(1) },
            "its hosts is h0:7000,h1:7000,h2:7000, here it is h0:7000,h1:7000",
        );
        let other = Hello { build: "0.0.1".to_owned(), ..Hello::of(&plan(1)) };
        let said = here.differs(&other).unwrap();
        assert!(said.starts_with("its build is 0.0.1, here it is "), "{said}");
    }

    #[test]
    fn frames_are_read_back_and_what_is_none_is_refused() {
        let hello = Hello::of(&plan(1)).asking(Asks::Data("r".to_owned()));
        let mut bytes = Vec::new();
        say(&mut bytes, &hello).unwrap();
        assert_eq!(hear::<Hello>(&bytes[..]).unwrap(), hello);
        for strange in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 2, b'h', b'i'], &bytes[..9]] {
            assert!(hear::<Hello>(strange).is_err());
        }
    }
}
