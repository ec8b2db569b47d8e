//! The benches that start shops of their own, at sizes that say nothing: each runs to its end, gives
//! the figures that it is for, and leaves nothing running.

use crate::shop::run;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs a bench for one round; gives its report, in which every figure has its shape.
fn report(bench: &str, size: &[&str]) -> Value {
    let data = TempDir::new().unwrap();
    let output = run(data.path(), &[&["bench", bench, "--rounds", "1", "--json"], size].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{bench}: {said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert_eq!((&report["bench"], &report["rounds"]), (&json!(bench), &json!(1)));
    for figure in report["figures"].as_array().unwrap() {
        let numbers = ["min", "median", "max"].map(|of| figure[of].as_f64());
        let [Some(min), Some(median), Some(max)] = numbers else { panic!("{figure}") };
        assert!(min <= median && median <= max, "{figure}");
        assert_eq!(figure["bar"].is_null(), figure["met"].is_null(), "{figure}");
    }
    report
}

/// The figure of this name: its median, and its bar.
fn figure(report: &Value, name: &str) -> (f64, Option<f64>) {
    let figures = report["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure["name"] == name);
    let figure = found.unwrap_or_else(|| panic!("no {name} in {report:#}"));
    (figure["median"].as_f64().unwrap(), figure["bar"].as_f64())
}

/// Holds the parts of a restart to be its whole.
fn adds_up(report: &Value, (what, whole): (&str, &str), bar: f64) {
    let (whole, its_bar) = figure(report, &format!("{what} {whole}"));
    assert_eq!(its_bar, Some(bar));
    let parts = [
        "process gone",
        "spawn, claim, ready told",
        "log and views opened",
        "manifest and files read",
        "state loaded",
        "log replayed",
        "first decision",
    ];
    let parts: f64 = parts.iter().map(|part| figure(report, &format!("{what}: {part}")).0).sum();
    assert!((parts - whole * 1000.0).abs() < 1.0, "{parts} ms of {whole} s");
}

const SMALL: [&str; 6] = ["--products", "40", "--reservations", "300", "--seconds", "1"];

#[test]
fn recovery_tells_where_the_time_goes_and_what_it_did_not_measure() {
    let report = report("recovery", &SMALL);
    adds_up(&report, ("kill -9", "to first new decision"), 2.5);
    let standby = report["setup"]["leader killed, standby leads"].as_str().unwrap();
    assert!(standby.contains("not measured") && standby.contains("--log-url"), "{standby}");
}

#[test]
fn rescale_goes_up_and_down() {
    let report = report("rescale", &SMALL);
    adds_up(&report, ("1 to 2 workers", "without decisions"), 3.0);
    adds_up(&report, ("2 to 1 workers", "without decisions"), 3.0);
}

#[test]
fn checkpoints_are_measured_against_none_and_counted() {
    let report = report("checkpoint", &SMALL);
    assert_eq!(figure(&report, "with / without").1, Some(0.9));
    assert_eq!(figure(&report, "longest stop").1, Some(100.0));
    assert!(figure(&report, "checkpoints").0 >= 1.0, "one at its end at least");
    assert!(figure(&report, "changed key").0 > 1.0);
    assert_eq!(figure(&report, "files a checkpoint, manifest counted"), (2.0, Some(2.0)));
}

#[test]
fn expiry_finds_nothing_early_left_or_refused_in_vain() {
    let report = report("expiry", &SMALL[..4]);
    assert_eq!(figure(&report, "due"), (320.0, None));
    for never in ["early", "left", "freed units refused"] {
        assert_eq!(figure(&report, never), (0.0, Some(0.0)), "{never}");
    }
    let written = figure(&report, "deadline to lapse written, longest");
    let readable = figure(&report, "first deadline to all readable");
    assert!(written.0 > 0.0 && readable.0 > 0.0, "{report:#}");
    assert_eq!((written.1, readable.1), (Some(30.0), Some(30.0)));
    assert_eq!(figure(&report, "decisions meanwhile, p99").1, Some(200.0));
}
