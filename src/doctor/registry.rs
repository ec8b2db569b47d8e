//! The schema registry: whether it answers, and whether its subjects take only schemas that all
//! versions can read and be read by.

use super::http::Asker;
use super::report::{Part, Verdict};
use crate::cli::Outside;
use crate::exit::Failure;
use schemas::compiled;
use schemas::events::EventKind;
use serde_json::Value;
use sinks::schema_registry::Location;

const WANTED: &str = "FULL_TRANSITIVE";

/// Looks at the registry.
///
/// # Errors
/// No connection can be made at all.
pub(super) fn examine(outside: &Outside) -> Result<Part, Failure> {
    let url = match &outside.registry_url {
        Location::Server(url) => url,
        Location::Embedded => {
            let count = EventKind::ALL.len();
            let part = Part::new("registry", "embedded:");
            let part = part.version(format!("{count} schemas compiled in"));
            return Ok(part.with("schemas", Verdict::Ok, "ids are this build's own"));
        }
    };
    let asker = Asker::new(outside.connect_timeout).map_err(Failure::Unreachable)?;
    Ok(match asker.get(&format!("{url}/subjects")) {
        Ok((200, Value::Array(subjects))) => {
            let part = Part::new("registry", url);
            let part = match version(&asker, url) {
                Some(version) => part.version(version),
                None => part,
            };
            let subjects: Vec<_> = subjects.iter().filter_map(Value::as_str).collect();
            of_subjects(part, &asker, url, &subjects, outside.log_url.namespace())
        }
        Ok((status, _)) => {
            let detail = format!("{url}/subjects answers {status}, and no list of subjects");
            Part::new("registry", url).with("answers", Verdict::Failed, detail)
        }
        Err(error) => Part::silent("registry", url, error),
    })
}

/// Where registries say which version they are: some at the API, one at the server's root.
fn version(asker: &Asker, url: &str) -> Option<String> {
    let root = url.split("/apis/").next().unwrap_or(url);
    let places =
        [format!("{url}/v1/metadata/version"), format!("{root}/apis/registry/v3/system/info")];
    places.iter().find_map(|place| {
        let (status, about) = asker.get(place).ok()?;
        let version = about["version"].as_str().filter(|_| status == 200)?;
        let name = about["name"].as_str().unwrap_or("version");
        Some(format!("{name} {version}"))
    })
}

fn of_subjects(
    mut part: Part,
    asker: &Asker,
    url: &str,
    subjects: &[&str],
    namespace: &str,
) -> Part {
    let wanted: Vec<String> = EventKind::ALL.iter().map(|kind| subject(namespace, *kind)).collect();
    let there: Vec<_> = wanted.iter().filter(|name| subjects.contains(&name.as_str())).collect();
    let count = format!("{} of {} subjects are there", there.len(), wanted.len());
    part = if there.len() == wanted.len() {
        part.with("subjects", Verdict::Ok, count)
    } else {
        part.with("subjects", Verdict::Ok, format!("{count}; the next start makes the others"))
    };
    let mut right = 0;
    for subject in &there {
        let place = format!("{url}/config/{subject}");
        match asker.get(&place) {
            Ok((200, found)) if found["compatibilityLevel"] == WANTED => right += 1,
            Ok((_, found)) => {
                let found = found["compatibilityLevel"].as_str().unwrap_or("not set").to_owned();
                let detail = format!(
                    "its compatibility is {found} and must be {WANTED}: `curl -X PUT -H \
                     'Content-Type: application/json' -d '{{\"compatibility\":\"{WANTED}\"}}' \
                     {place}`"
                );
                part = part.with(subject.as_str(), Verdict::Failed, detail);
            }
            Err(error) => part = part.with(subject.as_str(), Verdict::Failed, error),
        }
    }
    part.with("compatibility", Verdict::Ok, format!("{right} are {WANTED}"))
}

/// Under which name an event's schemas are registered.
fn subject(namespace: &str, kind: EventKind) -> String {
    let schema: Value =
        serde_json::from_str(compiled::schema(kind)).expect("a test parses each of them");
    let package = schema["namespace"].as_str().map_or_else(String::new, |name| format!("{name}."));
    format!("{namespace}.{}-{package}{}", kind.topic().suffix(), kind.name())
}
