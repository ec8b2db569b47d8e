//! Programs that are not ours read what we write and write what we read, by the schema registry:
//! `tests/clients/registry.py` with the clients from PyPI. Needs a registry and their interpreter.

use bytes::Bytes;
use processors::engine::{Engine, Options, Parts, Role};
use schemas::envelope::{self, Envelope};
use schemas::events::customer_actions::{CheckoutRequested, IdempotencyKey};
use schemas::events::epochs::Settings;
use schemas::events::lines::OrderLine;
use schemas::id::{CustomerId, EventId, Id, OrderId, PaymentMethod, ProductId, RegionId};
use schemas::money::Currency;
use schemas::time::Timestamp;
use schemas::topic::{Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::event_log::embedded::{Durability, FileLog};
use sinks::event_log::{EventLog, NewRecord, Record};
use sinks::schema_registry::{Location, Schemas};
use sinks::view_store::embedded::EmbeddedViews;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const AT: Timestamp = Timestamp(1_795_426_200_125);
const EVENT_ID: &str = "11111111111111111111111111111111";

#[expect(clippy::disallowed_methods, reason = "a test's servers are given by their script")]
fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name}: see compose/"))
}

/// Runs the program, and gives what it prints, by line.
fn python(arguments: &[&str], input: &str) -> Vec<String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/registry.py");
    let mut child = Command::new(given("WATERMART_TEST_PYTHON"))
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: its words stand above");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn checkout(customer_id: CustomerId) -> CheckoutRequested {
    CheckoutRequested {
        order_id: OrderId::new(customer_id.0.group(), [0x22; 16]),
        customer_id,
        idempotency_key: IdempotencyKey::Text("key-1".into()),
        lines: Some(vec![OrderLine {
            product_id: ProductId::parse("p-1").unwrap(),
            quantity: 3,
            price: 1299,
        }]),
        currency: Currency::parse("EUR").unwrap(),
        region: RegionId::parse("eu").unwrap(),
        payment_method: PaymentMethod::parse("tok_ok").unwrap(),
    }
}

/// The same as the other program has it.
fn as_json(checkout: &CheckoutRequested) -> Value {
    json!({
        "envelope": {
            "event_id": EVENT_ID, "occurred_at": AT.0, "role": "shopper", "subject": "c-4711",
            "causation_id": EVENT_ID, "correlation_id": EVENT_ID,
        },
        "order_id": checkout.order_id.to_string(), "customer_id": "c-4711",
        "idempotency_key": "key-1",
        "lines": [{"product_id": "p-1", "quantity": 3, "price": 1299}],
        "currency": "EUR", "region": "eu", "payment_method": "tok_ok",
    })
}

/// The checkout as a record of ours.
fn encoded(schemas: &Schemas, checkout: &CheckoutRequested) -> Vec<u8> {
    let event_id = EventId([0x11; 16]);
    let envelope = Envelope {
        event_id,
        occurred_at: AT,
        role: envelope::Role::Shopper,
        subject: Id::parse("c-4711"),
        causation_id: event_id,
        correlation_id: event_id,
    };
    let mut value = Vec::new();
    schemas.codec.encode(&envelope, &checkout.clone().into(), &mut value);
    value
}

