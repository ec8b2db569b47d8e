//! `bench decode`: events decoded by our codec, against apache-avro's `Value` path.

use super::{Bar, Figure, Found};
use schemas::bench::{DecodeRound, decode};
use sinks::clock::Clock;
use std::collections::BTreeMap;

/// Runs the bench.
///
/// # Errors
/// None; the shape is that of all benches.
#[expect(clippy::unnecessary_wraps, reason = "the shape of all benches")]
pub(crate) fn run(rounds: u16, clock: &Clock) -> Result<Found, String> {
    let found = decode(rounds.into(), &|| clock.elapsed());
    let column = |rounds: &[DecodeRound], of: fn(&DecodeRound) -> f64| -> Vec<f64> {
        rounds.iter().map(of).collect()
    };
    let mut figures = Vec::new();
    for (event, rounds, bar) in [
        ("checkout_requested", &found.checkout_requested, Bar::AtLeast(3.5)),
        ("stock_reserved", &found.stock_reserved, Bar::None),
    ] {
        let ours = column(rounds, |round| round.codec_ns);
        let theirs = column(rounds, |round| round.value_ns);
        let ratios = column(rounds, DecodeRound::ratio);
        figures.push(Figure::of(format!("{event}, our codec"), "ns", ours, Bar::None));
        figures.push(Figure::of(format!("{event}, Value path"), "ns", theirs, Bar::None));
        figures.push(Figure::of(format!("{event}, Value path / ours"), "ratio", ratios, bar));
    }
    let setup = BTreeMap::from([(
        "Value path",
        "apache-avro, GenericDatumReader to Value, then into the same struct".to_owned(),
    )]);
    Ok(("decode", setup, figures))
}
