//! FULL_TRANSITIVE: what is written now can be read by every version ever, and the other way.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use schemas::compiled;
use schemas::events::EventKind;
use std::fs;
use std::path::Path;

fn compatible(a: &str, b: &str) -> bool {
    let [a, b] = [a, b].map(|text| Schema::parse_str(text).expect("a schema"));
    matches!(SchemaCompatibility::mutual_read(&a, &b), Ok(Compatibility::Full))
}

#[test]
fn every_version_reads_every_other() {
    let history = Path::new(env!("CARGO_MANIFEST_DIR")).join("avro-history");
    let mut compared = 0;
    for version in fs::read_dir(history).expect("it is part of the repository") {
        for kind in EventKind::ALL {
            let path = version.as_ref().expect("readable").path().join(kind.topic().suffix());
            // An event that a version did not have yet has nothing to be compared with.
            let Ok(frozen) = fs::read_to_string(path.join(format!("{}.avsc", kind.name()))) else {
                continue;
            };
            assert!(compatible(compiled::schema(*kind), &frozen), "{kind:?}: {version:?}");
            compared += 1;
        }
    }
    assert!(compared >= 41, "version 0.1.0 alone has 41 events");
}

#[test]
fn incompatible_changes_are_found() {
    let now = compiled::schema(EventKind::ReservationSecured);
    let order = r#"{"name": "order_id", "type": "string","#;
    assert!(now.contains(order) && compatible(now, now));
    let with = |field: &str| now.replace(order, &format!("{field}, {order}"));

    assert!(compatible(now, &with(r#"{"name": "note", "type": "string", "default": ""}"#)));
    assert!(!compatible(now, &with(r#"{"name": "note", "type": "string"}"#)));
    assert!(!compatible(now, &now.replace(order, r#"{"name": "order_id", "type": "long","#)));
    assert!(!compatible(now, &now.replace(order, r#"{"name": "order", "type": "string","#)));
    assert!(!compatible(now, &now.replace(r#""provider", "#, "")));
}
