//! The data directory: can it be written to, is there room; and the clock of the machine.

use super::report::{Part, Verdict};
use schemas::time::Timestamp;
use sinks::clock::Clock;
use std::path::{Path, PathBuf};

/// Below this there is no room for a busy hour: 500 orders a second write some 3 GB in it.
const ROOM_BYTES: u64 = 4 << 30;
/// Below this the views, which write 256 MiB ahead, may end the process at any moment.
const ROOM_BYTES_MIN: u64 = 512 << 20;
/// When this program was first released: no clock that goes right shows less.
const RELEASED: Timestamp = Timestamp(1_795_564_800_000);

/// Looks at the directory.
pub(super) fn examine(data: &Path, clock: &Clock) -> Part {
    let part = Part::new("data", data.display().to_string());
    let there = existing(data);
    let part = part.tried("writable", writable(data, &there));
    let part = match free_bytes(&there) {
        Ok(bytes) => {
            let room = format!("{} MiB are free", bytes >> 20);
            if bytes < ROOM_BYTES_MIN {
                part.with("room", Verdict::Failed, format!("{room}; make room before a start"))
            } else if bytes < ROOM_BYTES {
                part.with("room", Verdict::Unsafe, format!("{room}; the log only grows"))
            } else {
                part.with("room", Verdict::Ok, room)
            }
        }
        Err(error) => part.with("room", Verdict::Failed, error),
    };
    let now = clock.now();
    let shown = format!("it shows {}", now.rfc3339());
    if now < RELEASED {
        return part.with("clock", Verdict::Failed, format!("{shown}: that is past; set it"));
    }
    part.with("clock", Verdict::Ok, shown)
}

/// The directory itself, or the one that it would be made in.
fn existing(data: &Path) -> PathBuf {
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let there = absolute.ancestors().find(|at| at.exists());
    there.unwrap_or(&absolute).to_owned()
}

/// Makes a file, which goes by itself.
fn writable(data: &Path, there: &Path) -> Result<String, String> {
    tempfile::tempfile_in(there)
        .map_err(|error| format!("{}: {error}; choose another --data", there.display()))?;
    Ok(if data.exists() { "yes" } else { "it is made at the first start" }.to_owned())
}

fn free_bytes(there: &Path) -> Result<u64, String> {
    let disk =
        rustix::fs::statvfs(there).map_err(|error| format!("{}: {error}", there.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
