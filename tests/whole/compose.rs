//! `compose/compose.yaml` says nothing that the shipped command does not know: Docker is where it
//! is used, and none is needed to see that.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Words of the command line, and environment names with their values.
struct Told {
    commands: Vec<Vec<String>>,
    environment: Vec<(String, String)>,
}

/// What the file says to the shop. Commands stand on one line each.
fn told(text: &str) -> Told {
    let lines = text.lines().map(str::trim);
    let commands = lines.clone().filter_map(|line| line.strip_prefix("command: "));
    let environment = lines.filter(|line| line.starts_with("WATERMART_"));
    Told {
        commands: commands.map(|words| serde_json::from_str(words).unwrap()).collect(),
        environment: environment
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            })
            .collect(),
    }
}

/// What the command says against it, in this environment alone. With `--version` at the end it does nothing else than read
/// what stands before it.
fn refused(words: &[String], environment: &[(String, String)]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_watermart"))
        .args(words)
        .arg("--version")
        .env_clear()
        .envs(environment.iter().cloned())
        .output()
        .unwrap();
    (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_flag_and_name_in_it_is_known() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/compose.yaml");
    let text = fs::read_to_string(file).unwrap();
    let Told { commands, environment } = told(&text);
    let first: Vec<_> = commands.iter().map(|words| words[0].as_str()).collect();
    assert_eq!(first, ["ingest", "process", "query"]);
    assert_eq!(environment.len(), 3);
    for words in &commands {
        assert_eq!(refused(words, &environment), None, "{words:?}");
    }
    // A wrong flag, name or value is seen.
    let misspelt = text.replace("--port", "--prot").replace("LOG_URL", "LOG_ULR");
    let Told { commands: wrong, environment: unknown } = told(&misspelt);
    assert!(refused(&wrong[0], &environment).unwrap().contains("--prot"));
    assert!(refused(&commands[0], &unknown).unwrap().contains("WATERMART_LOG_ULR"));
    let no_port = told(&text.replace("8080", "http")).commands;
    assert!(refused(&no_port[0], &environment).unwrap().contains("--port"));
}

#[test]
fn no_secret_stands_in_it_and_every_image_has_a_version() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let text = read("compose.yaml") + &read("Dockerfile");
    for word in ["password", "secret", "token", "access_key"] {
        assert!(!text.to_lowercase().contains(word), "{word}");
    }
    let images = text
        .lines()
        .map(str::trim)
        .filter_map(|line| line.strip_prefix("image: ").or_else(|| line.strip_prefix("FROM ")));
    let images: Vec<_> = images.map(|image| image.split(' ').next().unwrap()).collect();
    assert_eq!(images.len(), 5, "{images:?}");
    for image in images {
        let version = image.split_once(':').map_or("", |(_, version)| version);
        assert!(version.split('.').filter(|part| !part.is_empty()).count() >= 2, "{image}");
    }
}
