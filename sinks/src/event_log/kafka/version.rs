//! Which release a broker is, of which the client library says nothing: asked with one request of
//! the protocol, `ApiVersions`, whose answer carries the levels of the cluster's metadata that the
//! broker knows and the one that is in force. Each release has levels of its own.
//!
//! The answer may be anything: it is bounded in bytes and time, and read without trust.

use super::api_versions::{Features, features, request};
use crate::clock::Clock;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// A real answer has about two kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The first metadata level of each release, oldest first.
const RELEASES: [(i16, &str); 12] = [
    (7, "3.3"),
    (8, "3.4"),
    (9, "3.5"),
    (12, "3.6"),
    (15, "3.7"),
    (20, "3.8"),
    (21, "3.9"),
    (22, "4.0"),
    (26, "4.1"),
    (28, "4.2"),
    (30, "4.3"),
    (31, "4.4"),
];

/// Metadata levels of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The newest that the broker knows: its release.
    pub known: i16,
    /// The one that the cluster uses, if it says so.
    pub in_force: Option<i16>,
}

/// Why a broker's release is not known.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// It could not be asked, or did not answer in time.
    #[error("{address} did not answer: {source}")]
    Silent {
        /// The broker.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// It answered something else.
    #[error("{address} does not say which release it is: {detail}")]
    Unclear {
        /// The broker.
        address: String,
        /// What is wrong with the answer.
        detail: &'static str,
    },
}

/// Asks the broker at `host:port`. Blocks for about `timeout` at most.
///
/// # Errors
/// [`VersionError`].
pub fn ask(address: &str, timeout: Duration) -> Result<Version, VersionError> {
    let silent = |source| VersionError::Silent { address: address.to_owned(), source };
    let unclear = |detail| VersionError::Unclear { address: address.to_owned(), detail };
    let answer = exchange(address, timeout).map_err(silent)?;
    let Features { known, in_force } = features(&answer).map_err(unclear)?;
    let known = known.ok_or_else(|| unclear("it knows no metadata level"))?;
    Ok(Version { known, in_force })
}

/// The release that a metadata level belongs to.
fn release(level: i16) -> &'static str {
    let of_level = RELEASES.iter().rev().find(|(first, _)| *first <= level);
    of_level.map_or("before 3.3", |(_, release)| release)
}

impl fmt::Display for Version {
    /// `4.3 (metadata.version 30)`, and what is in force where that is older.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let newest = RELEASES[RELEASES.len() - 1].0;
        let or_later = if self.known > newest { " or later" } else { "" };
        write!(f, "{}{or_later} (metadata.version {}", release(self.known), self.known)?;
        match self.in_force {
            Some(level) if level != self.known => {
                write!(f, "; in force is {level} of {})", release(level))
            }
            Some(_) | None => f.write_str(")"),
        }
    }
}

/// Sends the request; gives the answer behind its length.
fn exchange(address: &str, timeout: Duration) -> io::Result<Vec<u8>> {
    let clock = Clock::system();
    let left = || {
        let left = timeout.checked_sub(clock.elapsed()).filter(|left| !left.is_zero());
        left.ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut))
    };
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, left()?) {
            Ok(mut stream) => {
                stream.set_write_timeout(Some(left()?))?;
                stream.write_all(&request())?;
                let mut length = [0; 4];
                read(&mut stream, &mut length, &left)?;
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if length > ANSWER_BYTES_MAX {
                    let detail = format!("an answer of {length} bytes is none of this protocol");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
                }
                let mut answer = vec![0; length];
                read(&mut stream, &mut answer, &left)?;
                return Ok(answer);
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Fills `bytes`, however slowly they come, within the time that is left.
fn read(
    stream: &mut TcpStream,
    mut bytes: &mut [u8],
    left: &impl Fn() -> io::Result<Duration>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_read_timeout(Some(left()?))?;
        let taken = match stream.read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes = &mut bytes[taken..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_log::kafka::api_versions::tests::honest;
    use std::net::TcpListener;
    use std::thread;

    /// Gives whoever asks these bytes, and closes.
    fn broker_that_sends(bytes: Vec<u8>) -> (String, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; request().len()];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&bytes).unwrap();
        });
        (address, serve)
    }

    fn framed(answer: &[u8]) -> Vec<u8> {
        [&u32::try_from(answer.len()).unwrap().to_be_bytes()[..], answer].concat()
    }

    fn asked(bytes: Vec<u8>) -> Result<Version, String> {
        let (address, serve) = broker_that_sends(bytes);
        let outcome = ask(&address, Duration::from_secs(10));
        serve.join().unwrap();
        outcome.map_err(|error| error.to_string().replace(&address, "it"))
    }

    #[test]
    fn the_levels_tell_the_release() {
        let version = asked(framed(&honest())).unwrap();
        assert_eq!(version, Version { known: 30, in_force: Some(29) });
        assert_eq!(version.to_string(), "4.3 (metadata.version 30; in force is 29 of 4.2)");
        for (known, text) in [
            (6, "before 3.3 (metadata.version 6)"),
            (25, "4.0 (metadata.version 25)"),
            (31, "4.4 (metadata.version 31)"),
            (99, "4.4 or later (metadata.version 99)"),
        ] {
            assert_eq!(Version { known, in_force: Some(known) }.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_answer_is_told_as_such() {
        let mut another = honest();
        another[3] = 2;
        let mut refused = honest();
        refused[5] = 35;
        for (bytes, expected) in [
            (Vec::new(), "it did not answer: "),
            (vec![0, 0], "it did not answer: "),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "bytes is none of this protocol"),
            (vec![0xff; 64], "an answer of 4294967295 bytes is none of this protocol"),
            (framed(&[]), "its answer breaks off"),
            (framed(&[0; 4096]), "it answers another question"),
            (framed(&another), "it answers another question"),
            (framed(&refused), "it does not know the question"),
            (framed(&[0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]), "it knows no metadata level"),
            // Four thousand million requests are announced, and none comes.
            (framed(&[0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]), "its answer breaks off"),
            (
                framed(&[0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
                "its answer breaks off",
            ),
        ] {
            let outcome = asked(bytes.clone()).unwrap_err();
            assert!(outcome.contains(expected), "{bytes:?}: {outcome}");
        }
    }

    #[test]
    fn who_says_nothing_is_waited_for_no_longer_than_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let outcome = ask(&address, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(outcome, VersionError::Silent { .. }), "{outcome}");
        drop(listener);
        let outcome = ask(&address, Duration::from_secs(10)).unwrap_err();
        assert!(outcome.to_string().contains(&address), "{outcome}");
        let outcome = ask("no-port", Duration::from_secs(10)).unwrap_err();
        assert!(outcome.to_string().contains("no-port"), "{outcome}");
    }

    #[test]
    #[ignore = "needs servers: compose/servers test"]
    fn a_real_broker_says_which_release_it_is() {
        let brokers = crate::event_log::kafka::tests::brokers();
        let version = ask(brokers.split(',').next().unwrap(), Duration::from_secs(10)).unwrap();
        assert!(version.known >= 30 && version.in_force == Some(version.known), "{version:?}");
        assert!(version.to_string().starts_with("4.3 "), "{version}");
    }
}
