//! The plan topic as who says a word sees it: read to its end, added to, and read back.

use crate::cli::{Global, Outside};
use crate::exit::Failure;
use crate::log::{self, LogSource};
use crate::parts::{self, Opened};
use crate::stdout::{Ended, Lines};
use crate::{engine, topics};
use bytes::Bytes;
use processors::eras;
use processors::plan_history::PlanHistory;
use schemas::codec::Codec;
use schemas::events::Event;
use schemas::json::to_json;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::event_log::{AppendError, EventLog, Location, NewRecord};
use std::sync::Arc;

const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };

/// The plan topic, to be read and written.
pub(super) struct PlanTopic {
    pub(super) log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    at: Location,
    /// What stands there, as far as it was read.
    pub(super) history: PlanHistory,
    /// This machine's wall clock.
    pub(super) now: Timestamp,
}

/// A word that the log took.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    topic: String,
    offset: u64,
    word: &'static str,
    event: Value,
    /// What comes of it.
    effect: String,
}

impl PlanTopic {
    /// Opens the log of a shop that is there, and reads the topic to its end.
    ///
    /// # Errors
    /// No shop is there; files are in use, or damaged; brokers do not answer.
    pub(super) fn open(at: &Outside, global: &Global) -> Result<Self, Failure> {
        // What is not there is not made.
        match at.log_url {
            Location::Embedded => drop(parts::shops_log(&global.data)?),
            Location::Cluster(_) => drop(log::read(at, &global.data, true)?),
        }
        let opened = Opened::open(at, &global.data, LogSource::find, LogSource::for_callers);
        let Opened { clock, schemas, log, .. } = opened.map_err(in_use)?;
        let codec = schemas.codec;
        let history = PlanHistory::read(&*log, &codec).map_err(engine::failure)?;
        Ok(Self { log, codec, at: at.log_url.clone(), history, now: clock.now() })
    }

    /// Whether no other process can be running on it.
    pub(super) const fn is_exclusive(&self) -> bool {
        matches!(self.at, Location::Embedded)
    }

    /// What a topic is called there.
    pub(super) fn name(&self, topic: Topic) -> String {
        topics::log::name(&self.at, topic)
    }

    /// Appends a word and reads it back, with all that stands before it; gives its offset.
    ///
    /// # Errors
    /// The log does not take it, or nobody knows.
    pub(super) fn append(&mut self, word: &Event) -> Result<u64, Failure> {
        self.append_all(std::slice::from_ref(word))
    }

    /// The same of several, in order; gives the first one's offset.
    ///
    /// # Errors
    /// As [`PlanTopic::append`].
    pub(super) fn append_all(&mut self, words: &[Event]) -> Result<u64, Failure> {
        let record = |word: &Event| {
            let mut value = Vec::new();
            self.codec.encode_bare(word, &mut value);
            let (key, value) = (Bytes::new(), value.into());
            NewRecord { partition: EPOCHS, key, value, output_id: None }
        };
        let answers = self.log.append(words.iter().map(record).collect()).wait();
        let offsets: Result<Vec<_>, _> =
            answers.into_iter().map(|answer| answer.map(|appended| appended.offset)).collect();
        let offsets = offsets.map_err(|error| not_said(&error))?;
        let end = offsets.iter().max().map_or(0, |last| last + 1);
        self.history.read_to(&*self.log, &self.codec, end).map_err(engine::failure)?;
        Ok(offsets[0])
    }

    /// The epoch whose plan takes this record, if one does.
    ///
    /// # Errors
    /// The topic cannot be read.
    pub(super) fn epoch_of(&self, at: TopicPartition, offset: u64) -> Result<Option<u64>, Failure> {
        let record = at.input_index().map(|index| (index, offset));
        let taken = eras::taken_by(&record.into_iter().collect(), &*self.log, &self.codec);
        Ok(taken.map_err(engine::failure)?.into_values().next())
    }

    /// What is told of a word that the log took.
    pub(super) fn said(&self, event: &Event, offset: u64, effect: String) -> Said {
        let (word, event) = (event.kind().name(), to_json(None, event));
        Said { topic: self.name(Topic::Epochs), offset, word, event, effect }
    }
}

impl Drop for PlanTopic {
    fn drop(&mut self) {
        self.log.close();
    }
}

impl Said {
    /// Prints it: one document, or two lines.
    pub(super) fn print(&self, json: bool, lines: &mut Lines) -> Result<(), Ended> {
        let Self { topic, offset, word, event, effect } = self;
        if json {
            return lines.json(&json!({
                "appended": { "topic": topic, "partition": 0, "offset": offset },
                "type": word, "event": event, "effect": effect,
            }));
        }
        lines.line(&format_args!("appended {word} {event} at {topic}/0@{offset}"))?;
        lines.line(effect)
    }
}

/// On files a running shop keeps everybody else out.
fn in_use(failure: Failure) -> Failure {
    let Failure::InUse(reason) = failure else { return failure };
    Failure::InUse(format!("{reason}, say the word, and start it again"))
}

fn not_said(error: &AppendError) -> Failure {
    match error {
        AppendError::NotAppended(_) | AppendError::TooLarge { .. } => {
            Failure::Unreachable(error.to_string())
        }
        AppendError::Unknown(_) => Failure::Unreachable(format!(
            "{error}; say the word again: it does no harm if it stands there twice"
        )),
    }
}
