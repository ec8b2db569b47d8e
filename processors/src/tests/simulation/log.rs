//! An event log in memory that keeps the port's contract, and on which whatever the contract allows
//! happens: answers are lost or late, records come late, twice, in part, or not at all.

use super::line::{Call, Line, Moment, Pass, Tally};
use schemas::codec::Codec;
use schemas::events::EventKind;
use schemas::hash::mix;
use schemas::topic::{Topic, TopicPartition};
use sinks::clock::Clock;
use sinks::event_log::{
    Answers, AppendError, Appended, Appending, EventLog, NewRecord, ReadError, Reader, Record,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Of 1,000 calls, so many have each fault.
const EACH_FAULT: u64 = 12;
/// How long a reader waits at most.
const WAIT_MAX: Duration = Duration::from_millis(2);

#[derive(Default)]
struct Kept {
    /// In the order in which they were appended.
    all: Vec<Record>,
    ends: BTreeMap<TopicPartition, u64>,
    /// Batches that are still on their way.
    late: Vec<Vec<NewRecord>>,
    /// Answers that are.
    answers: Vec<(oneshot::Sender<Answers>, Answers)>,
    /// Counts what a reader may wait for.
    version: u64,
    heals: bool,
}

/// The log.
pub(super) struct Log {
    kept: Mutex<Kept>,
    grown: Condvar,
    clock: Clock,
    codec: Arc<Codec>,
    tally: Arc<Tally>,
}

impl Log {
    pub(super) fn new(clock: Clock, codec: Arc<Codec>, tally: Arc<Tally>) -> Arc<Self> {
        let (kept, grown) = (Mutex::default(), Condvar::new());
        Arc::new(Self { kept, grown, clock, codec, tally })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As a process sees it.
    pub(super) fn over(self: &Arc<Self>, line: Arc<Line>) -> Arc<dyn EventLog> {
        Arc::new(LogLine { log: Arc::clone(self), line })
    }

    /// Appends these records without a fault.
    pub(super) fn take(&self, records: &[NewRecord]) -> Vec<Appended> {
        let appended = self.append(&mut self.lock(), records);
        self.grown.notify_all();
        appended
    }

    fn append(&self, kept: &mut Kept, records: &[NewRecord]) -> Vec<Appended> {
        let appended_at = self.clock.now();
        kept.version += 1;
        let appended = records.iter().map(|record| {
            let end = kept.ends.entry(record.partition).or_default();
            let offset = *end;
            *end += 1;
            let NewRecord { partition, key, value, output_id } = record.clone();
            kept.all.push(Record { partition, offset, appended_at, key, value, output_id });
            Appended { offset, appended_at }
        });
        appended.collect()
    }

    /// What was on its way arrives, and so do answers.
    pub(super) fn arrives(&self) {
        let mut kept = self.lock();
        for records in std::mem::take(&mut kept.late) {
            self.append(&mut kept, &records);
        }
        drop(kept);
        self.grown.notify_all();
        self.answers();
    }

    /// What a log does that acknowledges before it is durable: the newest records are gone.
    pub(super) fn forgets(&self, records: u64) {
        let mut kept = self.lock();
        for _ in 0..records {
            let Some(record) = kept.all.pop() else { return };
            kept.ends.insert(record.partition, record.offset);
        }
    }

    /// Answers arrive that were on their way.
    pub(super) fn answers(&self) {
        for (sender, answers) in std::mem::take(&mut self.lock().answers) {
            // Who asked may be dead.
            let _ = sender.send(answers);
        }
    }

    pub(super) fn end(&self, partition: TopicPartition) -> u64 {
        self.lock().ends.get(&partition).copied().unwrap_or(0)
    }

    /// No more faults.
    pub(super) fn heal(&self) {
        self.lock().heals = true;
        self.arrives();
    }

    pub(super) fn all(&self) -> Vec<Record> {
        self.lock().all.clone()
    }

    /// The same log, with inputs and plans alone.
    pub(super) fn without_outputs(&self) -> Arc<Self> {
        let copy = Self::new(self.clock.clone(), Arc::clone(&self.codec), Arc::default());
        let all = self.all();
        let decided = all.into_iter().filter(|r| !Topic::OUTPUTS.contains(&r.partition.topic));
        {
            let mut kept = copy.lock();
            for record in decided {
                kept.ends.insert(record.partition, record.offset + 1);
                kept.all.push(record);
            }
            kept.heals = true;
        }
        copy
    }

    fn call_of(&self, records: &[NewRecord]) -> Call {
        let first = &records[0];
        if first.partition.topic != Topic::Epochs {
            return Call::Outputs;
        }
        match self.codec.kind(&first.value) {
            Ok(EventKind::GenerationClaimed) => Call::Claim,
            _ => Call::Plan,
        }
    }

    fn count(&self, fault: &'static str) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.entry(fault).or_default() += 1;
    }

    /// Takes a batch, or what of it this fault leaves.
    fn take_with(&self, pass: &Pass, records: Vec<NewRecord>) -> Appending {
        let mut kept = self.lock();
        let fault = (pass.draw % 1_000) / EACH_FAULT;
        let fault = if pass.dies == Some(Moment::Midway) {
            5
        } else if kept.heals || pass.dies.is_some() {
            u64::MAX
        } else {
            fault
        };
        let unknown = || AppendError::Unknown("the connection broke".to_owned());
        let refused = || AppendError::NotAppended("not now".to_owned());
        let many = records.len();
        let answers = match fault {
            0 => {
                self.count("append taken, answer lost");
                self.append(&mut kept, &records);
                vec![Err(unknown()); many]
            }
            1 => {
                self.count("append lost, unknown");
                vec![Err(unknown()); many]
            }
            2 => {
                self.count("append refused");
                vec![Err(refused()); many]
            }
            3 => {
                self.count("append taken late");
                kept.late.push(records);
                vec![Err(unknown()); many]
            }
            4 => {
                self.count("append taken twice");
                let appended = self.append(&mut kept, &records);
                self.append(&mut kept, &records);
                appended.into_iter().map(Ok).collect()
            }
            5 => {
                self.count("append taken in part");
                let salt = mix(pass.draw);
                let mut answers = Vec::with_capacity(many);
                for record in records {
                    let at = record.partition;
                    let word = u64::from(at.partition) << 8 | at.topic as u64;
                    let taken = mix(salt ^ word) & 1 == 0;
                    let appended = taken.then(|| self.append(&mut kept, &[record]).remove(0));
                    answers.push(appended.ok_or_else(refused));
                }
                answers
            }
            6 => {
                self.count("append answered late");
                let appended = self.append(&mut kept, &records);
                let (sender, receiver) = oneshot::channel();
                kept.answers.push((sender, appended.into_iter().map(Ok).collect()));
                self.grown.notify_all();
                return Appending::new(many, receiver);
            }
            _ => self.append(&mut kept, &records).into_iter().map(Ok).collect(),
        };
        self.grown.notify_all();
        Appending::ready(answers)
    }

    /// Whether this call is not answered.
    fn is_silent(&self, pass: &Pass, fault: &'static str) -> bool {
        let silent = !self.lock().heals && pass.draw % 1_000 < EACH_FAULT / 2;
        if silent {
            self.count(fault);
        }
        silent
    }
}

struct LogLine {
    log: Arc<Log>,
    line: Arc<Line>,
}

fn gone() -> ReadError {
    ReadError::Unavailable("the process is dead".to_owned())
}

impl EventLog for LogLine {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        let many = records.len();
        let dead = || vec![Err(AppendError::Unknown("the process is dead".to_owned())); many];
        if records.is_empty() {
            return Appending::ready(Vec::new());
        }
        let Ok(pass) = self.line.enter(self.log.call_of(&records)) else {
            return Appending::ready(dead());
        };
        let appending = self.log.take_with(&pass, records);
        if self.line.leave(&pass).is_err() { Appending::ready(dead()) } else { appending }
    }

    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        let pass = self.line.enter(Call::Ends).map_err(|_cut| gone())?;
        if self.log.is_silent(&pass, "ends not told") {
            return Err(ReadError::Unavailable("no answer".to_owned()));
        }
        let kept = self.log.lock();
        let ends = partitions.iter().map(|at| kept.ends.get(at).copied().unwrap_or(0)).collect();
        drop(kept);
        self.line.leave(&pass).map_err(|_cut| gone())?;
        Ok(ends)
    }

    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        let kept = self.log.lock();
        for (partition, asked) in from {
            let end = kept.ends.get(partition).copied().unwrap_or(0);
            if *asked > end {
                return Err(ReadError::BeyondEnd { partition: *partition, asked: *asked, end });
            }
        }
        drop(kept);
        let first = from.first().map(|(at, _)| at.topic);
        let call = if first == Some(Topic::Epochs) { Call::ReadPlans } else { Call::ReadInputs };
        let (log, line) = (Arc::clone(&self.log), Arc::clone(&self.line));
        let positions = from.iter().copied().collect();
        Ok(Box::new(LogReader { log, line, call, positions, next: 0, seen: 0 }))
    }

    fn close(&self) {}
}

