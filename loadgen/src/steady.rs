//! The profiles `stock` and `steady`, and what every run of orders ends with: its report.

use crate::clock::Clock;
use crate::ending::Ending;
use crate::fill::{self, Filler};
use crate::ledger::Ledger;
use crate::machine::rss_peak_bytes;
use crate::outcomes::{self, States};
use crate::report::{
    LATE_P99_MAX_MS, LOST_MAX, Latencies, OWN_CORES_MAX, Outcomes, Report, ScheduleKept,
};
use crate::requests;
use crate::run::{Findings, Pace, Run};
use crate::schedule::{CHECKOUTS_MAX, Schedule, product};
use crate::shop::{Failure, Shop};
use crate::{Error, Options};
use std::time::Duration;

const SECONDS: f64 = 60.0;
/// An order counts as confirmed if it was so long after the window at most.
pub(crate) const AWAITED: Duration = Duration::from_secs(10);

/// Fills the shop, and reports how fast that was acknowledged.
pub(crate) async fn stock(options: &Options) -> Result<Report, Error> {
    let clock = Clock::start();
    let shop = Shop::at(&options.url, options.query_url.as_deref());
    let ledger = Ledger::open(options.ledger.as_deref(), clock)?;
    let mut filler = Filler::of(&shop, clock, &ledger);
    fill_all(&mut filler, options.products, &clock.run_name()).await?;
    let filled = filler.filled;
    ledger.close()?;
    let done = filled.actions;
    Ok(Report {
        profile: "stock",
        seed: options.seed,
        valid: true,
        invalid_because: None,
        schedule: ScheduleKept { intended: done, sent: done, late_p99_ms: 0.0 },
        outcomes: Outcomes { accepted: done, ..Outcomes::default() },
        confirmed_per_s: 0.0,
        latency_ms: Latencies { ack: filled.ack.percentiles(), ..Latencies::default() },
        rss_peak_bytes: options.server_pid.and_then(rss_peak_bytes),
        bottleneck: None,
    })
}

/// Sells for a while at a steady rate.
pub(crate) async fn run(options: &Options) -> Result<Report, Error> {
    let seconds = options.seconds.unwrap_or(SECONDS);
    if options.rate * seconds > CHECKOUTS_MAX {
        let text = "--rate times --seconds must be at most 10000000: the schedule is in memory";
        return Err(Error::Usage(text.to_owned()));
    }
    let clock = Clock::start();
    let (shop, name) = (Shop::at(&options.url, options.query_url.as_deref()), clock.run_name());
    let ledger = Ledger::open(options.ledger.as_deref(), clock)?;
    if !is_filled(&shop, options.products).await? {
        fill_all(&mut Filler::of(&shop, clock, &ledger), options.products, &name).await?;
    }
    let schedule = Schedule::steady(options, seconds);
    let requests = requests::prepare(&schedule, options.batch, &name);
    let sale = Run {
        shop: &shop,
        clock,
        ledger: &ledger,
        schedule: &schedule,
        requests: &requests,
        name: &name,
        pace: Pace::Scheduled,
        batch: options.batch,
        wait: options.wait,
        server_pid: options.server_pid,
        ending: &Ending::listen()?,
    };
    let report = sell("steady", options, &sale, Some(Duration::from_secs_f64(seconds))).await;
    ledger.close()?;
    Ok(report)
}

