//! Starts with a registry that is there, away, another; and the suite on a real one.

use super::embedded::Compiled;
use super::schemas::{OpenError, Schemas};
use super::{RegistryError, SchemaRegistry, Version};
use schemas::codec::DecodeError;
use schemas::compiled;
use schemas::envelope::{Envelope, Role};
use schemas::events::orders::CartCleared;
use schemas::events::{Event, EventKind};
use schemas::id::{CustomerId, EventId};
use schemas::time::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A registry in memory. Its own ids begin behind `from`; `other` is a schema of another writer.
struct Double {
    from: u32,
    away: AtomicBool,
    asked: AtomicU32,
}

/// The id of the version of [`EventKind::CartCleared`] that another writer registered.
const VERSION: u32 = 5_000;
/// The id of what another writer registered under no subject of ours.
const ELSEWHERE: u32 = 6_000;
const NEVER: u32 = 7_000;

fn other_text() -> String {
    let own = compiled::schema(EventKind::CartCleared);
    let end = own.rfind(']').expect("its fields end");
    let field = r#", {"name": "note", "type": "string", "default": ""}"#;
    format!("{}{field}{}", &own[..end], &own[end..])
}

impl Double {
    fn new(from: u32) -> Arc<Self> {
        Arc::new(Self { from, away: AtomicBool::new(false), asked: AtomicU32::new(0) })
    }

    fn ask(&self) -> Result<(), RegistryError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(RegistryError::Unavailable("it is away".to_owned()));
        }
        Ok(())
    }
}

impl SchemaRegistry for Double {
    fn register(&self, kind: EventKind) -> Result<u32, RegistryError> {
        self.ask()?;
        Ok(Compiled.register(kind)? + self.from)
    }

    fn versions(&self, kind: EventKind) -> Result<Vec<Version>, RegistryError> {
        let id = self.register(kind)?;
        let mut versions = vec![Version { id, text: compiled::schema(kind).to_owned() }];
        if kind == EventKind::CartCleared {
            versions.push(Version { id: VERSION, text: other_text() });
        }
        Ok(versions)
    }

    fn schema(&self, id: u32) -> Result<String, RegistryError> {
        self.ask()?;
        match id {
            VERSION | ELSEWHERE => Ok(other_text()),
            NEVER => Err(RegistryError::Unknown(id)),
            _ => Compiled.schema(id.saturating_sub(self.from)),
        }
    }
}

fn start(registry: &Arc<Double>, data: &Path) -> Result<Schemas, OpenError> {
    let registry = Arc::clone(registry);
    Schemas::start(registry, "http://registry", data, Duration::ZERO)
}

fn event() -> (Envelope, Event) {
    let id = EventId([3; 16]);
    let envelope = Envelope {
        event_id: id,
        occurred_at: Timestamp(1),
        role: Role::Engine,
        subject: None,
        causation_id: id,
        correlation_id: id,
    };
    let cleared = CartCleared { customer_id: CustomerId::parse("c1").expect("legal"), version: 1 };
    (envelope, cleared.into())
}

/// The event, as this codec writes it, or as another writer did under this id.
fn record(schemas: &Schemas, id: Option<u32>) -> Vec<u8> {
    let (envelope, event) = event();
    let mut bytes = Vec::new();
    schemas.codec.encode(&envelope, &event, &mut bytes);
    if let Some(id) = id {
        bytes[1..5].copy_from_slice(&id.to_be_bytes());
        bytes.push(0); // An empty note.
    }
    bytes
}

#[test]
fn a_start_writes_with_the_registrys_ids_and_reads_every_version() {
    let (data, registry) = (TempDir::new().unwrap(), Double::new(100));
    let schemas = start(&registry, data.path()).unwrap();
    let own = record(&schemas, None);
    let id = Compiled.register(EventKind::CartCleared).unwrap() + 100;
    assert_eq!(own[1..5], id.to_be_bytes());
    assert_eq!(schemas.codec.decode(&own).unwrap(), event());
    let of_version = record(&schemas, Some(VERSION));
    assert_eq!(schemas.codec.decode(&of_version).unwrap(), event(), "learned at the start");
}

#[test]
fn what_was_learned_is_known_to_a_start_while_the_registry_is_away() {
    let (data, registry) = (TempDir::new().unwrap(), Double::new(100));
    let schemas = start(&registry, data.path()).unwrap();
    let elsewhere = record(&schemas, Some(ELSEWHERE));
    assert!(matches!(schemas.codec.decode(&elsewhere), Err(DecodeError::UnknownSchema(ELSEWHERE))));
    assert_eq!(schemas.decode(&elsewhere).unwrap(), event(), "it asks");
    assert_eq!(schemas.learn(NEVER), Err(RegistryError::Unknown(NEVER)));

    registry.away.store(true, Ordering::SeqCst);
    let before = registry.asked.load(Ordering::SeqCst);
    let again = start(&registry, data.path()).expect("it knows all of its own ids");
    assert_eq!(registry.asked.load(Ordering::SeqCst), before + 1, "it asks once");
    assert_eq!(record(&again, None), record(&schemas, None));
    for bytes in [record(&again, Some(VERSION)), elsewhere] {
        assert_eq!(again.codec.decode(&bytes).unwrap(), event());
    }
    assert!(matches!(again.learn(NEVER), Err(RegistryError::Unavailable(_))));
    let unknown = again.decode(&record(&again, Some(NEVER)));
    assert!(matches!(unknown, Err(DecodeError::UnknownSchema(NEVER))), "nothing is said of it");
}

