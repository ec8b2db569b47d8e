//! Connections are cut at random moments, and acknowledgements are lost with them.

use super::proxy::Proxy;
use super::{Brokers, Site, say, small_checkout};
use sinks::clock::Clock;

/// A seed, told so that it can be given again by `WATERMART_TEST_SEED`.
fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a failure is repeated by its seed")]
    let given = std::env::var("WATERMART_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| Clock::system().now().0.unsigned_abs()) | 1;
    say(format_args!("WATERMART_TEST_SEED={seed}"));
    seed
}

/// The next number of a sequence.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
#[ignore = "needs servers: compose/servers test"]
fn connections_cut_and_acknowledgements_lost_at_any_moment_lose_and_double_nothing() {
    let mut seed = seed();
    let proxy = Proxy::listen();
    let brokers = Brokers::start_proxied(proxy.port());
    proxy.lead_to(brokers.proxied());
    let through = format!("kafka://127.0.0.1:{}/faults", proxy.port());
    let mut site = Site::open(&through, &["--single-broker"]);
    let load = site.selling(50);
    let mut cut = 0;
    for round in 0..24 {
        for _ in 0..next(&mut seed) % 6 {
            site.decides();
        }
        // Under way while it is cut.
        let n = next(&mut seed);
        let asks = (0..n % 20).map(|n| small_checkout(&format!("r{round}-{n}"), "k"));
        std::thread::scope(|scope| {
            let caller = crate::shop::Caller::of(site.shop.url().to_owned());
            let asked = scope.spawn(move || caller.ask_all(asks.collect()));
            let pieces = usize::try_from(next(&mut seed) % 12).unwrap();
            cut += if round % 2 == 0 { proxy.swallow_and_cut(pieces) } else { proxy.cut() };
            for answer in asked.join().unwrap() {
                let status = answer.unwrap().status;
                assert!([202, 503].contains(&status), "{status}");
            }
        });
    }
    say(format_args!("{cut} connections were cut"));
    assert!(cut >= 24);
    site.takes(50);
    let outcomes = load.end();
    say(format_args!("{outcomes}"));
    assert!(outcomes["confirmed"].as_u64() > Some(100), "{outcomes}");
    site.audited();
    site.reopen(&["--single-broker"]);
    site.decides();
    site.audited();
}
