//! A record on which a machine panics: the engine ends and names it, and every start does; an operator
//! skips it, and the shop goes on.

use super::stage::{Lies, Stage};
use crate::shop::{Ask, Shop, basket, run};
use crate::words::{document, refused};
use machines::message::{CustomerMessage, ToCustomer};
use processors::failure::Failure;
use processors::sabotage::Hooks;
use schemas::events::Event;
use schemas::events::epochs::PlanningDrained;
use schemas::time::Timestamp;
use schemas::topic::Topic;
use serde_json::json;
use sinks::clock::Clock;
use tempfile::TempDir;

/// Half a minute after the first shop was opened.
const LATER: Timestamp = Timestamp(1_700_000_030_000);
/// Whoever orders so many breaks the machine.
const POISON: u32 = 13;

/// What is no action of a customer, in the place of each poisoned checkout.
fn poisoned(messages: &mut Vec<ToCustomer>) {
    for message in messages {
        if let CustomerMessage::Record(event) = &mut message.body
            && let Event::CheckoutRequested(checkout) = &**event
            && checkout.lines.iter().flatten().any(|line| line.quantity == POISON)
        {
            **event = PlanningDrained { generation: 0 }.into();
        }
    }
}

fn lies() -> Lies {
    let operators = Hooks { to_customers: Some(Box::new(poisoned)), ..Hooks::default() };
    Lies { operators, ..Lies::default() }
}

#[test]
fn a_record_that_breaks_a_machine_is_named_and_skipped_under_a_next_era() {
    let data = TempDir::new().unwrap();
    let stage = Stage::open(data.path(), lies());
    let warehouse = json!({ "name": "A", "region": "eu", "priority": 10 });
    assert_eq!(stage.caller().ask(Ask::put("/v1/warehouses/A", warehouse).and_wait()).status, 200);
    stage.caller().stock("P1", &[("A", 100)]);
    let order = |key: &str, quantity| {
        Ask::post("/v1/checkouts", key, basket("C1", "tok_silent", &[("P1", quantity)]))
    };
    assert_eq!(stage.caller().ask(order("k1", 1).and_wait()).status, 201);
    assert_eq!(stage.caller().ask(order("k2", POISON)).status, 202);
    let failure = stage.failure();
    let Failure::Poisoned { partition, offset } = failure else { panic!("{failure:?}") };
    // The customer's partition holds their two checkouts and nothing else.
    assert_eq!((partition.topic, offset), (Topic::CustomerActions, 1));

    // A build with the same fault comes to the same, until the record is skipped.
    let again = Stage::start(data.path(), lies(), Clock::manual(LATER)).failure();
    assert_eq!(again, Failure::Poisoned { partition, offset });
    let partition = partition.partition.to_string();
    let skip = |offset| ["epochs", "skip", "customer-actions", &*partition, offset];
    let (code, told) = refused(data.path(), &skip("0"));
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("it cannot be skipped any more"), "{told}");
    let said = document(data.path(), &skip("1"));
    let effect = said["effect"].as_str().unwrap();
    assert!(effect.starts_with("era 1 begins: the next start redoes history"), "{effect}");
    let (code, told) = refused(data.path(), &skip("1"));
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("era 1 has set watermart.customer-actions"), "{told}");

    let stage = Stage::open_by(data.path(), lies(), Clock::manual(LATER));
    assert_eq!(stage.caller().ask(order("k3", 2).and_wait()).status, 201);
    let stock = stage.caller().ask(Ask::get("/v1/products/P1/stock")).body;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(100), &json!(3)));
    stage.settle();
    stage.close();
    let letters = document(data.path(), &["dlq", "list"]);
    assert_eq!(letters["total"], 1);
    assert_eq!(letters["dead_letters"][0]["cause"], "skipped");
    assert_eq!(letters["dead_letters"][0]["record"]["offset"], 1);
    assert!(run(data.path(), &["audit"]).status.success());

    // A build without the fault, from views, from nothing, or from its checkpoint, tells the same.
    for folder in [None, Some("views"), None] {
        if let Some(folder) = folder {
            std::fs::remove_dir_all(data.path().join(folder)).unwrap();
        }
        let shop = Shop::start(data.path(), &[]);
        let orders = shop.ask(Ask::get("/v1/customers/C1/orders")).body;
        assert_eq!(orders["items"].as_array().unwrap().len(), 2, "{orders}");
        assert_eq!(shop.stop(), Some(0));
        assert!(run(data.path(), &["audit"]).status.success());
    }
}