/// Drives the run, waits for its orders, reads them, and judges the whole.
pub(crate) async fn sell(
    profile: &'static str,
    options: &Options,
    run: &Run<'_>,
    window: Option<Duration>,
) -> Report {
    let found = run.drive(window).await;
    let deadline = found.ended + AWAITED;
    tokio::time::sleep(deadline.saturating_sub(run.clock.elapsed())).await;
    let deadline = run.clock.wall(deadline);
    let states = outcomes::read_all(run.shop, run.clock, &found.orders, deadline, run.ledger).await;
    judge(profile, options, &found, states, run.schedule.checkouts.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts are at most ten million")]
fn judge(
    profile: &'static str,
    options: &Options,
    found: &Findings,
    states: States,
    intended: usize,
) -> Report {
    let invalid_because = invalid_because(found, states);
    let seconds = found.ended.saturating_sub(found.started).as_secs_f64();
    Report {
        profile,
        seed: options.seed,
        valid: invalid_because.is_none(),
        invalid_because,
        schedule: ScheduleKept {
            intended: intended as u64,
            sent: found.sent,
            late_p99_ms: found.late.p99_ms(),
        },
        outcomes: Outcomes {
            accepted: found.orders.len() as u64,
            confirmed: states.confirmed,
            rejected: states.rejected,
            cancelled: states.cancelled,
            shed: found.shed,
            failed: found.failed,
            unknown: found.unknown,
        },
        confirmed_per_s: states.confirmed as f64 / seconds.max(0.001),
        latency_ms: Latencies {
            ack: found.ack.percentiles(),
            decision: found.decision.percentiles(),
            readable: found.readable.percentiles(),
            searchable: None,
        },
        rss_peak_bytes: options.server_pid.and_then(rss_peak_bytes),
        bottleneck: found.cores.bottleneck(),
    }
}

/// Everything that makes the figures ones about something else than the shop.
#[expect(clippy::cast_precision_loss, reason = "counts are at most ten million")]
fn invalid_because(found: &Findings, states: States) -> Option<String> {
    let late = found.late.p99_ms();
    let own = found.cores.own.unwrap_or(0.0);
    let lost = found.failed + found.unknown;
    let lost_max = LOST_MAX * found.sent as f64;
    let unread = states.unread;
    let because = [
        (found.sent == 0, "nothing was sent".to_owned()),
        (
            late > LATE_P99_MAX_MS,
            format!("requests were sent {late:.0} ms late at p99, above {LATE_P99_MAX_MS:.0}"),
        ),
        (
            own > OWN_CORES_MAX,
            format!("the generator used {own:.2} of its one core, above {OWN_CORES_MAX}"),
        ),
        (
            lost as f64 > lost_max,
            format!("{lost} of {} actions failed or had no answer, above 0.1 %", found.sent),
        ),
        (unread > 0, format!("{unread} acknowledged orders could not be read")),
    ];
    let because: Vec<String> =
        because.into_iter().filter_map(|(broken, text)| broken.then_some(text)).collect();
    (!because.is_empty()).then(|| because.join("; "))
}

/// Whether the shop has the last product we would fill it with.
async fn is_filled(shop: &Shop, products: u32) -> Result<bool, Error> {
    let path = format!("/v1/products/{}", product(products - 1));
    match shop.get(&path).await {
        Ok(answer) if answer.status == 200 => Ok(true),
        Ok(answer) if answer.status == 404 => Ok(false),
        Ok(answer) => {
            let detail = format!("status {}", answer.status);
            Err(Error::Setup { what: path, detail })
        }
        Err(Failure::NotSent(detail) | Failure::Unknown(detail)) => {
            Err(Error::Unreachable { url: shop.query_url().to_owned(), detail })
        }
    }
}

async fn fill_all(filler: &mut Filler<'_>, products: u32, run: &str) -> Result<(), Error> {
    let all = products as usize;
    filler.ask("warehouses", fill::warehouses(), 3).await?;
    filler.ask("products", fill::products(products), all).await?;
    filler.ask("receipts", fill::receipts(products, run), all + 2 * all.div_ceil(10)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A good run of 1,000 actions, made worse.
    fn because(worse: impl FnOnce(&mut Findings, &mut States)) -> Option<String> {
        let (mut found, mut states) = (Findings::starting(Duration::ZERO), States::default());
        found.sent = 1_000;
        found.cores.own = Some(0.5);
        worse(&mut found, &mut states);
        invalid_because(&found, states)
    }

    #[test]
    fn a_run_that_measured_something_else_is_invalid() {
        assert_eq!(because(|_, _| ()), None);
        let late = because(|found, _| found.late.record(Duration::from_millis(80)));
        assert_eq!(late.as_deref(), Some("requests were sent 80 ms late at p99, above 50"));
        let busy = because(|found, _| found.cores.own = Some(0.95));
        assert_eq!(busy.as_deref(), Some("the generator used 0.95 of its one core, above 0.9"));
        let lost = because(|found, _| (found.failed, found.unknown) = (1, 1));
        assert_eq!(lost.as_deref(), Some("2 of 1000 actions failed or had no answer, above 0.1 %"));
        assert_eq!(because(|found, _| found.unknown = 1), None);
        let both = because(|found, states| (found.sent, states.unread) = (0, 3));
        assert_eq!(
            both.as_deref(),
            Some("nothing was sent; 3 acknowledged orders could not be read")
        );
    }
}
