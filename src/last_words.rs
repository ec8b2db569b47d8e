//! The last words of a process that a record has ended: which one, and the command that sets it
//! aside.

use crate::cli::Outside;
use crate::exit::Failure;
use schemas::topic::TopicPartition;
use sinks::event_log::Location;
use sinks::schema_registry as registry;
use std::path::Path;

/// The failure with the command to be given, if a record is to blame for it.
pub(crate) fn of(failure: Failure, at: &Outside, data: &Path) -> Failure {
    let Failure::Poisoned { partition, offset } = failure else { return failure };
    let record = partition.named(at.log_url.namespace());
    let command = skip(partition, offset, at, data);
    Failure::Bug(format!(
        "a machine panicked on the record {record}@{offset}; its message stands above. Report it; \
         to go on without the record, stop all of the shop and run: {command}"
    ))
}

/// The command that sets a record of this log aside, as a shell takes it.
fn skip(partition: TopicPartition, offset: u64, at: &Outside, data: &Path) -> String {
    let TopicPartition { topic, partition } = partition;
    let mut words = ["watermart", "epochs", "skip", topic.suffix()].map(str::to_owned).to_vec();
    words.extend([partition.to_string(), offset.to_string()]);
    words.extend(["--data".to_owned(), quoted(&data.display().to_string())]);
    if at.log_url != Location::Embedded {
        words.extend(["--all-stopped", "--log-url"].map(str::to_owned));
        words.push(quoted(&at.log_url.to_string()));
    }
    if let registry::Location::Server(url) = &at.registry_url {
        words.extend(["--registry-url".to_owned(), quoted(url)]);
    }
    if at.single_broker {
        words.push("--single-broker".to_owned());
    }
    words.join(" ")
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.:_-,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::epochs::Epochs;
    use clap::Parser as _;
    use schemas::topic::Topic;
    use std::process::ExitCode;

    /// The shop that is started so, and where its data are.
    fn started(arguments: &[&str]) -> (Outside, std::path::PathBuf) {
        let cli = Cli::parse_from([&["watermart", "up"], arguments].concat());
        let Command::Up(up) = cli.command else { panic!("it is `up`") };
        (up.outside, cli.global.data)
    }

    fn words(arguments: &[&str]) -> String {
        let (at, data) = started(arguments);
        let partition = TopicPartition { topic: Topic::ProductActions, partition: 3 };
        let failure = of(Failure::Poisoned { partition, offset: 17 }, &at, &data);
        assert_eq!(failure.code(), ExitCode::from(101));
        failure.to_string()
    }

    #[test]
    fn who_dies_of_a_record_names_it_and_the_command_that_sets_it_aside() {
        let said = words(&["--data", "/srv/shop 1"]);
        let (told, command) = said.split_once(" run: ").unwrap();
        assert!(told.contains("the record watermart.product-actions/3@17;"), "{told}");
        assert_eq!(command, "watermart epochs skip product-actions 3 17 --data '/srv/shop 1'");
    }

    #[test]
    fn the_command_finds_the_same_log() {
        let flags = [
            "--data=./d",
            "--log-url=kafka://h1:9092,h2:9092/eu",
            "--single-broker",
            "--registry-url=http://h:8081/apis/ccompat/v7",
        ];
        let said = words(&flags);
        assert!(said.contains("the record eu.product-actions/3@17;"), "{said}");
        let command = said.split_once(" run: ").unwrap().1;
        let cli = Cli::parse_from(command.split(' '));
        let Command::Epochs(Epochs::Skip(skip)) = cli.command else { panic!("{command}") };
        assert_eq!((skip.topic.as_str(), skip.partition, skip.offset), ("product-actions", 3, 17));
        let (at, data) = started(&flags);
        assert_eq!((&skip.outside.log_url, &cli.global.data), (&at.log_url, &data));
        assert_eq!(skip.outside.registry_url, at.registry_url);
        assert!(skip.outside.single_broker && skip.all_stopped);
    }

    #[test]
    fn other_failures_end_as_they_are() {
        let (at, data) = started(&[]);
        let failure = of(Failure::Bug("I16: a digest differs".to_owned()), &at, &data);
        assert_eq!(failure.to_string(), "I16: a digest differs");
    }
}
