//! What every schema registry must pass, clause by clause of the port.

use super::{RegistryError, SchemaRegistry};
use schemas::compiled;
use schemas::events::EventKind;
use std::collections::BTreeMap;
use std::thread;

/// Runs every clause on registries that `open` makes, all clients of one registry. Panics at a
/// breach.
pub fn check_all(open: &dyn Fn() -> Box<dyn SchemaRegistry>) {
    registered(open);
    let registry = open();
    for clause in [by_id, versions, unknown] {
        clause(&*registry);
    }
}

fn ids(registry: &dyn SchemaRegistry) -> BTreeMap<u32, EventKind> {
    EventKind::ALL.iter().map(|kind| (registry.register(*kind).expect("an id"), *kind)).collect()
}

fn registered(open: &dyn Fn() -> Box<dyn SchemaRegistry>) {
    let clients = [open(), open()];
    let both = thread::scope(|scope| {
        let asked = clients.each_ref().map(|client| scope.spawn(|| ids(&**client)));
        asked.map(|asked| asked.join().expect("registering does not panic"))
    });
    assert_eq!(both[0].len(), EventKind::ALL.len(), "an id of its own for each");
    assert_eq!(both[0], both[1], "who registers at the same time gets the same");
    assert_eq!(ids(&*open()), both[0], "again, the same");
}

fn by_id(registry: &dyn SchemaRegistry) {
    for (id, kind) in ids(registry) {
        let text = registry.schema(id).expect("given a moment ago");
        assert!(compiled::lies_alike(&text, compiled::schema(kind)), "{kind:?}: {text}");
        assert_eq!(registry.schema(id).as_ref(), Ok(&text), "for ever");
    }
}

fn versions(registry: &dyn SchemaRegistry) {
    for (id, kind) in ids(registry) {
        let versions = registry.versions(kind).expect("it has one");
        let own = versions.iter().find(|version| version.id == id).expect("its own among them");
        assert_eq!(registry.schema(id).as_ref(), Ok(&own.text));
    }
}

fn unknown(registry: &dyn SchemaRegistry) {
    for id in [0, 2_000_000_000] {
        assert_eq!(registry.schema(id), Err(RegistryError::Unknown(id)));
    }
}
