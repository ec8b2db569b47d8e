//! `watermart dlq list|show|replay`: what was set aside, and its way back.

use crate::shop::{Ask, Shop, basket, run};
use crate::words::{append, applied, document, records, refused, stopped};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemas::topic::{PARTITIONS, Topic, TopicPartition};
use serde_json::{Value, json};
use sinks::event_log::Record;
use std::path::Path;
use tempfile::TempDir;

const GARBAGE: &[u8] = b"\0\0\0\0\x01?";

/// A checkout of C2 that no shop has seen but one that is gone, and its order's id.
fn foreign() -> (Record, String) {
    let (shop, data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 100)]);
    let order = basket("C2", "tok_silent", &[("P1", 2)]);
    let asked = shop.ask(Ask::post("/v1/checkouts", "k2", order));
    assert_eq!(asked.status, 202);
    assert_eq!(shop.stop(), Some(0));
    let id = asked.body["id"].as_str().unwrap().to_owned();
    (records(data.path(), Topic::CustomerActions).remove(0), id)
}

/// A stopped shop with two dead letters: a checkout on a wrong partition, and garbage. And the
/// checkout as it should stand, its wrong place, and its order's id.
fn two_letters() -> (TempDir, Record, TopicPartition, String) {
    let data = stopped();
    let (checkout, order) = foreign();
    let right = checkout.partition;
    let wrong = TopicPartition { partition: (right.partition + 1) % PARTITIONS, ..right };
    append(data.path(), wrong, checkout.key.clone(), checkout.value.clone());
    append(data.path(), right, Bytes::from_static(b"C\xff"), Bytes::from_static(GARBAGE));
    let shop = Shop::start(data.path(), &[]);
    assert_eq!(applied(&shop)["dead_letters"], 2);
    assert_eq!(shop.ask(Ask::get(&format!("/v1/orders/{order}"))).status, 404);
    assert_eq!(shop.stop(), Some(0));
    (data, checkout, wrong, order)
}

/// The letter with this cause, as `list` has it.
fn listed(data: &Path, cause: &str) -> Value {
    let letters = document(data, &["dlq", "list"]);
    let letters = letters["dead_letters"].as_array().unwrap().iter();
    let [letter] = &letters.filter(|letter| letter["cause"] == cause).collect::<Vec<_>>()[..]
    else {
        panic!("one letter is {cause}")
    };
    (*letter).clone()
}

/// How a letter is named to `show` and `replay`.
fn name(letter: &Value) -> [String; 2] {
    ["partition", "offset"].map(|field| letter[field].to_string())
}

#[test]
fn letters_are_listed_with_cause_and_place_and_shown_with_their_records() {
    let (data, checkout, wrong, _) = two_letters();
    let letter = listed(data.path(), "wrong_partition");
    assert_eq!(letter["partition"], wrong.partition);
    let place = &letter["record"];
    assert_eq!(
        (&place["topic"], &place["partition"]),
        (&json!("watermart.customer-actions"), &json!(wrong.partition))
    );
    let right = checkout.partition.partition;
    assert_eq!(letter["detail"], format!("its key belongs on partition {right}"));

    let [partition, offset] = &name(&letter);
    let shown = document(data.path(), &["dlq", "show", partition, offset]);
    assert_eq!((&shown["kept"], &shown["cause"]), (&json!(true), &letter["cause"]));
    assert_eq!(
        (&shown["record"]["key"], &shown["record"]["type"]),
        (&json!("C2"), &json!("CheckoutRequested"))
    );
    assert_eq!(shown["record"]["value_base64"], STANDARD.encode(&checkout.value));

    let [partition, offset] = &name(&listed(data.path(), "undecodable"));
    let shown = document(data.path(), &["dlq", "show", partition, offset]);
    assert_eq!(shown["record"]["value_base64"], STANDARD.encode(GARBAGE));
    assert_eq!(shown["record"]["event"], Value::Null);

    let newest = document(data.path(), &["dlq", "list", "--limit", "1"]);
    let all = document(data.path(), &["dlq", "list"]);
    assert_eq!((&newest["total"], &all["total"]), (&json!(2), &json!(2)));
    assert_eq!(newest["dead_letters"][0], all["dead_letters"][1]);
    let text = String::from_utf8(run(data.path(), &["dlq", "list"]).stdout).unwrap();
    assert!(text.ends_with("2 of 2 dead letters\n"), "{text}");
}

#[test]
fn a_record_on_a_wrong_partition_is_replayed_to_the_right_one_and_decided() {
    let (data, checkout, wrong, order) = two_letters();
    let [partition, offset] = name(&listed(data.path(), "wrong_partition"));
    let replay = ["dlq", "replay", &*partition, &*offset];
    let on_log = || records(data.path(), Topic::CustomerActions).len();
    let before = on_log();

    let shop = Shop::start(data.path(), &[]);
    let dry = document(data.path(), &[&replay[..], &["--dry-run"]].concat());
    let to = json!({
        "topic": "watermart.customer-actions", "partition": checkout.partition.partition,
        "offset": null,
    });
    assert_eq!((&dry["dry_run"], &dry["to"]), (&json!(true), &to));
    let record = format!("watermart.customer-actions/{}@0", wrong.partition);
    assert_eq!((&dry["record"], &dry["type"]), (&json!(record), &json!("CheckoutRequested")));
    let (code, told) = refused(data.path(), &replay);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains(&format!("process {}", shop.pid())), "{told}");
    assert_eq!(shop.stop(), Some(0));
    assert_eq!(on_log(), before, "nothing was appended");

    let done = document(data.path(), &replay);
    assert!(done["second_copy"].as_str().unwrap().contains("same order for ever"), "{done}");
    let appended = records(data.path(), Topic::CustomerActions).into_iter().find(|record| {
        record.partition == checkout.partition
            && Some(record.offset) == done["to"]["offset"].as_u64()
    });
    let appended = appended.expect("it stands where the command says");
    assert_eq!((appended.key, appended.value), (checkout.key, checkout.value));
    // A second time: the same order.
    document(data.path(), &replay);
    let shop = Shop::start(data.path(), &[]);
    assert_eq!(applied(&shop)["dead_letters"], 0);
    let decided = shop.ask(Ask::get(&format!("/v1/orders/{order}")));
    assert_eq!((decided.status, &decided.body["state"]), (200, &json!("awaiting_payment")));
    let stock = shop.ask(Ask::get("/v1/products/P1/stock")).body;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(100), &json!(3)));
    assert_eq!(shop.stop(), Some(0));
    assert!(run(data.path(), &["audit"]).status.success());
}

#[test]
fn what_cannot_be_used_is_not_replayed() {
    let (data, ..) = two_letters();
    let [partition, offset] = name(&listed(data.path(), "undecodable"));
    let before = records(data.path(), Topic::CustomerActions).len();
    for dry in [&[][..], &["--dry-run"]] {
        let (code, told) =
            refused(data.path(), &[&["dlq", "replay", &*partition, &*offset], dry].concat());
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("not a CheckoutRequested"), "{told}");
    }
    for (arguments, named) in [
        (["dlq", "show", "16", "0"], "has no partition 16; use 0 to 15"),
        (["dlq", "replay", "0", "99"], "has no such letter; `watermart dlq list` shows them"),
    ] {
        let (code, told) = refused(data.path(), &arguments);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(named), "{told}");
    }
    assert_eq!(records(data.path(), Topic::CustomerActions).len(), before);
}
