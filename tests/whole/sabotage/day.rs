//! A day in the shop on which everything happens once: what breaks on it is up to the lies. It
//! asserts nothing of what is decided: a broken shop decides as it does.

use super::stage::{Lies, Stage, TIMEOUT_MS};
use crate::shop::{Ask, basket, run};
use schemas::topic::Topic;
use serde_json::{Value, json};
use sinks::clock::Clock;
use sinks::event_log::NewRecord;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Asks, and writes down what was asked and told as the load generator does.
struct Clerk<'a> {
    stage: &'a Stage,
    ledger: String,
}

impl Clerk<'_> {
    fn tell(&self, ask: Ask) -> Value {
        let answer = self.stage.caller().ask(ask);
        assert!(answer.status < 500, "{answer:?}");
        answer.body
    }

    fn settle(&self) {
        self.stage.settle();
    }

    fn list(&self, product: &str) {
        let body = json!({
            "seller_id": "s1", "name": product, "description": "", "category": "things",
            "brand": "b", "price": 500, "currency": "USD", "attributes": {}, "image_urls": [],
            "order_quantity_max": null,
        });
        self.tell(Ask::put(&format!("/v1/products/{product}"), body));
    }

    fn receive(&self, product: &str, warehouse: &str, quantity: u32, key: &str) {
        let body = json!({ "warehouse_id": warehouse, "quantity": quantity, "reference": "truck" });
        self.tell(Ask::post(&format!("/v1/products/{product}/stock/receipts"), key, body));
    }

    /// Checks out, and gives the order's id.
    fn buy(&mut self, customer: &str, method: &str, lines: &[(&str, u32)]) -> String {
        self.buy_with_key(customer, "k", method, lines)
    }

    fn buy_with_key(
        &mut self,
        customer: &str,
        key: &str,
        method: &str,
        lines: &[(&str, u32)],
    ) -> String {
        let mut body = basket(customer, method, lines);
        if lines.is_empty() {
            body.as_object_mut().unwrap().remove("items");
        }
        let answer = self.stage.caller().ask(Ask::post("/v1/checkouts", key, body));
        let (status, id) = (answer.status, answer.body["id"].clone());
        let asked = json!({
            "kind": "checkout", "customer_id": customer, "lines": [], "currency": "USD",
            "region": "eu", "payment_method": method, "idempotency_key": key,
        });
        let told = json!({ "outcome": "answered", "status": status, "id": id });
        let entry = json!({ "entry": "action", "intended_at": 1, "asked": asked, "told": told });
        writeln!(self.ledger, "{entry}").unwrap();
        id.as_str().unwrap_or_default().to_owned()
    }

    /// Time passes, and something small happens, so that the shop looks at its clock.
    fn later(&self, ms: i64) {
        self.stage.clock.advance(Duration::from_millis(ms.unsigned_abs()));
        let body = json!({ "name": "A", "region": "eu", "priority": 10 });
        self.tell(Ask::put("/v1/warehouses/A", body));
        self.settle();
    }

    fn morning(&self) {
        for id in ["A", "B"] {
            let body = json!({ "name": id, "region": "eu", "priority": 10 });
            self.tell(Ask::put(&format!("/v1/warehouses/{id}"), body));
        }
        self.settle();
        for product in ["P1", "P2"] {
            self.list(product);
        }
        self.receive("P1", "A", 10, "r1");
        self.receive("P1", "B", 5, "r2");
        self.receive("P2", "A", 1, "r3");
        self.tell(Ask::put("/v1/products/P1/stock/B", json!({ "safety_stock": 1 })));
        let lost = json!({ "warehouse_id": "A", "change": -2, "reason": "damaged" });
        self.tell(Ask::post("/v1/products/P1/stock/adjustments", "a1", lost));
        self.settle();
    }

    fn noon(&mut self) {
        let item = json!({ "product_id": "P1", "quantity": 1 });
        self.tell(Ask::post("/v1/customers/C9/cart/items", "i1", item));
        self.tell(Ask::put("/v1/customers/C9/cart/items/P1", json!({ "quantity": 2 })));
        self.settle();
        for (customer, method, lines) in [
            ("C9", "tok_ok", &[][..]),
            ("C1", "tok_ok", &[("P1", 2)]),
            ("C2", "tok_decline", &[("P1", 1), ("P2", 1)]),
            ("C3", "tok_ok", &[("P1", 1), ("P2", 5)]),
            ("C4", "tok_silent", &[("P1", 1)]),
            ("C6", "tok_ok", &[("P2", 1)]),
            ("C7", "tok_ok", &[("P2", 1)]),
        ] {
            self.buy(customer, method, lines);
            self.settle();
        }
        let cancelled = self.buy("C5", "tok_silent", &[("P1", 1)]);
        self.settle();
        let path = format!("/v1/orders/{cancelled}/cancellations");
        let body = json!({ "reason": "too dear", "lines": null });
        self.tell(Ask::post(&path, "c1", body));
        let reclaimed = self.buy("C8", "tok_ok", &[("P1", 1)]);
        self.settle();
        let path = format!("/v1/orders/{reclaimed}/cancellations");
        let body = json!({ "reason": "changed my mind", "lines": null });
        self.tell(Ask::post(&path, "c1", body));
        self.settle();
    }

    fn evening(&mut self) {
        // The same again, and the same key for something else.
        self.buy("C1", "tok_ok", &[("P1", 2)]);
        self.receive("P1", "A", 10, "r1");
        self.receive("P1", "A", 99, "r1");
        self.buy("C1", "tok_ok", &[("P1", 3)]);
        self.settle();
        self.later(TIMEOUT_MS + 1_000);
        self.receive("P2", "A", 3, "r4");
        self.settle();
        self.buy("C10", "tok_ok", &[("P2", 2)]);
        self.settle();
        self.later(3 * TIMEOUT_MS);
    }
}

