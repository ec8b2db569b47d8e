//! Decisions, asked for at a steady pace whatever the shop does: how long each took, counted from the
//! moment at which it was to be asked for.

use super::caller::{Caller, Checkout};
use super::reservations;
use sinks::clock::Clock;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision {
    /// When it was to be asked for, by the bench's clock.
    pub(super) asked: Duration,
    /// Until it was answered.
    pub(super) took: Duration,
}

/// Whoever asks for them; must be made in a runtime.
pub(super) struct Asking {
    stop: oneshot::Sender<()>,
    asked: JoinHandle<Result<Vec<Decision>, String>>,
}

impl Asking {
    /// From now on a customer of this name's kind orders a unit each `every`, of one product after
    /// the other.
    pub(super) fn start(
        caller: Caller,
        clock: Clock,
        (name, products): (&'static str, u32),
        every: Duration,
    ) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let asked = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            let begun = clock.elapsed();
            for n in 0.. {
                let due = begun + every * n;
                let wait = tokio::time::sleep(due.saturating_sub(clock.elapsed()));
                tokio::select! {
                    () = wait => {}
                    _ = &mut stopped => break,
                }
                let checkout = reservations::order(n, products);
                let checkout = Checkout { customer: format!("{name}{n}"), ..checkout };
                tasks.spawn(ask(caller.clone(), clock.clone(), due, checkout));
            }
            let mut decisions = Vec::new();
            while let Some(decision) = tasks.join_next().await {
                decisions.push(decision.map_err(|error| error.to_string())??);
            }
            Ok(decisions)
        });
        Self { stop, asked }
    }

    /// Asks for no more, and waits until all are answered.
    ///
    /// # Errors
    /// One was not decided as it should.
    pub(super) async fn stop(self) -> Result<Vec<Decision>, String> {
        // It may have failed already: that is told below.
        let _ = self.stop.send(());
        self.asked.await.map_err(|error| error.to_string())?
    }
}

async fn ask(
    caller: Caller,
    clock: Clock,
    asked: Duration,
    checkout: Checkout,
) -> Result<Decision, String> {
    caller.checkout(&checkout).await?.is(201)?;
    Ok(Decision { asked, took: clock.elapsed().saturating_sub(asked) })
}

/// The latency that this share of them does not exceed, in milliseconds; none of none.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among far fewer than 2^53 decisions"
)]
pub(super) fn quantile_ms(decisions: &[Decision], share: f64) -> Option<f64> {
    let mut took: Vec<_> = decisions.iter().map(|decision| decision.took).collect();
    took.sort_unstable();
    let place = (took.len() as f64 * share).ceil() as usize;
    let took = took.get(place.saturating_sub(1))?;
    Some(took.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_that_enough_do_not_exceed() {
        let decisions = |ms: &[u64]| -> Vec<Decision> {
            let took = |ms: &u64| Duration::from_millis(*ms);
            ms.iter().map(|ms| Decision { asked: Duration::ZERO, took: took(ms) }).collect()
        };
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let hundred = decisions(&hundred);
        assert_eq!(quantile_ms(&hundred, 0.5), Some(50.0));
        assert_eq!(quantile_ms(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile_ms(&hundred, 1.0), Some(100.0));
        assert_eq!(quantile_ms(&decisions(&[7]), 0.01), Some(7.0));
        assert_eq!(quantile_ms(&[], 0.5), None);
    }
}
