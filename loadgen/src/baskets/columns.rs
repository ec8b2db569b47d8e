//! What the six columns are called in a file, and how a time is written there.

use crate::Error;
use schemas::time::Timestamp;

const NAMES: [&str; 6] = ["basket", "customer", "product", "quantity", "price", "time"];

/// The file's names of basket, customer, product, quantity, price and time, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns([String; 6]);

impl Columns {
    /// Reads `ours=theirs` pairs; a column without one is called as we call it.
    pub(crate) fn parse(pairs: &[String]) -> Result<Self, Error> {
        let mut columns = Self(NAMES.map(str::to_owned));
        for pair in pairs {
            let named = pair.split_once('=').and_then(|(ours, theirs)| {
                let place = NAMES.iter().position(|name| *name == ours)?;
                Some((place, theirs))
            });
            let Some((place, theirs)) = named else {
                let names = NAMES.join(", ");
                let text = format!("--columns: {pair} is not NAME=COLUMN with NAME one of {names}");
                return Err(Error::Usage(text));
            };
            theirs.clone_into(&mut columns.0[place]);
        }
        Ok(columns)
    }

    /// The places of the six among the file's columns.
    pub(crate) fn places<'a>(
        &self,
        file: impl Iterator<Item = &'a str>,
    ) -> Result<[usize; 6], String> {
        let file: Vec<&str> = file.collect();
        let mut places = [0; 6];
        for (place, name) in places.iter_mut().zip(&self.0) {
            *place = file.iter().position(|column| column == name).ok_or_else(|| {
                format!("it has no column {name}; it has {}: see --columns", file.join(", "))
            })?;
        }
        Ok(places)
    }
}

/// A time as text: `2017-01-01 06:53:26`, RFC 3339 in UTC, a date alone, or seconds since 1970.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1000).map(Timestamp);
    }
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let [year, month, day] = numbers(date.splitn(3, '-'))?;
    let clock = clock.strip_suffix('Z').unwrap_or(clock);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let [hour, minute, second] = match clock.matches(':').count() {
        1 => numbers(format!("{clock}:00").split(':'))?,
        _ => numbers(clock.split(':'))?,
    };
    let legal = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !legal || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1000 + ms))
}

fn numbers<'a>(parts: impl Iterator<Item = &'a str>) -> Option<[i64; 3]> {
    let digits = |part: &str| part.parse::<u32>().ok().map(i64::from);
    parts.map(digits).collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Days since 1970 of a date in the Gregorian calendar: a year begins in March, so that the leap
/// day is its last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, expected) in [
            ("2017-01-01 06:53:26", Some("2017-01-01T06:53:26.000Z")),
            ("2024-02-29T23:59:59.125Z", Some("2024-02-29T23:59:59.125Z")),
            ("2000-03-01", Some("2000-03-01T00:00:00.000Z")),
            ("1970-01-01 00:01", Some("1970-01-01T00:01:00.000Z")),
            ("86400", Some("1970-01-02T00:00:00.000Z")),
            ("2017-13-01", None),
            ("2017-01-01 25:00:00", None),
            ("2017-01-01T10:00:00+02:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time(text).map(Timestamp::rfc3339).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn columns_go_by_our_names_or_the_files() {
        let pairs = ["basket=basket_id".to_owned(), "time=at".to_owned()];
        let columns = Columns::parse(&pairs).unwrap();
        let file = ["at", "customer", "product", "price", "quantity", "basket_id"];
        assert_eq!(columns.places(file.into_iter()), Ok([5, 1, 2, 4, 3, 0]));
        assert_eq!(
            columns.places(["at"].into_iter()),
            Err("it has no column basket_id; it has at: see --columns".to_owned())
        );
        let error = Columns::parse(&["sku=x".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--columns: sku=x is not NAME=COLUMN with NAME one of basket, customer, product, \
             quantity, price, time"
        );
    }
}
