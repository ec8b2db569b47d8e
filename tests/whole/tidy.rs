//! Style that lints cannot say, held over the tracked files.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
/// Vendors, spelled so that this file does not name them.
const VENDORS: [&str; 7] = [
    "rdk\u{61}fka",
    "scyll\u{61}::",
    "c\u{61}ssandra",
    "opense\u{61}rch",
    "t\u{61}ntivy",
    "fj\u{61}ll",
    "re\u{64}b::",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the tree with this ending, as paths from the root, with their text.
fn files(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !matches!(name, "target" | ".git" | "watermart-data") {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((shown, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} at all");
    found.sort();
    found
}

fn is_test(path: &str) -> bool {
    path.contains("tests/") || path.ends_with("/tests.rs") || path.ends_with("_model.rs")
}

fn breaches(path: &str, text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    if !is_test(path) && code.lines().count() > LINES_MAX {
        found.push("over 400 lines");
    }
    if !text.starts_with("//!") {
        found.push("does not open with what must stay true");
    }
    let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
    if ["utils", "helpers", "common", "misc", "types"].contains(&name) {
        found.push("a name that says nothing");
    }
    let lower = code.to_lowercase();
    if !path.starts_with("sinks/src/") && VENDORS.iter().any(|vendor| lower.contains(vendor)) {
        found.push("names a vendor outside the sinks");
    }
    if ["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}"].iter().any(|mark| text.contains(mark)) {
        found.push("left open");
    }
    if is_test(path) && text.contains("sle\u{65}p(") {
        found.push("sleeps in a test");
    }
    if lower.contains("q\u{74}y") {
        found.push("a word that the glossary does not want");
    }
    found
}

#[test]
fn source_files_are_tidy() {
    let untidy: Vec<_> = files(".rs")
        .into_iter()
        .flat_map(|(path, text)| {
            breaches(&path, &text).into_iter().map(move |breach| format!("{path}: {breach}"))
        })
        .collect();
    assert!(untidy.is_empty(), "{untidy:#?}");
}

#[test]
fn every_breach_is_found() {
    let long = format!("//! x\n{}", "let x = 1;\n".repeat(LINES_MAX));
    for (path, text, breach) in [
        ("src/a.rs", long.as_str(), "over 400 lines"),
        ("src/a.rs", "fn a() {}", "does not open with what must stay true"),
        ("src/utils.rs", "//! x", "a name that says nothing"),
        ("src/a.rs", "//! x\nuse fj\u{61}ll::Database;", "names a vendor outside the sinks"),
        ("src/a.rs", "//! x\n// TO\u{44}O", "left open"),
        ("tests/a.rs", "//! x\nsle\u{65}p(1)", "sleeps in a test"),
        ("src/a.rs", "//! x\nlet q\u{74}y = 1;", "a word that the glossary does not want"),
    ] {
        assert_eq!(breaches(path, text), [breach]);
    }
}

/// Handlers that do not ask who it is that asks.
fn anonymous(text: &str) -> Vec<&str> {
    let described = text.split("#[utoipa::path(").skip(1);
    described
        .filter_map(|handler| {
            let (name, rest) = handler.split_once("async fn ")?.1.split_once('(')?;
            let arguments = rest.split_once(") ->")?.0;
            let known = ["Principal", ": Call"].iter().any(|asked| arguments.contains(asked));
            (!known).then_some(name)
        })
        .collect()
}

#[test]
fn every_handler_knows_who_asks() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        if path.starts_with("ingest-api/src/") || path.starts_with("queries/src/") {
            found.extend(anonymous(&text).iter().map(|name| format!("{path}: {name}")));
        }
    }
    // What starts and stops servers has no token; the provider is known by its signature.
    let open = ["ingest-api/src/webhook.rs: post", "queries/src/status.rs: live"];
    assert_eq!(found, [open[0], open[1], "queries/src/status.rs: ready"]);
    let handler = "#[utoipa::path(get)]\npub(crate) async fn get(State(q): State<Q>) -> A {";
    assert_eq!(anonymous(handler), ["get"]);
    assert_eq!(anonymous(&handler.replace("State<Q>", "State<Q>, _: Principal")), [""; 0]);
}

#[test]
fn the_rules_depend_on_nothing_but_the_contract() {
    let manifest = fs::read_to_string(root().join("processors/machines/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]\n").nth(1).unwrap();
    let dependencies: Vec<_> = dependencies.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(dependencies, ["schemas.workspace = true", "serde.workspace = true"]);
    let audit = fs::read_to_string(root().join("queries/audit/Cargo.toml")).unwrap();
    assert!(!audit.contains("machines") && !audit.contains("processors"), "{audit}");
}

#[test]
fn every_schema_has_a_golden_and_every_port_a_conformance_suite() {
    for (path, _) in files(".avsc") {
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        assert!(root().join(format!("schemas/golden/{name}.hex")).is_file(), "{path}");
    }
    for port in ["event_log", "view_store", "payment_gateway"] {
        assert!(root().join(format!("sinks/src/{port}/conformance.rs")).is_file(), "{port}");
    }
}

#[test]
fn links_resolve_and_named_tests_exist() {
    for (path, text) in files(".md") {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if !target.contains("://") && !target.is_empty() {
                assert!(folder.join(target).exists(), "{path}: {target}");
            }
        }
        for named in text.split('`').filter(|word| word.contains(".rs::")) {
            let (file, test) = named.split_once("::").unwrap();
            let source = fs::read_to_string(root().join(file));
            let source = source.unwrap_or_else(|_| panic!("{path}: no {file}"));
            assert!(source.contains(&format!("fn {test}(")), "{path}: no {named}");
        }
    }
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    for ending in [".rs", ".md", ".toml", ".py", "run"] {
        for (path, text) in files(ending) {
            for place in ["/wor\u{6b}/", "/roo\u{74}/"] {
                assert!(!text.contains(place), "{path} names {place}");
            }
        }
    }
}
