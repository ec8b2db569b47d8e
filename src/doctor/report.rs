//! What was found: parts, each with its checks.

use crate::exit::Failure;
use crate::stdout::{Ended, Lines};
use serde::Serialize;
use serde_json::{Value, json};

/// The whole report.
#[derive(Serialize)]
pub(super) struct Report {
    /// Every part answered and no check failed.
    ok: bool,
    parts: Vec<Part>,
}

/// A part of the shop.
#[derive(Serialize)]
pub(super) struct Part {
    part: &'static str,
    /// Where it is, as its flag says.
    url: String,
    answers: bool,
    version: Option<String>,
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    name: String,
    verdict: Verdict,
    detail: String,
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it must be.
    Ok,
    /// It works, and something may be lost or misunderstood by it.
    Unsafe,
    /// A shop would not start on it, or not run for long; the detail says what mends it.
    Failed,
}

impl Part {
    /// A part that answers, with nothing looked at yet.
    pub(super) fn new(part: &'static str, url: impl Into<String>) -> Self {
        Self { part, url: url.into(), answers: true, version: None, checks: Vec::new() }
    }

    /// One that does not answer, and why.
    pub(super) fn silent(
        part: &'static str,
        url: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        let silent = Self { answers: false, ..Self::new(part, url) };
        silent.with("answers", Verdict::Failed, why)
    }

    /// Which version it says it is.
    pub(super) fn version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// With one more check.
    pub(super) fn with(
        mut self,
        name: impl Into<String>,
        verdict: Verdict,
        detail: impl Into<String>,
    ) -> Self {
        self.checks.push(Check { name: name.into(), verdict, detail: detail.into() });
        self
    }

    /// With a check that could not be done if it failed.
    pub(super) fn tried(self, name: &str, outcome: Result<String, String>) -> Self {
        match outcome {
            Ok(detail) => self.with(name, Verdict::Ok, detail),
            Err(detail) => self.with(name, Verdict::Failed, detail),
        }
    }
}

impl Report {
    pub(super) fn of(parts: Vec<Part>) -> Self {
        let sound = |part: &Part| {
            part.answers && part.checks.iter().all(|check| check.verdict != Verdict::Failed)
        };
        Self { ok: parts.iter().all(sound), parts }
    }

    pub(super) fn json(&self) -> Value {
        json!(self)
    }

    /// For a person: a paragraph a part.
    pub(super) fn print(&self, lines: &mut Lines) -> Result<(), Ended> {
        for Part { part, url, answers, version, checks } in &self.parts {
            let answers = if *answers { "answers" } else { "DOES NOT ANSWER" };
            let version = version.as_ref().map_or_else(String::new, |it| format!(", {it}"));
            lines.line(&format_args!("{part} {url}: {answers}{version}"))?;
            for Check { name, verdict, detail } in checks {
                let verdict = match verdict {
                    Verdict::Ok => "ok",
                    Verdict::Unsafe => "UNSAFE",
                    Verdict::Failed => "FAILED",
                };
                lines.line(&format_args!("  {verdict:<7} {name}: {detail}"))?;
            }
        }
        Ok(())
    }

    /// How the command ends.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        let silent: Vec<_> =
            self.parts.iter().filter(|part| !part.answers).map(|part| part.part).collect();
        if !silent.is_empty() {
            return Err(Failure::Unreachable(format!("no answer from: {}", silent.join(", "))));
        }
        if self.ok {
            return Ok(());
        }
        let failed = self.parts.iter().flat_map(|part| {
            let failed = part.checks.iter().filter(|check| check.verdict == Verdict::Failed);
            failed.map(|check| format!("{}: {}", part.part, check.name))
        });
        let failed: Vec<_> = failed.collect();
        Err(Failure::Check(format!("failed: {}", failed.join(", "))))
    }
}
