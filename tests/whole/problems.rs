//! `docs/problems.md` is complete, and each test that it names exists. Problems that no other test
//! meets are met here.

use crate::journeys::settled;
use crate::shop::{Ask, Shop, basket};
use serde_json::json;
use std::fs;
use std::path::Path;

const PROBLEMS: usize = 45;
const CASES: usize = 8;

/// What is wrong with a list of problems; `source` gives the text of a file of the tree.
fn breaches(list: &str, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let rows: Vec<Vec<&str>> = list
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .filter(|row: &Vec<&str>| row[0] != "#")
        .collect();
    let numbers: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    let cases = (1..=CASES).map(|case| format!("A{case}"));
    let expected: Vec<String> = (1..=PROBLEMS).map(|n| n.to_string()).chain(cases).collect();
    let mut found = Vec::new();
    if numbers != expected {
        found.push(format!("rows are {numbers:?}"));
    }
    for row in rows {
        let [number, _, here] = row[..] else {
            found.push(format!("{}: has {} cells", row[0], row.len()));
            continue;
        };
        let named: Vec<_> = here.split('`').filter(|word| word.contains(".rs::")).collect();
        if named.is_empty() && !here.starts_with("*later*") && !here.starts_with("cannot occur") {
            found.push(format!("{number}: says nothing"));
        }
        for name in named {
            let (file, test) = name.split_once("::").unwrap();
            if !source(file).is_some_and(|text| has_test(&text, test)) {
                found.push(format!("{number}: no {name}"));
            }
        }
    }
    found
}

/// Whether the text has this function, with a test's mark on the line above.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let is_test = matches!(pair[0], "#[test]" | "#[tokio::test]");
        let function = pair[1].strip_prefix("async ").unwrap_or(pair[1]);
        is_test && function.starts_with(&format!("fn {name}("))
    })
}

#[test]
fn every_problem_has_a_row_and_each_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/problems.md")).unwrap();
    let found = breaches(&list, |file| fs::read_to_string(root.join(file)).ok());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_row_that_is_missing_or_names_no_test_is_found() {
    let numbers = (1..=PROBLEMS).map(|n| n.to_string()).chain((1..=CASES).map(|n| format!("A{n}")));
    let rows: Vec<String> = numbers.map(|n| format!("| {n} | p | `a.rs::sells` |")).collect();
    let source = |file: &str| {
        let text = "#[test]\nfn sells() {}\n\nfn helps() {}\n";
        (file == "a.rs").then(|| text.to_owned())
    };
    assert_eq!(breaches(&rows.join("\n"), source), [""; 0]);
    for (row, breach) in [
        ("| 7 | p | `a.rs::helps` |", "7: no a.rs::helps"),
        ("| 7 | p | `b.rs::sells` |", "7: no b.rs::sells"),
        ("| 7 | p | it is fine |", "7: says nothing"),
        ("| 7 | p |", "7: has 2 cells"),
    ] {
        let mut rows = rows.clone();
        rows[6] = row.to_owned();
        assert_eq!(breaches(&rows.join("\n"), source), [breach]);
    }
    let missing = breaches(&rows[1..].join("\n"), source);
    assert!(missing.len() == 1 && missing[0].starts_with("rows are"), "{missing:?}");
}

#[test]
fn two_lines_of_one_product_are_one_demand() {
    let (shop, _data) = Shop::with_warehouses(&["--payments-url", "manual:"]);
    shop.stock("P1", &[("A", 3)]);
    let twice = |key: &str, first, second| {
        let body = basket("C1", "tok_ok", &[("P1", first), ("P1", second)]);
        shop.ask(Ask::post("/v1/checkouts", key, body).and_wait())
    };
    let refused = twice("k1", 2, 2);
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("out_of_stock")));
    let order = twice("k2", 2, 1);
    assert_eq!((order.status, &order.body["lines"][0]["quantity"]), (201, &json!(3)));
    assert_eq!(order.body["lines"].as_array().map(Vec::len), Some(1));
    let stock = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong")).body;
    assert_eq!((&stock["available"], &stock["reserved"]), (&json!(0), &json!(3)));
}

#[test]
fn rapid_adds_are_all_in_the_cart_and_two_checkouts_of_it_are_one_order() {
    let (shop, _data) = Shop::with_warehouses(&["--payments-url", "manual:"]);
    shop.stock("P1", &[("A", 40)]);
    let add = |n: usize| {
        let item = json!({ "product_id": "P1", "quantity": 1 });
        Ask::post("/v1/customers/C1/cart/items", &format!("add-{n}"), item).and_wait()
    };
    for answer in shop.ask_all((0..20).map(add).collect()) {
        assert_eq!(answer.unwrap().status, 201);
    }
    let mut of_cart = basket("C1", "tok_ok", &[]);
    of_cart.as_object_mut().unwrap().remove("items");
    let tab = |key| Ask::post("/v1/checkouts", key, of_cart.clone()).and_wait();
    let mut answers = shop.ask_all(vec![tab("left"), tab("right")]).into_iter().map(Option::unwrap);
    let (mut one, mut other) = (answers.next().unwrap(), answers.next().unwrap());
    if one.status != 201 {
        std::mem::swap(&mut one, &mut other);
    }
    assert_eq!((one.status, &one.body["lines"][0]["quantity"]), (201, &json!(20)));
    assert_eq!((other.status, &other.body["detail"]), (409, &json!("the cart is empty")));
    let stock = shop.ask(Ask::get("/v1/products/P1/stock?consistency=strong")).body;
    assert_eq!((&stock["available"], &stock["reserved"]), (&json!(20), &json!(20)));
    assert_eq!(shop.ask(Ask::get("/v1/customers/C1/cart")).body["items"], json!([]));
}

#[test]
fn a_page_that_is_sent_twice_pays_once() {
    let (shop, _data) = Shop::with_warehouses(&[]);
    shop.stock("P1", &[("A", 10)]);
    let ask = Ask::post("/v1/checkouts", "k", basket("C1", "tok_ok", &[("P1", 2)])).and_wait();
    let first = shop.ask(ask.clone()).body;
    let order = first["order_id"].as_str().unwrap().to_owned();
    let paid = |state| settled(&shop, &order, state)["payment"].clone();
    let before = paid("confirmed");
    // Once more when it is paid, and twenty times.
    for answer in shop.ask_all(vec![ask; 20]) {
        assert_eq!(answer.unwrap().body["order_id"], first["order_id"]);
    }
    let after = paid("confirmed");
    for sums in [before, after] {
        assert_eq!((&sums["authorized"], &sums["refunded"]), (&json!(1_000), &json!(0)));
        assert!(sums["captured"].as_i64() <= Some(1_000), "{sums}");
    }
}
