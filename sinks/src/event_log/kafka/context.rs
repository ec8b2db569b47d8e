//! What the library tells beside its answers: logged, and the last error kept.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Mutex, PoisonError};

/// A client's context.
#[derive(Default)]
pub(super) struct Context {
    last_error: Mutex<Option<String>>,
}

impl Context {
    /// The last thing that went wrong with a connection.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // It follows the errors of each connection, and says less.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        // An outage is told once, not at each attempt.
        if last.as_deref().map(what) == Some(what(reason)) {
            tracing::debug!(%error, reason, "kafka client");
        } else {
            tracing::warn!(%error, reason, "kafka client");
        }
        *last = Some(reason.to_owned());
    }
}

impl ConsumerContext for Context {}

/// An error's reason without how long it took, which stands in brackets behind it.
fn what(reason: &str) -> &str {
    reason.split(" (after").next().unwrap_or(reason)
}

/// Sends a line of the library's log on its way.
fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // One a partition at each look while brokers come and go; and what comes as an error, too.
        _ if ["METADATAUPDATE", "FAIL"].contains(&facility) => {
            tracing::debug!(facility, message, "kafka client")
        }
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka client"),
    }
}