/// Has the engine decide what stands on the log; gives what it published on `orders`.
fn decided(log: &Arc<dyn EventLog>, schemas: &Schemas) -> Vec<Record> {
    let views = TempDir::new().unwrap();
    let parts = Parts {
        checkpoints: None,
        log: Arc::clone(log),
        views: Some(Arc::new(EmbeddedViews::open(views.path()).unwrap())),
        schemas: schemas.clone(),
        clock: Clock::system(),
    };
    let settings = Settings { reservation_timeout_ms: 60_000 };
    let options = Options { workers: 1, settings, hash_seed: 0, role: Role::Leads };
    let engine = Engine::start(&parts, options).unwrap();
    let orders: Vec<_> = TopicPartition::all(Topic::Orders).map(|at| (at, 0)).collect();
    let (mut reader, mut records) = (log.reader(&orders).unwrap(), Vec::new());
    // Requested, and rejected: the shop has no such product.
    while records.len() < 2 {
        reader.read(1 << 20, &mut records).unwrap();
        reader.wait(Duration::from_millis(100));
    }
    assert_eq!(engine.status().dead_letters, 0);
    engine.stop().unwrap();
    records
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn a_checkout_of_another_program_is_decided_and_it_reads_the_decision() {
    let (data, url) = (TempDir::new().unwrap(), given("WATERMART_TEST_REGISTRY_URL"));
    let namespace = data.path().file_name().unwrap().to_str().unwrap().replace('.', "clients-");
    let location: Location = url.parse().unwrap();
    let schemas =
        Schemas::open(&location, &namespace, data.path(), Duration::from_secs(5)).unwrap();
    let topic = |topic: Topic| format!("{namespace}.{}", topic.suffix());

    let customer_id = CustomerId::parse("c-4711").unwrap();
    let checkout = checkout(customer_id);
    let schema = "schemas/avro/customer-actions/CheckoutRequested.avsc";
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(schema);
    let arguments = ["write", &url, &topic(Topic::CustomerActions), schema.to_str().unwrap()];
    let written = bytes(&python(&arguments, &as_json(&checkout).to_string())[0]);
    assert!(schemas.codec.kind(&written).is_err(), "its schema is another than ours");
    let ours = schemas.codec.decode(&encoded(&schemas, &checkout)).unwrap();
    assert_eq!(schemas.decode(&written).unwrap(), ours);

    let log = FileLog::open(&data.path().join("log"), Clock::system(), Durability::NotDurable);
    let log: Arc<dyn EventLog> = Arc::new(log.unwrap());
    let record = NewRecord {
        partition: TopicPartition::of_group(Topic::CustomerActions, customer_id.0.group()),
        key: Bytes::from_static(b"c-4711"),
        value: written.into(),
        output_id: None,
    };
    log.append(vec![record]).wait().remove(0).unwrap();
    // A start that has yet to learn what the other program wrote with.
    std::fs::remove_file(data.path().join("schema-ids.json")).unwrap();
    let schemas =
        Schemas::open(&location, &namespace, data.path(), Duration::from_secs(5)).unwrap();
    let lines = decided(&log, &schemas).into_iter().map(|record| hex(&record.value) + "\n");
    let read = python(&["read", &url, &topic(Topic::Orders)], &lines.collect::<String>());
    let read: Vec<Value> = read.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let order = checkout.order_id.to_string();
    assert_eq!(read.len(), 2, "{read:?}");
    assert_eq!(read[0]["order_id"], order);
    assert_eq!(read[0]["lines"][0]["price"], 1299);
    assert_eq!(read[1]["order_id"], order);
    assert_eq!(read[1]["reason"], "unknown_product");
    assert_eq!(read[1]["envelope"]["causation_id"], EVENT_ID);
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn another_program_reads_our_checkout_as_it_was_written() {
    let (data, url) = (TempDir::new().unwrap(), given("WATERMART_TEST_REGISTRY_URL"));
    let namespace = data.path().file_name().unwrap().to_str().unwrap().replace('.', "clients-");
    let location: Location = url.parse().unwrap();
    let schemas =
        Schemas::open(&location, &namespace, data.path(), Duration::from_secs(5)).unwrap();
    let checkout = checkout(CustomerId::parse("c-4711").unwrap());
    let as_json = as_json(&checkout);
    let value = encoded(&schemas, &checkout);
    let topic = format!("{namespace}.{}", Topic::CustomerActions.suffix());
    let read = python(&["read", &url, &topic], &hex(&value));
    assert_eq!(serde_json::from_str::<Value>(&read[0]).unwrap(), as_json);
}
