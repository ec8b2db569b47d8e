//! `watermart load`: asks a shop for what people would ask, at the times it said it would.
//!
//! It knows the shop by its HTTP interface only, and the ids of `schemas`. What must stay true: the
//! schedule is made before the run, from the seed alone; latency counts from the intended time,
//! so a slow shop cannot slow its own measurement; a figure that cannot be trusted makes the
//! report invalid, and says why.

mod baskets;
mod clock;
mod ending;
mod error;
mod fill;
mod latency;
pub mod ledger;
mod machine;
mod options;
mod outcomes;
mod progress;
mod random;
mod replay;
mod report;
mod requests;
mod run;
mod schedule;
mod shop;
mod steady;
mod watch;

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use options::{Options, PriceIs, Profile, ReplayOptions};
pub use report::{Latencies, Outcomes, Percentiles, Report, ScheduleKept};
pub use schedule::price;

/// Runs the profile to its end and writes the report and the ledger where the options say.
///
/// Blocks the calling thread, which must not be inside an async runtime: the generator has one of
/// its own, on this one thread, so that it leaves the other cores to the shop.
///
/// # Errors
/// [`Error`], with the exit code of the command in [`Error::exit_code`]. An invalid run is no
/// error: see [`Report::valid`] and [`Report::gate_failure`].
pub fn run(options: &Options) -> Result<Report, Error> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let report = runtime.block_on(async {
        match options.profile {
            Profile::Stock => steady::stock(options).await,
            Profile::Steady => steady::run(options).await,
            Profile::Replay => replay::run(options).await,
            Profile::BlackFriday | Profile::FlashDrop | Profile::Hoarder | Profile::Returns => {
                Err(Error::NotBuilt(options.profile))
            }
        }
    })?;
    if let Some(dir) = &options.report {
        report.write(dir)?;
    }
    Ok(report)
}
