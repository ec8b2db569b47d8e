//! A registry that speaks the HTTP API of Confluent's: theirs, or one that answers like it.
//!
//! The body of a record is coded here, so only ids and the text of schemas are asked for.

use super::{RegistryError, SchemaRegistry, Version};
use reqwest::StatusCode;
use reqwest::blocking::Client;
use schema_registry_converter::blocking::schema_registry::{
    SrSettings, get_all_versions, get_schema_by_id, perform_sr_call, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{
    RawError, SchemaType, SrCall, SuppliedSchema,
};
use schemas::compiled;
use schemas::events::EventKind;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::time::Duration;

/// One call: longer than a busy registry takes, shorter than anybody wants to wait at a start.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const COMPATIBILITY: &str = "FULL_TRANSITIVE";
/// What a subject has of which nobody said anything, as some servers put it.
const UNSET: &str = "NONE";

/// A client of a registry.
pub struct ConfluentRegistry {
    settings: SrSettings,
    /// For what the other client has no call for: a subject's compatibility.
    client: Client,
    url: String,
    namespace: String,
}

#[derive(Serialize)]
struct Wanted {
    compatibility: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    compatibility_level: String,
}

impl ConfluentRegistry {
    /// A client of the registry at this address, for the shop of this namespace. Asks nothing yet.
    ///
    /// # Errors
    /// The system has no threads or sockets to give.
    pub fn new(url: &str, namespace: &str) -> Result<Self, RegistryError> {
        let settings = SrSettings::new_builder(url.to_owned())
            .no_proxy()
            .set_timeout(CALL_TIMEOUT)
            .build()
            .map_err(|error| RegistryError::Refused(error.to_string()))?;
        let client = Client::builder().no_proxy().timeout(CALL_TIMEOUT).build();
        let client = client.map_err(|error| RegistryError::Refused(told(&error)))?;
        let (url, namespace) = (url.to_owned(), namespace.to_owned());
        Ok(Self { settings, client, url, namespace })
    }

    fn subject(&self, kind: EventKind) -> String {
        let topic = kind.topic().suffix();
        format!("{}.{topic}-{}", self.namespace, compiled::full_name(kind))
    }

    /// Sees to it that the subject takes only what every version can read and be read by.
    fn restrict(&self, subject: &str) -> Result<(), RegistryError> {
        let found = self.compatibility(subject)?;
        match found.as_deref() {
            Some(COMPATIBILITY) => Ok(()),
            // Another process that starts may have been quicker: then it is set, and not by this.
            None | Some(UNSET) => self.set_compatibility(subject).or_else(|error| {
                let set = self.compatibility(subject)?;
                if set.as_deref() == Some(COMPATIBILITY) { Ok(()) } else { Err(error) }
            }),
            Some(other) => Err(RegistryError::Compatibility {
                url: self.url.clone(),
                subject: subject.to_owned(),
                found: other.to_owned(),
            }),
        }
    }

    fn compatibility(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let unavailable = |error| RegistryError::Unavailable(told(&error));
        let answer = self.client.get(self.config(subject)).send().map_err(unavailable)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(unavailable)?;
        let found: Found = answer.json().map_err(unavailable)?;
        Ok(Some(found.compatibility_level))
    }

    fn set_compatibility(&self, subject: &str) -> Result<(), RegistryError> {
        let wanted = Wanted { compatibility: COMPATIBILITY };
        let sent = self.client.put(self.config(subject)).json(&wanted).send();
        let answer = sent.and_then(reqwest::blocking::Response::error_for_status);
        answer.map(drop).map_err(|error| RegistryError::Unavailable(told(&error)))
    }

    fn config(&self, subject: &str) -> String {
        format!("{}/config/{subject}", self.url)
    }
}

impl SchemaRegistry for ConfluentRegistry {
    fn register(&self, kind: EventKind) -> Result<u32, RegistryError> {
        let subject = self.subject(kind);
        self.restrict(&subject)?;
        let (name, text) = (compiled::full_name(kind), compiled::schema(kind).to_owned());
        let schema = SuppliedSchema::new(Some(name), SchemaType::Avro, text);
        let registered = asked(|| post_schema(&self.settings, subject.clone(), schema.clone()));
        registered.map(|schema| schema.id).map_err(|error| match answer(&error) {
            Answer::Conflict(detail) => RegistryError::Incompatible { subject, detail },
            Answer::NotFound(detail) | Answer::Refused(detail) => {
                RegistryError::Refused(format!("{subject}: {detail}"))
            }
            Answer::None(detail) => RegistryError::Unavailable(detail),
        })
    }

    fn versions(&self, kind: EventKind) -> Result<Vec<Version>, RegistryError> {
        let subject = self.subject(kind);
        let mut versions = Vec::new();
        let numbers = found(asked(|| get_all_versions(&self.settings, subject.clone())))?;
        for number in numbers.unwrap_or_default() {
            let call = || SrCall::GetBySubjectAndVersion(&subject, number);
            // One that was deleted meanwhile is told by its id, if a record has it.
            let version = found(asked(|| perform_sr_call(&self.settings, call())))?;
            let version = version.and_then(|version| version.id.zip(version.schema));
            versions.extend(version.map(|(id, text)| Version { id, text }));
        }
        Ok(versions)
    }

    fn schema(&self, id: u32) -> Result<String, RegistryError> {
        let schema = found(asked(|| get_schema_by_id(id, &self.settings)))?;
        schema.map(|schema| schema.schema).ok_or(RegistryError::Unknown(id))
    }
}

/// What a call that failed was told.
enum Answer {
    NotFound(String),
    Conflict(String),
    Refused(String),
    /// Nothing that says anything of what was asked for.
    None(String),
}

/// The API's codes are an HTTP status, or one with two digits behind.
fn answer(error: &SRCError) -> Answer {
    let said = error.source().and_then(|source| source.downcast_ref::<RawError>());
    let Some(RawError { error_code, message, .. }) = said else {
        return Answer::None(told(error));
    };
    let status = if *error_code > 999 { error_code / 100 } else { *error_code };
    let message = message.clone();
    match status {
        404 => Answer::NotFound(message),
        409 => Answer::Conflict(message),
        400..=499 if status != 408 && status != 429 => Answer::Refused(message),
        _ => Answer::None(format!("{}: {message}", error.error)),
    }
}

/// Asks once more if there was no answer: a connection that was kept may be closed just then, and
/// each call may be made twice.
fn asked<T>(ask: impl Fn() -> Result<T, SRCError>) -> Result<T, SRCError> {
    ask().or_else(|error| match answer(&error) {
        Answer::None(detail) => {
            tracing::debug!(detail, "asking the registry once more");
            ask()
        }
        Answer::NotFound(_) | Answer::Conflict(_) | Answer::Refused(_) => Err(error),
    })
}

/// What was asked for; none if it is not there.
fn found<T>(asked: Result<T, SRCError>) -> Result<Option<T>, RegistryError> {
    asked.map(Some).or_else(|error| match answer(&error) {
        Answer::NotFound(_) => Ok(None),
        Answer::Conflict(detail) | Answer::Refused(detail) => Err(RegistryError::Refused(detail)),
        Answer::None(detail) => Err(RegistryError::Unavailable(detail)),
    })
}

/// The error and what it came from: the outermost alone names no cause.
fn told(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    #[test]
    fn a_connection_that_is_closed_without_an_answer_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            assert!(asked.any(|line| line.is_empty()), "the whole head");
            let body = r#"{"schema":"\"string\""}"#;
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                .unwrap();
        });
        let registry = ConfluentRegistry::new(&url, "shop").unwrap();
        assert_eq!(registry.schema(7).as_deref(), Ok("\"string\""));
        server.join().unwrap();
    }
}
