//! Dead letters as they stand on the log, and the records that they are about.

use crate::dlq::arguments;
use crate::exit::Failure;
use crate::log::{record_at, unread};
use crate::topics::log::OpenLog;
use schemas::events::Event;
use schemas::events::dead_letters::{DeadLetter, DeadLetterCause};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::event_log::{OutputId, ReadError, Record};
use sinks::schema_registry::Schemas;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;
/// How long it is waited at once for what stands on the log already.
const WAIT: Duration = Duration::from_millis(100);

/// A dead letter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Letter {
    /// The partition of the topic of dead letters.
    pub(super) partition: u16,
    /// Its offset there.
    pub(super) offset: u64,
    /// When it was written.
    pub(super) written_at: Timestamp,
    /// What it says.
    pub(super) says: DeadLetter,
}

/// The newest of the letters, by the time at which they were written, and how many there are.
pub(super) struct Newest {
    /// The newest last.
    pub(super) letters: Vec<Letter>,
    /// Of all.
    pub(super) total: u64,
}

impl Letter {
    fn of(record: &Record, schemas: &Schemas) -> Result<Self, String> {
        let (_, event) = schemas.decode(&record.value).map_err(|error| error.to_string())?;
        let Event::DeadLetter(says) = event else {
            return Err(format!("a {} is no dead letter", event.kind().name()));
        };
        let (partition, offset) = (record.partition.partition, record.offset);
        Ok(Self { partition, offset, written_at: record.appended_at, says })
    }

    /// Reads the one that is meant.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn read(
        log: &OpenLog,
        schemas: &Schemas,
        meant: &arguments::Letter,
    ) -> Result<Self, Failure> {
        let (topic, partition, offset) = (Topic::DeadLetters, meant.partition, meant.offset);
        let name = log.name(topic);
        if partition >= topic.partitions() {
            let last = topic.partitions() - 1;
            let detail = format!("{name} has no partition {partition}; use 0 to {last}");
            return Err(Failure::Usage(detail));
        }
        let record = record_at(&*log.log, TopicPartition { topic, partition }, offset)
            .map_err(|error| unread(&error))?
            .ok_or_else(|| {
                let detail = "has no such letter; `watermart dlq list` shows them";
                Failure::Usage(format!("{name}/{partition}@{offset}: the topic {detail}"))
            })?;
        Self::of(&record, schemas)
            .map_err(|error| Failure::Damaged(format!("{name}/{partition}@{offset}: {error}")))
    }

    /// Where the record stands that it is about.
    pub(super) fn place(&self) -> Option<TopicPartition> {
        let topic = Topic::from_number(self.says.topic)?;
        Some(TopicPartition { topic, partition: self.says.partition })
    }

    /// The record that it is about; none: it is not kept any more.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn record(&self, log: &OpenLog) -> Result<Option<Record>, Failure> {
        let Some(at) = self.place() else { return Ok(None) };
        match record_at(&*log.log, at, self.says.offset) {
            Ok(record) => Ok(record),
            Err(ReadError::BelowStart { .. }) => Ok(None),
            Err(
                error @ (ReadError::BeyondEnd { .. }
                | ReadError::Damaged { .. }
                | ReadError::Unavailable(_)),
            ) => Err(unread(&error)),
        }
    }

    /// Where its record stands, in words.
    pub(super) fn record_place(&self, log: &OpenLog) -> String {
        let topic = Topic::from_number(self.says.topic);
        let name = topic.map_or_else(|| self.says.topic.to_string(), |topic| log.name(topic));
        format!("{name}/{}@{}", self.says.partition, self.says.offset)
    }

    /// For a program.
    pub(super) fn as_json(&self, log: &OpenLog) -> Value {
        let says = &self.says;
        let name = Topic::from_number(says.topic).map(|topic| log.name(topic));
        json!({
            "partition": self.partition, "offset": self.offset,
            "written_at": self.written_at.rfc3339(),
            "cause": cause(says.cause), "detail": says.detail,
            "record": {
                "topic": name, "partition": says.partition, "offset": says.offset,
                "appended_at": says.appended_at.rfc3339(),
            },
        })
    }

    /// For a person, in a line.
    pub(super) fn as_text(&self, log: &OpenLog) -> String {
        let Self { partition, offset, written_at, says } = self;
        let place = format!("{partition} {offset}");
        let (at, why, record) = (written_at.rfc3339(), cause(says.cause), self.record_place(log));
        format!("{at}  {place:<12} {why:<16} {record:<40} {}", says.detail)
    }
}

/// As the schema names it.
pub(super) const fn cause(cause: DeadLetterCause) -> &'static str {
    match cause {
        DeadLetterCause::Undecodable => "undecodable",
        DeadLetterCause::WrongPartition => "wrong_partition",
        DeadLetterCause::WrongTopic => "wrong_topic",
        DeadLetterCause::Skipped => "skipped",
    }
}

impl Newest {
    /// Reads all letters that stand on the log now, and keeps so many.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn read(log: &OpenLog, schemas: &Schemas, limit: usize) -> Result<Self, Failure> {
        let partitions: Vec<_> = TopicPartition::all(Topic::DeadLetters).collect();
        let ends = log.log.ends(&partitions).map_err(|error| unread(&error))?;
        let from: Vec<_> = partitions.iter().copied().zip(log.starts(&partitions)?).collect();
        let mut reader = log.log.reader(&from).map_err(|error| unread(&error))?;
        let mut seen: HashMap<TopicPartition, OutputId> = HashMap::new();
        let (mut newest, mut total) = (BTreeMap::new(), 0);
        let mut records = Vec::new();
        while partitions.iter().zip(&ends).any(|(at, end)| reader.position(*at) < *end) {
            reader.read(READ_BYTES, &mut records).map_err(|error| unread(&error))?;
            if records.is_empty() {
                reader.wait(WAIT);
            }
            for record in records.drain(..) {
                // The contract of output topics: what is not newer was there before.
                let Some(id) = record.output_id else { continue };
                if seen.get(&record.partition).is_some_and(|seen| id <= *seen) {
                    continue;
                }
                seen.insert(record.partition, id);
                let letter = match Letter::of(&record, schemas) {
                    Ok(letter) => letter,
                    Err(error) => {
                        let at = record.partition;
                        tracing::warn!(%at, offset = record.offset, error, "left out");
                        continue;
                    }
                };
                total += 1;
                newest.insert((letter.written_at, letter.partition, letter.offset), letter);
                if newest.len() > limit {
                    newest.pop_first();
                }
            }
        }
        Ok(Self { letters: newest.into_values().collect(), total })
    }
}
