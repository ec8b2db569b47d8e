//! A manifest: what a checkpoint is made of. It is written when all of its files are there and all
//! that its epoch gave is durable elsewhere, so who finds it can go on from it.
//!
//! On the store it is a line of JSON and the hash of that line.

use crate::plan::PlanTopic;
use crate::protection::{Protection, is_off};
use schemas::hash::hash128;
use schemas::time::Timestamp;
use schemas::topic::TopicPartition;
use serde::{Deserialize, Serialize};

/// The format that this build writes and reads.
pub const FORMAT: u32 = 1;
/// Where manifests are on the store.
pub(super) const FOLDER: &str = "manifests";
const LINE: u64 = 22;

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The era of its epoch.
    pub era: u32,
    /// State is as of the end of this epoch.
    pub epoch: u64,
    /// When it was written.
    pub written_at: Timestamp,
    /// The plan topic up to that epoch's plan.
    pub plans: PlanTopic,
    /// How far inputs are planned; those that are not named: not at all.
    pub inputs: Vec<InputPosition>,
    /// Whether its epoch's outputs are on the log. Not known by who never publishes, so who may lead
    /// does not go on from here.
    pub published: bool,
    /// How far output partitions are known; those that are not named: not at all.
    pub outputs: Vec<OutputPosition>,
    /// Records that an operator has set aside and no plan has taken.
    pub skips: Vec<(TopicPartition, u64)>,
    /// The generation under which an operator ended planning.
    pub drained: Option<u64>,
    /// Files of state, from the oldest to the newest; the last run is this checkpoint's own.
    pub runs: Vec<Run>,
}

/// How far an input is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputPosition {
    /// Which.
    pub partition: TopicPartition,
    /// The first offset that is not planned.
    pub next: u64,
    /// Append time of the last record that is planned, clamped.
    pub appended_at: Option<Timestamp>,
}

/// How far an output partition is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPosition {
    /// Which.
    pub partition: TopicPartition,
    /// What stands below this offset is known.
    pub next: u64,
    /// The largest id that stands below it: epoch and n.
    pub last: Option<(u64, u32)>,
}

/// Files that were written together: a checkpoint's, one a worker, or what they were merged into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The files; no key is in two of them.
    pub files: Vec<StateFile>,
}

/// A file of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// The hash of its bytes.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Entries in it.
    pub entries: u64,
}

impl StateFile {
    /// Its name on the store.
    pub(super) fn path(&self) -> String {
        path(&self.name)
    }
}

/// A file's name on the store.
pub(super) fn path(name: &str) -> String {
    format!("{STATE}/{name}")
}

/// Where files of state are on the store.
pub(super) const STATE: &str = "state";

impl Run {
    /// Bytes of all its files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl Manifest {
    /// Its name on the store; names are in the order of (era, epoch).
    pub(crate) fn path(&self) -> String {
        format!("{FOLDER}/{:05}-{:020}", self.era, self.epoch)
    }

    /// Era and epoch of the manifest that has this name.
    pub(super) fn at(path: &str) -> Option<(u32, u64)> {
        let (era, epoch) = path.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('-')?;
        Some((era.parse().ok()?, epoch.parse().ok()?))
    }

    /// Bytes of all files of state.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        self.runs.iter().map(Run::bytes).sum()
    }

    /// As it stands on the store.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a manifest can be written to memory");
        let hash = hash(&bytes);
        bytes.push(b'\n');
        bytes.extend_from_slice(hash.as_bytes());
        bytes.push(b'\n');
        bytes
    }

    /// Reads what [`Manifest::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let (line, rest) = text.split_once('\n').ok_or("it is cut short")?;
        if rest.trim_end() != hash(line.as_bytes()) && !is_off(Protection::Checksums) {
            return Err("it is not what was written".to_owned());
        }
        let format: FormatOnly = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if format.format != FORMAT {
            return Err(format!("its format {} is not known to this build", format.format));
        }
        serde_json::from_str(line).map_err(|error| error.to_string())
    }
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

fn hash(line: &[u8]) -> String {
    format!("{:032x}", u128::from_be_bytes(hash128(LINE, line)))
}
