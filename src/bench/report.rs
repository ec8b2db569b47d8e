//! What a bench found, and how it is printed.

use super::machine::Machine;
use crate::stdout::{Ended, Lines};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a bench gives: its name, how it was set up, its figures.
pub(super) type Found = (&'static str, BTreeMap<&'static str, String>, Vec<Figure>);

/// What a bench found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) commit: String,
    pub(super) machine: Machine,
    pub(super) rounds: u16,
    pub(super) setup: BTreeMap<&'static str, String>,
    pub(super) figures: Vec<Figure>,
}

/// One figure over all rounds.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    name: String,
    unit: &'static str,
    median: f64,
    min: f64,
    max: f64,
    /// What it must reach: at least, unless it is said to be at most.
    bar: Option<f64>,
    met: Option<bool>,
}

/// Which side of a bar is good, and of what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bar {
    /// Only stated.
    None,
    /// The median is at least this.
    AtLeast(f64),
    /// The median is at most this.
    AtMost(f64),
    /// No sample is more than this.
    NeverOver(f64),
}

impl Figure {
    /// The figure of these samples.
    #[must_use]
    pub(super) fn of(
        name: impl Into<String>,
        unit: &'static str,
        mut samples: Vec<f64>,
        bar: Bar,
    ) -> Self {
        samples.sort_by(f64::total_cmp);
        let median = samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN);
        let min = samples.first().copied().unwrap_or(f64::NAN);
        let max = samples.last().copied().unwrap_or(f64::NAN);
        let (bar, met) = match bar {
            Bar::None => (None, None),
            Bar::AtLeast(bar) => (Some(bar), Some(median >= bar)),
            Bar::AtMost(bar) => (Some(bar), Some(median <= bar)),
            Bar::NeverOver(bar) => (Some(bar), Some(max <= bar)),
        };
        Self { name: name.into(), unit, median, min, max, bar, met }
    }
}

impl Report {
    /// The names of the figures that missed their bars.
    pub(super) fn missed(&self) -> Vec<&str> {
        let missed = self.figures.iter().filter(|figure| figure.met == Some(false));
        missed.map(|figure| figure.name.as_str()).collect()
    }

    /// Prints it for people.
    ///
    /// # Errors
    /// Nobody reads any more, or writing failed.
    pub(super) fn print(&self, lines: &mut Lines) -> Result<(), Ended> {
        let Machine { cpu, cores, memory_bytes } = &self.machine;
        let Self { bench, commit, rounds, .. } = self;
        lines.line(&format_args!("bench {bench}, commit {commit}, {rounds} rounds"))?;
        lines.line(&format_args!("{cpu}, {cores} cores, {} GiB", memory_bytes >> 30))?;
        for (name, value) in &self.setup {
            lines.line(&format_args!("  {name}: {value}"))?;
        }
        for figure in &self.figures {
            let bar = match (figure.bar, figure.met) {
                (Some(bar), Some(true)) => format!("  bar {bar}: met"),
                (Some(bar), _) => format!("  bar {bar}: MISSED"),
                (None, _) => String::new(),
            };
            let Figure { name, unit, median, min, max, .. } = figure;
            let spread = format_args!("[{min:.2} .. {max:.2}]");
            lines.line(&format_args!("{name:<58} {median:>14.2} {unit:<10} {spread}{bar}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(samples: &[f64], bar: Bar) -> Option<bool> {
        Figure::of("x", "s", samples.to_vec(), bar).met
    }

    #[test]
    fn a_bar_is_for_the_median_or_for_every_sample() {
        let samples = [3.0, 1.0, 2.0];
        assert_eq!(met(&samples, Bar::None), None);
        assert_eq!(met(&samples, Bar::AtLeast(2.0)), Some(true));
        assert_eq!(met(&samples, Bar::AtLeast(2.1)), Some(false));
        assert_eq!(met(&samples, Bar::AtMost(2.0)), Some(true));
        assert_eq!(met(&samples, Bar::NeverOver(2.9)), Some(false));
        assert_eq!(met(&samples, Bar::NeverOver(3.0)), Some(true));
    }

    #[test]
    fn a_figure_without_samples_meets_no_bar() {
        for bar in [Bar::AtLeast(0.0), Bar::AtMost(1e9), Bar::NeverOver(1e9)] {
            assert_eq!(met(&[], bar), Some(false), "{bar:?}");
        }
    }
}
