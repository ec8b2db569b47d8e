//! A week after an honest day: what comes of its orders then.

use super::day::{a_week_later, audit, live};
use super::stage::{Lies, Stage};
use crate::shop::Ask;
use std::collections::BTreeSet;
use tempfile::TempDir;

#[test]
fn what_comes_of_last_weeks_orders_changes_none_and_money_goes_back() {
    let data = TempDir::new().unwrap();
    let stage = Stage::open(data.path(), Lies::default());
    live(&stage);
    let before = stage.requests();
    let order = a_week_later(&stage);
    let shown = stage.caller().ask(Ask::get(&format!("/v1/orders/{order}"))).body;
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&"cancelled".into(), &"reservation_expired".into())
    );
    // Of the four that were asked for and had ended, C2's was declined, C4's lapsed, C5's was called
    // off and C8's refunded: three hear of money that they had not heard of, and give it back once.
    assert_eq!(stage.requests() - before, 3);
    // Each of the four heard it twice, then what was asked; of three a void was answered.
    assert_eq!(stage.late(), 2 * 4 + 2 + 3);
    stage.close();
    let verdict = audit(data.path(), &[]);
    assert_eq!(verdict.named(), BTreeSet::new(), "{:#}", verdict.report);
}