struct LogReader {
    log: Arc<Log>,
    line: Arc<Line>,
    call: Call,
    positions: BTreeMap<TopicPartition, u64>,
    /// Of all records, the first that was not looked at.
    next: usize,
    /// The log's version then.
    seen: u64,
}

impl LogReader {
    fn look(&mut self, bytes_max: usize, into: &mut Vec<Record>) {
        let kept = self.log.lock();
        self.seen = kept.version;
        let mut bytes = 0;
        while let Some(record) = kept.all.get(self.next).filter(|_| bytes < bytes_max) {
            self.next += 1;
            let Some(position) = self.positions.get_mut(&record.partition) else { continue };
            if record.offset < *position {
                continue;
            }
            *position = record.offset + 1;
            bytes += record.key.len() + record.value.len();
            into.push(record.clone());
        }
    }
}

impl Reader for LogReader {
    fn read(&mut self, bytes_max: usize, into: &mut Vec<Record>) -> Result<(), ReadError> {
        if self.line.is_cut() {
            return Err(gone());
        }
        let before = into.len();
        self.look(bytes_max, into);
        if into.len() == before {
            return Ok(());
        }
        let pass = self.line.enter(self.call).map_err(|_cut| gone())?;
        if pass.dies.is_some() {
            // It has read them, and nothing of what it does then comes out.
            self.line.cut();
            return Ok(());
        }
        if pass.draw % 211 == 0 && self.log.is_silent(&Pass { draw: 0, dies: None }, "read fails") {
            return Err(ReadError::Unavailable("no answer".to_owned()));
        }
        self.line.leave(&pass).map_err(|_cut| gone())
    }

    fn wait(&mut self, timeout: Duration) {
        let kept = self.log.lock();
        if kept.version == self.seen {
            // Woken early now and then, so that a stop is seen at once.
            let waited = self.log.grown.wait_timeout(kept, timeout.min(WAIT_MAX));
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn position(&self, partition: TopicPartition) -> u64 {
        self.positions[&partition]
    }
}
