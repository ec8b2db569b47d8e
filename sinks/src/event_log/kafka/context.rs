//! What the library tells beside its answers: logged, and the last error kept.
//!
//! In an outage it says the same about once a second for as long as that lasts, several things in
//! turn. Each is a warning at once, and then at most once a minute, with how often it was said.

use crate::clock::Clock;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Long enough to read the other lines of a log, short enough to see that it still lasts.
const REPEATED_EVERY: Duration = Duration::from_secs(60);
/// Things that are remembered as said. More than brokers and kinds of trouble make.
const SAID_MAX: usize = 256;

/// A client's context.
pub(super) struct Context {
    last_error: Mutex<Option<String>>,
    clock: Clock,
    said: Mutex<Said>,
}

impl Default for Context {
    fn default() -> Self {
        Self { last_error: Mutex::default(), clock: Clock::system(), said: Mutex::default() }
    }
}

impl Context {
    /// The last thing that went wrong with a connection.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was said and not told since it was told last; none: it is not told now either.
    fn heard(&self, what: &str) -> Option<u64> {
        let now = self.clock.elapsed();
        self.said.lock().unwrap_or_else(PoisonError::into_inner).heard(what, now)
    }

    fn warn(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match self.heard(what_of_line(facility, message)) {
            None => tracing::debug!(facility, message, "kafka client"),
            Some(repeated) => {
                tracing::warn!(?level, facility, message, repeated, "kafka client");
            }
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // One a partition at each look while brokers come and go; and what comes as an error,
            // too.
            _ if ["METADATAUPDATE", "FAIL"].contains(&facility) => {
                tracing::debug!(facility, message, "kafka client");
            }
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => self.warn(level, facility, message),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, message, "kafka client");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka client"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // It follows the errors of each connection, and says less.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        match self.heard(what_of_error(reason)) {
            None => tracing::debug!(%error, reason, "kafka client"),
            Some(repeated) => tracing::warn!(%error, reason, repeated, "kafka client"),
        }
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(reason.to_owned());
    }
}

impl ConsumerContext for Context {}

/// What was said, and when it was told.
#[derive(Default)]
struct Said(HashMap<String, Telling>);

struct Telling {
    told: Duration,
    repeated: u64,
}

impl Said {
    fn heard(&mut self, what: &str, now: Duration) -> Option<u64> {
        if let Some(telling) = self.0.get_mut(what) {
            if now.saturating_sub(telling.told) < REPEATED_EVERY {
                telling.repeated += 1;
                return None;
            }
            telling.told = now;
            return Some(std::mem::take(&mut telling.repeated));
        }
        if self.0.len() == SAID_MAX {
            // At worst something is told too early.
            self.0.clear();
        }
        self.0.insert(what.to_owned(), Telling { told: now, repeated: 0 });
        Some(0)
    }
}

/// An error's reason without how long it took and how often it came, which stand in brackets
/// behind it.
fn what_of_error(reason: &str) -> &str {
    reason.split(" (after").next().unwrap_or(reason)
}

/// A line without its numbers. Of requests that timed out they differ each time, so there it is
/// the connection alone, which the line begins with: `[thrd:127.0.0.1:9092/1]: ..`.
fn what_of_line<'a>(facility: &str, message: &'a str) -> &'a str {
    match facility {
        "REQTMOUT" => message.split("]:").next().unwrap_or(message),
        _ => what_of_error(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: [&str; 2] = [
        "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms \
         in state CONNECT)",
        "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 1ms \
         in state CONNECT, 30 identical error(s) suppressed)",
    ];
    const TIMED_OUT: [&str; 2] = [
        "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Timed out ProduceRequest in flight (after \
         2003ms, timeout #0)",
        "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Timed out 3 in-flight, 0 retry-queued, 0 \
         out-queue, 0 partially-sent requests",
    ];

    #[test]
    fn an_outage_is_told_at_once_and_then_once_a_minute() {
        let mut said = Said::default();
        let mut told = Vec::new();
        for second in 0..150 {
            for (kind, what) in [
                what_of_error(OUTAGE[second % 2]),
                what_of_line("REQTMOUT", TIMED_OUT[second % 2]),
                what_of_line("REQTMOUT", "[thrd:127.0.0.1:9093/2]: another broker"),
            ]
            .into_iter()
            .enumerate()
            {
                let now = Duration::from_secs(second as u64);
                told.extend(said.heard(what, now).map(|repeated| (second, kind, repeated)));
            }
        }
        let expected: Vec<_> = [(0, 0), (60, 59), (120, 59)]
            .into_iter()
            .flat_map(|(second, repeated)| [0, 1, 2].map(|kind| (second, kind, repeated)))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn other_warnings_are_told_each() {
        let mut said = Said::default();
        let now = Duration::ZERO;
        let lines = ["[thrd:app]: one property is deprecated", "[thrd:app]: another is, too"];
        for line in lines {
            assert_eq!(said.heard(what_of_line("CONFWARN", line), now), Some(0));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut said = Said::default();
        for n in 0..10 * SAID_MAX {
            assert_eq!(said.heard(&n.to_string(), Duration::ZERO), Some(0));
            assert!(said.0.len() <= SAID_MAX);
        }
    }
}