/// What the audit said.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
}

impl Verdict {
    /// The invariants that it names.
    pub(crate) fn named(&self) -> BTreeSet<String> {
        self.ids(|part| part["breaches"] != 0)
    }

    /// The invariants of which it says that it looked at them.
    pub(crate) fn covered(&self) -> BTreeSet<String> {
        self.ids(|part| part["checked"] != 0)
    }

    /// The views that differ.
    pub(crate) fn views(&self) -> BTreeSet<String> {
        let views = self.report["views"].as_array().unwrap().iter();
        let differ = views.filter(|view| view["differences"] != 0);
        differ.map(|view| view["name"].as_str().unwrap().to_owned()).collect()
    }

    fn ids(&self, which: impl Fn(&Value) -> bool) -> BTreeSet<String> {
        let parts = self.report["invariants"].as_array().unwrap().iter();
        let which = parts.filter(|part| which(part));
        which.map(|part| part["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs the day in a shop that lies so, and audits what it leaves behind.
pub(crate) fn day(lies: Lies) -> Verdict {
    let data = TempDir::new().unwrap();
    let stage = Stage::open(data.path(), lies);
    let ledger = live(&stage);
    stage.close();
    let path = data.path().join("ledger");
    std::fs::write(&path, ledger).unwrap();
    audit(data.path(), &["--ledger", path.to_str().unwrap()])
}

/// Lets the day pass; gives the ledger.
pub(crate) fn live(stage: &Stage) -> String {
    let mut clerk = Clerk { stage, ledger: String::new() };
    clerk.morning();
    clerk.noon();
    clerk.evening();
    clerk.ledger
}

/// A week after the day all of it is said once more: the provider has authorized whatever it was
/// asked, and C4, whose order lapsed, asks for it again and calls it off. Gives that order.
pub(crate) fn a_week_later(stage: &Stage) -> String {
    let mut clerk = Clerk { stage, ledger: String::new() };
    clerk.later(7 * 24 * 60 * 60 * 1_000);
    clerk.later(1_000);
    for _ in 0..2 {
        stage.provider().authorizes_all();
        clerk.settle();
    }
    let order = clerk.buy("C4", "tok_silent", &[("P1", 1)]);
    clerk.tell(Ask::post(
        &format!("/v1/orders/{order}/cancellations"),
        "late",
        json!({ "reason": "too late", "lines": null }),
    ));
    clerk.settle();
    order
}

/// Half a day by the machine's clock, in a shop that lies so; then, while it stays open, the audit
/// beside it.
pub(crate) fn half_day_beside(lies: Lies) -> Verdict {
    let data = TempDir::new().unwrap();
    let stage = Stage::open_by(data.path(), lies, Clock::system());
    let mut clerk = Clerk { stage: &stage, ledger: String::new() };
    clerk.morning();
    clerk.noon();
    let url = stage.caller().url().to_owned();
    let verdict = audit(data.path(), &["--url", &url]);
    stage.close();
    verdict
}

/// A day on which the shop opens, and then nothing is planned for so many seconds, while a shopper
/// comes each second.
pub(crate) fn stalled(data: &Path, seconds: u64) -> Verdict {
    let stuck = Arc::new(AtomicBool::new(false));
    let is_stuck = Arc::clone(&stuck);
    let log = Box::new(move |records: &mut Vec<NewRecord>| {
        let of_plans = records.iter().any(|record| record.partition.topic == Topic::Epochs);
        !(of_plans && is_stuck.load(Ordering::SeqCst))
    });
    let stage = Stage::open(data, Lies { log, ..Lies::default() });
    let mut clerk = Clerk { stage: &stage, ledger: String::new() };
    clerk.morning();
    stuck.store(true, Ordering::SeqCst);
    for second in 0..seconds {
        clerk.buy(&format!("C{second}"), "tok_ok", &[("P1", 1)]);
        stage.clock.advance(Duration::from_secs(1));
    }
    stuck.store(false, Ordering::SeqCst);
    clerk.settle();
    stage.close();
    audit(data, &[])
}

/// What the shipped command finds in `data`.
pub(crate) fn audit(data: &Path, arguments: &[&str]) -> Verdict {
    let output = run(data, &[&["audit", "--json"], arguments].concat());
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Verdict { code: output.status.code(), report }
}
