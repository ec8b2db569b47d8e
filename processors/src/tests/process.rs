//! A process on a log that it shares with others, with a clock of its own; and what stands there.

use super::determinism::outputs;
use super::history::Step;
use crate::engine::{Engine, Options, Parts, Role};
use crate::hub::State;
use crate::standing::Standing;
use bytes::Bytes;
use schemas::codec::Codec;
use schemas::events::epochs::Settings;
use schemas::events::{Event, EventKind};
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use sinks::checkpoint_store::CheckpointStore;
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{
    AppendError, Appending, EventLog, NewRecord, OutputId, ReadError, Reader, Record,
};
use sinks::schema_registry::Schemas;
use sinks::view_store::ViewStore;
use sinks::view_store::embedded::EmbeddedViews;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(super) const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
pub(super) const EPOCHS: TopicPartition = TopicPartition { topic: Topic::Epochs, partition: 0 };
pub(super) const SILENCE: Duration = Duration::from_secs(3);

type Kept = (Option<Arc<dyn ViewStore>>, Schemas, Option<(Arc<CheckpointStore>, Duration)>);

/// A process with views and a clock of its own.
pub(super) struct Process {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) views: Option<Arc<dyn ViewStore>>,
    _dir: TempDir,
}

impl Process {
    pub(super) fn start(log: &Arc<dyn EventLog>, role: Role) -> Self {
        Self::start_with(log, role, Schemas::embedded())
    }

    pub(super) fn start_with(log: &Arc<dyn EventLog>, role: Role, schemas: Schemas) -> Self {
        let dir = TempDir::new().unwrap();
        let views: Arc<dyn ViewStore> = Arc::new(EmbeddedViews::open(dir.path()).unwrap());
        Self::over(log, role, (Some(views), schemas, None), dir)
    }

    /// One that has no views.
    pub(super) fn without_views(log: &Arc<dyn EventLog>, role: Role) -> Self {
        Self::over(log, role, (None, Schemas::embedded(), None), TempDir::new().unwrap())
    }

    /// One that makes a checkpoint when it is stopped, in this folder.
    pub(super) fn saving(log: &Arc<dyn EventLog>, role: Role, folder: &Path) -> Self {
        Self::saving_every(log, role, folder, Duration::MAX)
    }

    /// One that makes checkpoints this often in this folder, and one when it is stopped.
    pub(super) fn saving_every(
        log: &Arc<dyn EventLog>,
        role: Role,
        folder: &Path,
        every: Duration,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let views: Arc<dyn ViewStore> = Arc::new(EmbeddedViews::open(dir.path()).unwrap());
        let store = Arc::new(CheckpointStore::open_folder(folder).unwrap());
        let checkpoints = Some((store, every));
        Self::over(log, role, (Some(views), Schemas::embedded(), checkpoints), dir)
    }

    fn over(
        log: &Arc<dyn EventLog>,
        role: Role,
        (views, schemas, checkpoints): Kept,
        dir: TempDir,
    ) -> Self {
        let clock = Clock::manual(BEGIN);
        let parts = Parts {
            log: Arc::clone(log),
            views: views.clone(),
            schemas,
            checkpoints,
            clock: clock.clone(),
        };
        let settings = Settings { reservation_timeout_ms: 900_000 };
        let options = Options { workers: 1, settings, hash_seed: 0, role };
        Self { engine: Engine::start(&parts, options).unwrap(), clock, views, _dir: dir }
    }

    pub(super) fn is(&self, standing: Standing) {
        self.engine.handle().wait_standing(standing);
    }

    /// Waits until it has applied so many records, and everything planned is done.
    pub(super) fn has_applied(&self, records: usize) {
        let done = |state: &State| state.records == records as u64 && state.settled();
        self.engine.wait_until(done).unwrap();
    }

    /// Waits until all is done that was said, and nothing is left over.
    pub(super) fn has_nothing_to_plan(&self) {
        let done = |state: &State| state.finished == state.plans.epoch();
        let idle = |state: &State| done(state) && state.waiting() == 0 && state.left == 0;
        self.engine.wait_until(idle).unwrap();
    }

    /// Waits until it has read so much of the plan topic.
    pub(super) fn has_read(&self, end: u64) {
        self.engine.wait_until(|state| state.plans_read_to >= end).unwrap();
    }

    /// Up to which epoch its views are complete.
    pub(super) fn mark(&self) -> u64 {
        self.views.as_ref().unwrap().marks().borrow().epoch
    }

    pub(super) fn passes(&self, time: Duration) {
        self.clock.advance(time);
        self.engine.handle().wake();
    }
}

pub(super) fn open(dir: &Path) -> Arc<dyn EventLog> {
    Arc::new(FileLog::open(dir, Clock::manual(BEGIN), Durability::NotDurable).unwrap())
}

/// Appends these records; gives how many there are.
pub(super) fn say(log: &dyn EventLog, step: &Step) -> usize {
    let answers = log.append(step.clone()).wait();
    answers.into_iter().map(Result::unwrap).count()
}

pub(super) fn say_to_planner(log: &dyn EventLog, word: impl Into<Event>) {
    let mut value = Vec::new();
    Codec::compiled().encode_bare(&word.into(), &mut value);
    let (key, value) = (Bytes::new(), value.into());
    say(log, &vec![NewRecord { partition: EPOCHS, key, value, output_id: None }]);
}

pub(super) fn plan_topic(log: &dyn EventLog) -> Vec<Record> {
    let (mut reader, mut records) = (log.reader(&[(EPOCHS, 0)]).unwrap(), Vec::new());
    while reader.position(EPOCHS) < log.ends(&[EPOCHS]).unwrap()[0] {
        reader.read(1 << 20, &mut records).unwrap();
    }
    records
}

/// How many claims and plans stand on the topic.
pub(super) fn claims_and_plans(log: &dyn EventLog) -> [usize; 2] {
    let codec = Codec::compiled();
    let records = plan_topic(log);
    [EventKind::GenerationClaimed, EventKind::EpochPlanned]
        .map(|kind| records.iter().filter(|r| codec.kind(&r.value).unwrap() == kind).count())
}

/// The ids of all outputs: each once, growing in each partition. Gives how many.
pub(super) fn each_output_once(log: &dyn EventLog) -> usize {
    let mut newest: BTreeMap<TopicPartition, OutputId> = BTreeMap::new();
    let all = outputs(log);
    for (partition, id, ..) in &all {
        let id = id.unwrap();
        let before = newest.insert(*partition, id);
        assert!(before.is_none_or(|before| before < id), "{partition}: {id:?} behind {before:?}");
    }
    all.len()
}

/// A log as a process sees it whose outputs are lost on the way: for fault injection.
pub(super) struct WithoutOutputs(pub(super) Arc<dyn EventLog>);

impl EventLog for WithoutOutputs {
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        if records.iter().all(|record| record.output_id.is_none()) {
            return self.0.append(records);
        }
        let lost = AppendError::NotAppended("lost on the way".to_owned());
        Appending::ready(vec![Err(lost); records.len()])
    }
    fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>, ReadError> {
        self.0.ends(partitions)
    }
    fn reader(&self, from: &[(TopicPartition, u64)]) -> Result<Box<dyn Reader>, ReadError> {
        self.0.reader(from)
    }
    fn close(&self) {
        self.0.close();
    }
}
