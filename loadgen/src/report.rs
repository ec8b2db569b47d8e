//! The report of a run, in the shape the interface gives it.

use crate::{Error, Options, Profile};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// A later sending than this, at the 99th percentile, makes the run invalid: then the generator
/// was measured, not the shop.
pub(crate) const LATE_P99_MAX_MS: f64 = 50.0;
/// The generator is one thread: beyond this share of a core it queues by itself.
pub(crate) const OWN_CORES_MAX: f64 = 0.9;
/// Share of checkouts without a whole answer beyond which the figures mean nothing.
pub(crate) const LOST_MAX: f64 = 0.001;
/// `--gate`: share of the rate that must be confirmed. 93 in 100 checkouts are meant to be.
const GATE: f64 = 0.92;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Which profile.
    pub profile: &'static str,
    /// The schedule's seed.
    pub seed: u64,
    /// Whether the figures can be trusted.
    pub valid: bool,
    /// Why not.
    pub invalid_because: Option<String>,
    /// How well the schedule was kept.
    pub schedule: ScheduleKept,
    /// What became of it.
    pub outcomes: Outcomes,
    /// Orders sent in the window and confirmed at most 10 s after it, a second of window.
    pub confirmed_per_s: f64,
    /// From the intended send time, in milliseconds.
    pub latency_ms: Latencies,
    /// The most memory the shop's process has had since it started; needs `--server-pid`.
    pub rss_peak_bytes: Option<u64>,
    /// What limited the run, by CPU time.
    pub bottleneck: Option<String>,
}

/// How well the schedule was kept. Repeated requests count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ScheduleKept {
    /// Actions to send.
    pub intended: u64,
    /// Actions sent.
    pub sent: u64,
    /// How late requests were sent, at the 99th percentile, in milliseconds.
    pub late_p99_ms: f64,
}

/// What became of the actions. The first four count orders (for `stock`: actions), once however
/// often they were asked; the others count actions sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Taken: durable on the log.
    pub accepted: u64,
    /// Of these, confirmed at most 10 s after the window.
    pub confirmed: u64,
    /// Of these, rejected.
    pub rejected: u64,
    /// Of these, cancelled.
    pub cancelled: u64,
    /// Refused for load: 429 and 503.
    pub shed: u64,
    /// Refused otherwise, or not sent.
    pub failed: u64,
    /// Without a whole answer.
    pub unknown: u64,
}

/// Latencies by what was waited for; none where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latencies {
    /// Until the answer was there: all actions.
    pub ack: Option<Percentiles>,
    /// Until the order was seen to have left `requested`: 50 a second.
    pub decision: Option<Percentiles>,
    /// Until the order could be read: the same.
    pub readable: Option<Percentiles>,
    /// Until it could be searched: when there is search.
    pub searchable: Option<Percentiles>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half are no slower.
    pub p50: f64,
    /// 9 in 10.
    pub p90: f64,
    /// 99 in 100.
    pub p99: f64,
    /// 999 in 1000.
    pub p999: f64,
    /// All.
    pub max: f64,
}

impl Report {
    /// What `--gate` finds wanting; `None` if nothing.
    #[must_use]
    pub fn gate_failure(&self, options: &Options) -> Option<String> {
        if let Some(because) = &self.invalid_because {
            return Some(format!("the run is invalid: {because}"));
        }
        let Outcomes { accepted, confirmed, shed, failed, unknown, .. } = self.outcomes;
        let lost = shed + failed + unknown;
        match options.profile {
            Profile::Replay if confirmed < accepted || lost > 0 => Some(format!(
                "{confirmed} of {accepted} orders were confirmed, {lost} were not taken"
            )),
            Profile::Steady if self.confirmed_per_s < GATE * options.rate => {
                let (confirmed, least) = (self.confirmed_per_s, GATE * options.rate);
                Some(format!("{confirmed:.0} orders confirmed a second, fewer than {least:.0}"))
            }
            Profile::Replay
            | Profile::Steady
            | Profile::Stock
            | Profile::BlackFriday
            | Profile::FlashDrop
            | Profile::Hoarder
            | Profile::Returns => None,
        }
    }

