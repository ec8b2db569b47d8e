//! The one thread that writes: group commit.
//!
//! While a block is being synced, appends wait in a queue; all of them that fit go into the next
//! block, in the order in which they came. An append is answered when its block is durable and its
//! partitions' ends are published.

use super::block::{self, Block, Making};
use super::journal::{AddError, Journal};
use super::sealed::Seal;
use super::{Shared, locked};
use crate::clock::Clock;
use crate::event_log::append::{content_bytes, not_appended, refuse_size};
use crate::event_log::{Answers, Appended, Appending, NewRecord};
use schemas::time::Timestamp;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use tokio::sync::oneshot;

/// Bytes and records of a block, unless its first append alone has more: what a reader unpacks at
/// once, and enough to make the sync's time small beside the writing.
const BLOCK_BYTES: usize = 1 << 20;
/// Bytes of appends not answered yet: a second's worth of a fast disk.
const IN_FLIGHT_BYTES_MAX: usize = 64 << 20;
/// What an append and a record cost in memory besides their keys and values.
const OVERHEAD_BYTES: usize = 128;

/// Appends that wait for the writer.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

struct Waiting {
    appends: VecDeque<Append>,
    in_flight_bytes: usize,
    /// Why nothing is taken any more.
    closed: Option<&'static str>,
}

struct Append {
    records: Vec<NewRecord>,
    bytes: usize,
    answer: oneshot::Sender<Answers>,
}

impl Queue {
    /// One that takes appends, or with a reason one that never does.
    pub(super) const fn new(closed: Option<&'static str>) -> Self {
        let appends = VecDeque::new();
        let waiting = Waiting { appends, in_flight_bytes: 0, closed };
        Self { waiting: Mutex::new(waiting), filled: Condvar::new() }
    }

    /// Lets these records wait, or refuses them.
    pub(super) fn push(&self, records: Vec<NewRecord>) -> Appending {
        if let Some(refused) = refuse_size(&records) {
            return Appending::ready(refused);
        }
        if records.is_empty() {
            return Appending::ready(Vec::new());
        }
        for record in &records {
            // Panics in the caller, whose bug it is, not in the writer.
            super::durable::slot(record.partition);
        }
        let bytes = content_bytes(&records) + (records.len() + 1) * OVERHEAD_BYTES;
        let mut waiting = locked(&self.waiting);
        if let Some(why) = waiting.closed {
            return Appending::ready(not_appended(records.len(), why));
        }
        if waiting.in_flight_bytes + bytes > IN_FLIGHT_BYTES_MAX {
            let why = "the log has too much to write already";
            return Appending::ready(not_appended(records.len(), why));
        }
        let (answer, answers) = oneshot::channel();
        let appending = Appending::new(records.len(), answers);
        waiting.in_flight_bytes += bytes;
        waiting.appends.push_back(Append { records, bytes, answer });
        drop(waiting);
        self.filled.notify_one();
        appending
    }

    /// Takes no more appends, for this reason.
    pub(super) fn close(&self, why: &'static str) {
        locked(&self.waiting).closed.get_or_insert(why);
        self.filled.notify_one();
    }

    /// Waits for appends and takes what goes into one block; `None` when closed and empty.
    fn take(&self) -> Option<Vec<Append>> {
        let mut waiting = self
            .filled
            .wait_while(locked(&self.waiting), |w| w.appends.is_empty() && w.closed.is_none())
            .expect("nothing panics while it holds this lock");
        let mut taken = vec![waiting.appends.pop_front()?];
        let mut bytes = taken[0].bytes;
        while let Some(append) =
            waiting.appends.pop_front_if(|next| bytes + next.bytes <= BLOCK_BYTES)
        {
            bytes += append.bytes;
            taken.push(append);
        }
        Some(taken)
    }

    fn finished(&self, bytes: usize) {
        locked(&self.waiting).in_flight_bytes -= bytes;
    }
}

/// What the writer thread owns.
pub(super) struct Writer {
    /// The files.
    pub(super) journal: Journal,
    /// The next block's number.
    pub(super) sequence: u64,
    /// The last append time.
    pub(super) appended_at: Timestamp,
    /// What append times are read from.
    pub(super) clock: Clock,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self, shared: &Shared) {
        let _ended = Ended(&shared.queue);
        while let Some(appends) = shared.queue.take() {
            let bytes = appends.iter().map(|append| append.bytes).sum();
            let outcome = self.commit(&appends, shared);
            shared.queue.finished(bytes);
            match outcome {
                Ok(mut first_offsets) => {
                    for append in appends {
                        let answers = self.durable(&append.records, &mut first_offsets);
                        answer(append, answers);
                    }
                }
                Err(AddError::NoRoom(error)) => {
                    for append in appends {
                        let answers = not_appended(append.records.len(), &error.to_string());
                        answer(append, answers);
                    }
                }
                Err(AddError::Unknown(error)) => {
                    self.journal.fatal(&error);
                    // Only a test comes here.
                    return;
                }
            }
        }
    }

    /// Makes these appends durable as one block and publishes them. Answers the ends before it.
    fn commit(&mut self, appends: &[Append], shared: &Shared) -> Result<Ends, AddError> {
        if self.journal.is_full() {
            let full = self.journal.end().segment;
            self.journal.begin_segment()?;
            let seal = {
                let mut durable = locked(&shared.durable);
                let seal = Seal::of_last(&durable, self.sequence, self.appended_at);
                durable.begin_segment();
                seal
            };
            seal.write_or_warn(&shared.dir, full, shared.salt);
        }
        let ends = *locked(&shared.durable).ends();
        self.appended_at = self.appended_at.max(self.clock.now());
        let making = Making {
            salt: shared.salt,
            sequence: self.sequence,
            byte: self.journal.end().byte,
            appended_at: self.appended_at,
        };
        let records = appends.iter().flat_map(|append| &append.records);
        let Block { bytes, spans } = block::encode(making, records, &ends);
        self.journal.add(&bytes)?;
        self.sequence += 1;
        locked(&shared.durable).extend(&spans, bytes.len() as u64);
        shared.grown.notify_all();
        Ok(ends)
    }

    fn durable(&self, records: &[NewRecord], ends: &mut Ends) -> Answers {
        let appended_at = self.appended_at;
        let mut appended = |record: &NewRecord| {
            let end = &mut ends[super::durable::slot(record.partition)];
            let offset = *end;
            *end += 1;
            Ok(Appended { offset, appended_at })
        };
        records.iter().map(&mut appended).collect()
    }
}

/// However the writer ends, nobody waits for it any more: appends dropped without an answer are
/// unknown.
struct Ended<'a>(&'a Queue);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.0.waiting);
        waiting.closed.get_or_insert("the log has failed");
        waiting.appends.clear();
    }
}

type Ends = [u64; super::durable::SLOTS];

fn answer(append: Append, answers: Answers) {
    // Whoever does not wait for the answer does not want it.
    let _ = append.answer.send(answers);
}
