//! Latencies in microseconds, three digits, by HdrHistogram.

use crate::report::Percentiles;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Ten minutes: beyond it a latency is counted as ten minutes.
const MAX_US: u64 = 600_000_000;

#[derive(Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, MAX_US, 3);
        Self(histogram.expect("1 to ten minutes at three digits are legal bounds"))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(MAX_US);
        self.0.saturating_record(us.max(1));
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        self.at(0.99)
    }

    /// `None` before the first.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        (!self.0.is_empty()).then(|| Percentiles {
            p50: self.at(0.5),
            p90: self.at(0.9),
            p99: self.at(0.99),
            p999: self.at(0.999),
            max: ms(self.0.max()),
        })
    }

    fn at(&self, quantile: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { ms(self.0.value_at_quantile(quantile)) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most ten minutes in microseconds")]
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}