    /// Writes `report.json` and `report.md` into `dir`, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let json = serde_json::to_string_pretty(self).expect("text, numbers and lists are JSON");
        let at = |path: &Path, source| Error::File { path: path.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(|source| at(dir, source))?;
        for (name, text) in [("report.json", json + "\n"), ("report.md", self.markdown())] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(|source| at(&path, source))?;
        }
        Ok(())
    }

    /// The report for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let validity = match &self.invalid_because {
            None => "valid".to_owned(),
            Some(because) => format!("**invalid**: {because}"),
        };
        let ScheduleKept { intended, sent, late_p99_ms } = self.schedule;
        let Outcomes { accepted, confirmed, rejected, cancelled, shed, failed, unknown } =
            self.outcomes;
        let mut text = format!(
            "# load {} (seed {})\n\n{validity}\n\n{sent} of {intended} actions sent, late by \
             {late_p99_ms:.1} ms at p99. {:.1} orders confirmed a second.\n\n\
             | accepted | confirmed | rejected | cancelled | shed | failed | unknown |\n\
             |---|---|---|---|---|---|---|\n\
             | {accepted} | {confirmed} | {rejected} | {cancelled} | {shed} | {failed} | \
             {unknown} |\n\n\
             | ms from the intended time | p50 | p90 | p99 | p99.9 | max |\n|---|---|---|---|---|---|\n",
            self.profile, self.seed, self.confirmed_per_s
        );
        let Latencies { ack, decision, readable, searchable } = self.latency_ms;
        for (name, measured) in [
            ("ack", ack),
            ("decision", decision),
            ("readable", readable),
            ("searchable", searchable),
        ] {
            if let Some(Percentiles { p50, p90, p99, p999, max }) = measured {
                let row =
                    format!("| {name} | {p50:.1} | {p90:.1} | {p99:.1} | {p999:.1} | {max:.1} |\n");
                text.push_str(&row);
            }
        }
        if let Some(bytes) = self.rss_peak_bytes {
            write!(text, "\nMost memory of the shop: {} MiB\n", bytes >> 20)
                .expect("text takes text");
        }
        if let Some(bottleneck) = &self.bottleneck {
            write!(text, "\nLimited by {bottleneck}\n").expect("text takes text");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::options;
    use serde_json::json;

    fn report() -> Report {
        let ack = Percentiles { p50: 1.0, p90: 2.0, p99: 3.0, p999: 4.0, max: 5.0 };
        Report {
            profile: "steady",
            seed: 7,
            valid: true,
            invalid_because: None,
            schedule: ScheduleKept { intended: 10, sent: 10, late_p99_ms: 0.5 },
            outcomes: Outcomes { accepted: 10, confirmed: 9, rejected: 1, ..Outcomes::default() },
            confirmed_per_s: 92.0,
            latency_ms: Latencies { ack: Some(ack), ..Latencies::default() },
            rss_peak_bytes: None,
            bottleneck: None,
        }
    }

    #[test]
    fn has_the_shape_of_the_interface() {
        let expected = json!({
            "profile": "steady", "seed": 7, "valid": true, "invalid_because": null,
            "schedule": {"intended": 10, "sent": 10, "late_p99_ms": 0.5},
            "outcomes": {"accepted": 10, "confirmed": 9, "rejected": 1, "cancelled": 0, "shed": 0,
                "failed": 0, "unknown": 0},
            "confirmed_per_s": 92.0,
            "latency_ms": {
                "ack": {"p50": 1.0, "p90": 2.0, "p99": 3.0, "p999": 4.0, "max": 5.0},
                "decision": null, "readable": null, "searchable": null,
            },
            "rss_peak_bytes": null, "bottleneck": null,
        });
        assert_eq!(serde_json::to_value(report()).unwrap(), expected);
    }

    #[test]
    fn gate_asks_for_92_hundredths_of_the_rate() {
        let steady = options(&["steady", "--rate", "100"]);
        assert_eq!(report().gate_failure(&steady), None);
        let slower = Report { confirmed_per_s: 91.0, ..report() };
        assert_eq!(
            slower.gate_failure(&steady).as_deref(),
            Some("91 orders confirmed a second, fewer than 92")
        );
        let late = Report { invalid_because: Some("it was late".to_owned()), ..report() };
        assert_eq!(late.gate_failure(&steady).as_deref(), Some("the run is invalid: it was late"));
    }

    #[test]
    fn gate_of_a_replay_asks_for_every_basket() {
        let replay = options(&["replay"]);
        assert_eq!(
            report().gate_failure(&replay).as_deref(),
            Some("9 of 10 orders were confirmed, 0 were not taken")
        );
    }

    #[test]
    fn is_written_for_programs_and_people() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("new");
        report().write(&at).unwrap();
        let read = |name| std::fs::read_to_string(at.join(name)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
        assert_eq!(json, serde_json::to_value(report()).unwrap());
        assert!(read("report.md").contains("| ack | 1.0 | 2.0 | 3.0 | 4.0 | 5.0 |"));
    }
}
