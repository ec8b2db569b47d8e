//! The adapter against real brokers: `compose/servers test`.

use super::*;
use crate::event_log::conformance;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// `host:port` of a broker that tests may fill.
pub(super) fn brokers() -> String {
    #[expect(clippy::disallowed_methods, reason = "the servers' script says where they are")]
    let brokers = std::env::var("WATERMART_TEST_KAFKA");
    brokers.expect("WATERMART_TEST_KAFKA names a broker: use compose/servers test")
}

/// A namespace that no other test of this run has.
fn fresh() -> Cluster {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let clock = crate::clock::Clock::system();
    format!("{}/test-{}-{count}", brokers(), clock.now().0).parse().unwrap()
}

const OPTIONS: Options = Options {
    connect_timeout: Duration::from_secs(30),
    single_broker: true,
    append_timeout: Some(Duration::from_secs(30)),
};

#[test]
#[ignore = "needs servers: compose/servers test"]
fn it_keeps_the_contract() {
    let cluster = fresh();
    conformance::check_all(&mut || Arc::new(KafkaLog::open(&cluster, OPTIONS).unwrap()));
}