#[test]
fn a_first_start_needs_the_registry() {
    let (data, registry) = (TempDir::new().unwrap(), Double::new(100));
    registry.away.store(true, Ordering::SeqCst);
    let refused = start(&registry, data.path()).err().expect("nothing is known");
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused}");
    let refused = refused.to_string();
    assert!(refused.contains("http://registry") && refused.contains("it is away"), "{refused}");
}

#[test]
fn another_registry_is_refused_and_a_damaged_file_is_not_believed() {
    let data = TempDir::new().unwrap();
    start(&Double::new(100), data.path()).unwrap();
    for other in [101, 2_000] {
        let refused = start(&Double::new(other), data.path()).err().expect("other ids");
        assert!(matches!(refused, OpenError::Another { .. }), "{refused}");
        assert!(refused.to_string().contains("schema-ids.json"), "{refused}");
    }
    start(&Double::new(100), data.path()).expect("the one it was");
    std::fs::write(data.path().join("schema-ids.json"), "{").unwrap();
    start(&Double::new(101), data.path()).expect("nothing is known");
}

mod real {
    //! On a running registry: `WATERMART_TEST_REGISTRY_URL`.

    use super::super::confluent::ConfluentRegistry;
    use super::super::{Location, conformance};
    use super::*;
    use schema_registry_converter::blocking::schema_registry::{SrSettings, post_schema};
    use schema_registry_converter::schema_registry_common::{SchemaType, SuppliedSchema};

    #[expect(clippy::disallowed_methods, reason = "a test's server is given by its script")]
    fn url() -> String {
        std::env::var("WATERMART_TEST_REGISTRY_URL")
            .expect("set WATERMART_TEST_REGISTRY_URL to a running registry: see compose/")
    }

    /// A namespace that no other run has used: the registry may be an old one.
    fn namespace(name: &str) -> String {
        let dir = TempDir::new().unwrap();
        let random = dir.path().file_name().unwrap().to_str().unwrap().replace('.', "");
        format!("{name}-{random}")
    }

    fn client(namespace: &str) -> ConfluentRegistry {
        ConfluentRegistry::new(&url(), namespace).unwrap()
    }

    fn register_by_hand(subject: &str, text: String) -> u32 {
        let schema = SuppliedSchema::new(None, SchemaType::Avro, text);
        post_schema(&SrSettings::new(url()), subject.to_owned(), schema).unwrap().id
    }

    #[test]
    #[ignore = "needs servers: compose/servers test"]
    fn passes_the_conformance_suite() {
        let namespace = namespace("conformance");
        conformance::check_all(&|| Box::new(client(&namespace)));
    }

    #[test]
    #[ignore = "needs servers: compose/servers test"]
    fn what_others_registered_is_read() {
        let (data, namespace) = (TempDir::new().unwrap(), namespace("others"));
        let location = Location::Server(url());
        let open =
            || Schemas::open(&location, &namespace, data.path(), Duration::from_secs(5)).unwrap();
        let schemas = open();
        let subject = format!("{namespace}.orders-watermart.orders.CartCleared");
        let version = register_by_hand(&subject, other_text());
        let bytes = record(&schemas, Some(version));
        assert!(!schemas.codec.knows(version));
        assert_eq!(schemas.decode(&bytes).unwrap(), event(), "asked for by id");
        std::fs::remove_file(data.path().join("schema-ids.json")).unwrap();
        assert_eq!(open().codec.decode(&bytes).unwrap(), event(), "learned at the start");

        let reader = Schemas::open_to_read(&location, &namespace, data.path()).unwrap();
        assert_eq!(reader.decode(&bytes).unwrap(), event());
        assert_eq!(reader.decode(&record(&schemas, None)).unwrap(), event());
    }

    #[test]
    #[ignore = "needs servers: compose/servers test"]
    fn what_does_not_fit_is_refused_by_subject() {
        let namespace = namespace("misfit");
        let subject = format!("{namespace}.orders-watermart.orders.CartCleared");
        let own = compiled::schema(EventKind::CartCleared);
        register_by_hand(&subject, own.replace("customer_id", "shopper_id"));
        let refused = client(&namespace).register(EventKind::CartCleared).unwrap_err();
        assert!(
            matches!(&refused, RegistryError::Incompatible { subject: of, .. } if *of == subject),
            "{refused}"
        );
        let found = client(&namespace).register(EventKind::OrderConfirmed);
        assert!(found.is_ok(), "another subject is not concerned");

        let http = reqwest::blocking::Client::new();
        let subject = format!("{namespace}.orders-watermart.orders.OrderConfirmed");
        let config = format!("{}/config/{subject}", url());
        let set = http.put(config).json(&serde_json::json!({"compatibility": "BACKWARD"}));
        set.send().unwrap().error_for_status().unwrap();
        let refused = client(&namespace).register(EventKind::OrderConfirmed).unwrap_err();
        let expected = (subject, "BACKWARD".to_owned());
        assert!(
            matches!(&refused, RegistryError::Compatibility { subject, found, .. }
                if (subject.clone(), found.clone()) == expected),
            "{refused}"
        );
    }

    #[test]
    #[ignore = "needs servers: compose/servers test"]
    fn a_port_where_nobody_answers_is_unreachable() {
        let data = TempDir::new().unwrap();
        // Taken and given back: nobody listens there now.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let location = Location::Server(format!("http://127.0.0.1:{port}"));
        let opened = Schemas::open(&location, "n", data.path(), Duration::from_millis(300));
        assert!(matches!(opened.err(), Some(OpenError::Unreachable { .. })));
    }
}
