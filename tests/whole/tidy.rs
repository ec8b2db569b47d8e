//! Style that lints cannot say, held over the tracked files.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
/// Of a `mod.rs` or `lib.rs`: a port or a map, with its contract.
const MAP_LINES_MAX: usize = 150;
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
    let is_map = path.ends_with("/mod.rs") || path.ends_with("/lib.rs");
    if !is_test(path) && is_map && code.lines().count() > MAP_LINES_MAX {
        found.push("over 150 lines, for a map");
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
    let map = format!("//! x\n{}", "let x = 1;\n".repeat(MAP_LINES_MAX));
    assert_eq!(breaches("src/a.rs", &map), [""; 0]);
    for (path, text, breach) in [
        ("src/a.rs", long.as_str(), "over 400 lines"),
        ("src/a/mod.rs", &map, "over 150 lines, for a map"),
        ("a/src/lib.rs", &map, "over 150 lines, for a map"),
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

/// The dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let listed = manifest.split("[dependencies]\n").nth(1).unwrap_or("");
    let lines = listed.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.split(['.', ' ']).next().unwrap()).collect()
}

#[test]
fn who_may_know_whom() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let of_rules = read("processors/machines/Cargo.toml");
    assert_eq!(dependencies(&of_rules), ["schemas", "serde"]);
    for second_opinion in ["queries/audit/Cargo.toml", "loadgen/Cargo.toml"] {
        let manifest = read(second_opinion);
        let known = dependencies(&manifest);
        let forbidden = ["machines", "processors"];
        assert!(!forbidden.iter().any(|name| known.contains(name)), "{second_opinion}: {known:?}");
    }
    let manifest =
        "[package]\nmachines\n[dependencies]\na.workspace = true\nb = \"1\"\n\n[x]\nc = 1";
    assert_eq!(dependencies(manifest), ["a", "b"]);
}

/// What is wanted and not there.
fn missing(wanted: Vec<String>, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    wanted.into_iter().filter(|path| !is_there(path)).collect()
}

fn goldens(schemas: &[(String, String)]) -> Vec<String> {
    let stem = |path: &str| Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned();
    schemas.iter().map(|(path, _)| format!("schemas/golden/{}.hex", stem(path))).collect()
}

fn suites(ports: &[&str]) -> Vec<String> {
    ports.iter().map(|port| format!("sinks/src/{port}/conformance.rs")).collect()
}

#[test]
fn only_tests_can_break_the_shop() {
    for (path, manifest) in files("Cargo.toml") {
        let parts = manifest.split("\n[");
        let armed = parts.filter(|part| part.contains("\"sabotage\""));
        let armed: Vec<_> = armed.filter_map(|part| part.lines().next()).collect();
        let allowed: &[&str] = if path == "Cargo.toml" { &["dev-dependencies]"] } else { &[] };
        assert_eq!(armed, allowed, "{path}");
    }
}

#[test]
fn every_schema_has_a_golden_and_every_port_a_conformance_suite() {
    let mut ports = Vec::new();
    for entry in fs::read_dir(root().join("sinks/src")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            ports.push(entry.file_name().into_string().unwrap());
        }
    }
    assert!(ports.len() >= 3, "{ports:?}");
    let ports: Vec<_> = ports.iter().map(String::as_str).collect();
    let is_there = |path: &str| root().join(path).is_file();
    assert_eq!(missing(goldens(&files(".avsc")), is_there), [""; 0]);
    assert_eq!(missing(suites(&ports), is_there), [""; 0]);
    let schema = ("schemas/avro/orders/never.avsc".to_owned(), String::new());
    assert_eq!(missing(goldens(&[schema]), is_there), ["schemas/golden/never.hex"]);
    assert_eq!(missing(suites(&["mail"]), is_there), ["sinks/src/mail/conformance.rs"]);
}

/// Links of a page that lead nowhere.
fn dead_links(text: &str, leads: impl Fn(&str) -> bool) -> Vec<&str> {
    let targets = text.split("](").skip(1).map(|link| link.split([')', '#']).next().unwrap());
    let own = targets.filter(|target| !target.contains("://") && !target.is_empty());
    own.filter(|target| !leads(target)).collect()
}

/// Tests that a page names, as `file.rs::test`, and that are not there.
fn unknown_tests(text: &str, source: impl Fn(&str) -> Option<String>) -> Vec<&str> {
    let named = text.split('`').filter(|word| word.contains(".rs::"));
    named
        .filter(|named| {
            let (file, test) = named.split_once("::").unwrap();
            !source(file).is_some_and(|source| source.contains(&format!("fn {test}(")))
        })
        .collect()
}

#[test]
fn links_resolve_and_named_tests_exist() {
    let source = |file: &str| fs::read_to_string(root().join(file)).ok();
    for (path, text) in files(".md") {
        let folder = root().join(&path).parent().unwrap().to_owned();
        assert_eq!(dead_links(&text, |target| folder.join(target).exists()), [""; 0], "{path}");
        assert_eq!(unknown_tests(&text, source), [""; 0], "{path}");
    }
    let page = "[a](there.md#x) [b](gone.md) [c](https://d.e) [f](#g)";
    assert_eq!(dead_links(page, |target| target == "there.md"), ["gone.md"]);
    let page = "`tests/whole/tidy.rs::links_resolve_and_named_tests_exist`, `tests/whole/tidy.rs::no`, `no.rs::no`";
    assert_eq!(unknown_tests(page, source), ["tests/whole/tidy.rs::no", "no.rs::no"]);
}

/// Places of one machine that a file names.
fn places(text: &str) -> Vec<&'static str> {
    ["/wor\u{6b}/", "/roo\u{74}/"].into_iter().filter(|place| text.contains(place)).collect()
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    for ending in [".rs", ".md", ".toml", ".py", ".yaml", "run", "servers"] {
        for (path, text) in files(ending) {
            assert_eq!(places(&text), [""; 0], "{path}");
        }
    }
    assert_eq!(places("cd /wor\u{6b}/shop"), ["/wor\u{6b}/"]);
    assert_eq!(places("~/roo\u{74}/x"), ["/roo\u{74}/"]);
}
