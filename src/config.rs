//! The configuration file and the environment: read once, here. Keys of the file are flag names.
//!
//! A value from the file is put on the command line, unless the flag or its environment name
//! already says something. A key or `WATERMART_*` name that no command knows is refused by name.

use clap::{ArgAction, Command};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// Why the configuration cannot be used; all of them end with exit 2.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// No flag has this environment name.
    #[error("{0} is set, but no flag has that name; unset it, or see `watermart help`")]
    UnknownVariable(String),
    /// No flag has this key.
    #[error("{file}: key `{key}` is no flag of any command; remove it, or see `watermart help`")]
    UnknownKey {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// The file cannot be read or is no TOML.
    #[error("--config {file}: {detail}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
}

/// The command line as it would be had everything been said there.
///
/// # Errors
/// See [`ConfigError`].
pub(crate) fn arguments(
    command: &Command,
    arguments: Vec<OsString>,
    environment: &[(OsString, OsString)],
) -> Result<Vec<OsString>, ConfigError> {
    let known = names(command);
    let set: BTreeSet<String> = environment
        .iter()
        .filter_map(|(name, _)| name.to_str())
        .filter(|name| name.starts_with("WATERMART_"))
        .map(str::to_owned)
        .collect();
    if let Some(name) = set.iter().find(|name| !known.contains(&flag(name))) {
        return Err(ConfigError::UnknownVariable(name.clone()));
    }
    let Some(file) = config_file(&arguments, environment) else { return Ok(arguments) };
    let shown = file.display().to_string();
    let failed = |detail: String| ConfigError::File { file: shown.clone(), detail };
    let text = std::fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))?;
    let mut all = arguments;
    let said: BTreeSet<String> = all
        .iter()
        .filter_map(|argument| argument.to_str()?.strip_prefix("--"))
        .map(|flag| flag.split('=').next().unwrap_or(flag).to_owned())
        .collect();
    let chosen = subcommand(command, &all);
    for (key, value) in table {
        if !known.contains(&key) {
            return Err(ConfigError::UnknownKey { file: shown, key });
        }
        if said.contains(&key) || set.contains(&variable(&key)) {
            continue;
        }
        let argument = chosen
            .and_then(|chosen| chosen.get_arguments().find(|a| a.get_long() == Some(key.as_str())))
            .or_else(|| command.get_arguments().find(|a| a.get_long() == Some(key.as_str())));
        let Some(argument) = argument else { continue };
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(yes) => yes.to_string(),
            toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                return Err(failed(format!("key `{key}`: must be text, a number or a boolean")));
            }
        };
        if matches!(argument.get_action(), ArgAction::SetTrue) {
            if value == "true" {
                all.push(format!("--{key}").into());
            }
        } else {
            all.push(format!("--{key}={value}").into());
        }
    }
    Ok(all)
}

fn names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long());
    let mut all: BTreeSet<String> = own.map(str::to_owned).collect();
    for sub in command.get_subcommands() {
        all.extend(names(sub));
    }
    all
}

/// The command that is meant: of `topics tail`, `tail`.
fn subcommand<'a>(command: &'a Command, arguments: &[OsString]) -> Option<&'a Command> {
    let mut chosen = None;
    for argument in arguments.iter().skip(1) {
        chosen = chosen.unwrap_or(command).find_subcommand(argument).or(chosen);
    }
    chosen
}

fn config_file(arguments: &[OsString], environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(file) = argument.to_str().and_then(|a| a.strip_prefix("--config=")) {
            return Some(file.into());
        }
    }
    environment.iter().find(|(name, _)| name == "WATERMART_CONFIG").map(|(_, file)| file.into())
}

fn variable(flag: &str) -> String {
    format!("WATERMART_{}", flag.replace('-', "_").to_uppercase())
}

fn flag(variable: &str) -> String {
    variable.trim_start_matches("WATERMART_").replace('_', "-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;
    use clap::FromArgMatches as _;
    use std::io::Write as _;

    fn os(words: &[&str]) -> Vec<OsString> {
        words.iter().map(Into::into).collect()
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "port = 1\nworkers = 2\nhost = \"127.0.0.3\"\nrounds = 9").unwrap();
        let config = format!("--config={}", file.path().display());
        let set = vec![("WATERMART_WORKERS".into(), "3".into())];
        let given = os(&["watermart", "up", &config, "--host", "127.0.0.9"]);
        let all = arguments(&Cli::command(), given.clone(), &set).unwrap();
        assert_eq!(all[..given.len()], given[..]);
        assert_eq!(all[given.len()..], os(&["--port=1"]));
        let matches = Cli::command().try_get_matches_from(&all).unwrap();
        assert!(Cli::from_arg_matches(&matches).is_ok());
    }

    #[test]
    fn a_command_of_two_words_takes_its_flags_from_the_file_too() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "count = 7\nport = 1").unwrap();
        let config = format!("--config={}", file.path().display());
        let given = os(&["watermart", &config, "topics", "tail", "orders"]);
        let all = arguments(&Cli::command(), given.clone(), &[]).unwrap();
        assert_eq!(all[given.len()..], os(&["--count=7"]));
        assert!(Cli::command().try_get_matches_from(&all).is_ok());
    }

    #[test]
    fn an_unknown_name_is_refused_by_name() {
        let up = os(&["watermart", "up"]);
        let set = vec![("WATERMART_PROT".into(), "1".into())];
        assert_eq!(
            arguments(&Cli::command(), up, &set),
            Err(ConfigError::UnknownVariable("WATERMART_PROT".to_owned()))
        );
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "prot = 1").unwrap();
        let name = file.path().display().to_string();
        let given = os(&["watermart", "up", "--config", &name]);
        assert_eq!(
            arguments(&Cli::command(), given, &[]),
            Err(ConfigError::UnknownKey { file: name, key: "prot".to_owned() })
        );
    }
}
