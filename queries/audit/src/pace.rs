//! Whether plans come while input waits (I17).
//!
//! A leader plans at least once a second. Where nothing at all was appended for longer, the log may
//! have been away: nobody could plan, and such silence is not counted. Whether somebody hung while
//! nobody asked for anything, the log cannot tell; the shop's own watch and `/readyz` can.

use crate::plans::Planned;
use crate::verdicts::{Example, Invariant, Verdicts};
use schemas::time::Timestamp;

/// How long input may wait while somebody plans, in milliseconds.
const WAIT_MAX_MS: i64 = 10_000;
/// Twice the time in which a leader plans though nothing waits, in milliseconds.
const SILENCE_MS: i64 = 2_000;

/// Judges a plan: `oldest` waits the longest for it, and `waiting` gives the append times of all
/// that waits.
pub(crate) fn judge(
    planned: &Planned,
    oldest: Timestamp,
    waiting: impl FnOnce() -> Vec<Timestamp>,
    verdicts: &mut Verdicts,
) {
    let since = oldest.max(planned.waited_since);
    let mut waited_ms = planned.appended_at.0 - since.0;
    if waited_ms > WAIT_MAX_MS {
        waited_ms -= silent_ms(since, waiting(), planned.appended_at);
    }
    verdicts.check(Invariant::I17, waited_ms <= WAIT_MAX_MS, || {
        let key = format!("epoch {}", planned.epoch);
        let expected = format!("a plan within {WAIT_MAX_MS} ms");
        Example::new(key, expected, format!("{waited_ms} ms"), Some(planned.place))
    });
}

/// For how long, between these two times, nothing was appended for more than [`SILENCE_MS`].
fn silent_ms(since: Timestamp, mut appended: Vec<Timestamp>, until: Timestamp) -> i64 {
    appended.extend([since, until]);
    appended.retain(|at| (since..=until).contains(at));
    appended.sort_unstable();
    let between = appended.windows(2).map(|pair| pair[1].0 - pair[0].0);
    between.filter(|ms| *ms > SILENCE_MS).sum()
}
