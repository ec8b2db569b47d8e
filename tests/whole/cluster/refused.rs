//! A log that is not what it was, or cannot be relied on, is refused at the start, and nothing is
//! written to it.

use super::{Parts, load, log, stop_all};
use schemas::topic::Topic;
use std::path::Path;

/// A shop that has sold something, and is stopped: the directories of its process and its views.
fn sold(parts: &mut Parts) -> [std::path::PathBuf; 2] {
    let process = parts.start("process", &["--take-over"]);
    let (way_in, way_out) = (parts.start("ingest", &[]), parts.start("query", &[]));
    load::fill(parts, &way_in, &way_out);
    way_in.stop();
    [process.stop(), way_out.stop()]
}

/// Holds each of these starts to end with this code and these words, and to write nothing.
fn refuse(parts: &Parts, starts: [(&str, &Path, &[&str]); 4], code: i32, words: &str) {
    let before = log::ends(&parts.url);
    for (part, dir, flags) in starts {
        let (ended, said) = parts.refused(part, dir, flags);
        assert_eq!(ended, Some(code), "{part}: {said}");
        assert!(said.contains(words), "{part}: {said}");
    }
    assert_eq!(log::ends(&parts.url), before);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn plans_that_were_removed_at_the_front() {
    let mut parts = Parts::new();
    let [process, views] = sold(&mut parts);
    log::change(&parts.url, "truncate", Topic::Epochs, &["5"]);
    let new = parts.dir();
    let starts: [(_, &Path, &[_]); 4] = [
        ("process", &process, &[]),
        ("process", &new, &["--take-over"]),
        ("query", &views, &[]),
        ("query", &new, &[]),
    ];
    refuse(&parts, starts, 4, "epochs/0 begins at offset 5, cannot read 0");
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn plans_that_are_gone_while_what_they_decided_is_there() {
    let mut parts = Parts::new();
    let [process, views] = sold(&mut parts);
    log::change(&parts.url, "delete", Topic::Epochs, &[]);
    // Made anew, and empty, by whoever starts first.
    parts.start("ingest", &[]).stop();
    let new = parts.dir();
    let starts: [(_, &Path, &[_]); 4] = [
        ("process", &process, &[]),
        ("process", &new, &["--take-over"]),
        ("query", &views, &[]),
        ("up", &views, &["--take-over"]),
    ];
    refuse(&parts, starts, 6, "history was redone");
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_topic_with_unsafe_settings_with_the_command_that_mends_it() {
    let mut parts = Parts::new();
    parts.start("ingest", &[]).stop();
    let setting = "unclean.leader.election.enable";
    log::change(&parts.url, "set", Topic::Orders, &[&format!("{setting}=true")]);
    let dir = parts.dir();
    for part in ["up", "ingest", "process", "query"] {
        let (code, said) = parts.refused(part, &dir, &[]);
        assert_eq!(code, Some(2), "{part}: {said}");
        let mends = format!("--alter --topic {}", parts.url.rsplit('/').next().unwrap());
        for word in [&mends, setting, "--add-config", "--log-url"] {
            assert!(said.contains(word), "{part}: {said}");
        }
    }
    log::change(&parts.url, "set", Topic::Orders, &[&format!("{setting}=false")]);
    stop_all([parts.start("process", &["--take-over"]), parts.start("query", &[])]);
}
