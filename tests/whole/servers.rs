//! The real servers that some tests need, as `compose/servers test` tells where they are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What the script says of this name.
pub(crate) fn told(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the servers' script says where they are")]
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("{name} is not set: use compose/servers test"))
}

/// `host:port` of a broker that tests may fill.
pub(crate) fn brokers() -> String {
    told("WATERMART_TEST_KAFKA")
}

/// The address of a schema registry that tests may fill.
pub(crate) fn registry() -> String {
    told("WATERMART_TEST_REGISTRY_URL")
}

/// A log that no other test has, as `--log-url` says it.
pub(crate) fn log_url() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let ms = sinks::clock::Clock::system().now().0;
    format!("kafka://{}/whole-{ms}-{}-{count}", brokers(), std::process::id())
}

/// The interpreter that has the clients of others.
pub(crate) fn python() -> String {
    told("WATERMART_TEST_PYTHON")
}

/// The script that starts and stops servers.
pub(crate) fn script() -> String {
    told("WATERMART_TEST_SERVERS")
}
